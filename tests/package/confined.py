# SPDX-License-Identifier: Apache-2.0
"""That a unit's daemon is confined: by what the kernel says of it, and by what it refuses to others
in its place. A directive that has no effect for want of means of this machine is told by name."""

import os

from machine import state


class Process:
    """What the kernel says of a process of the machine."""

    def __init__(self, machine, pid):
        def read(name):
            return machine.run("cat", f"/proc/{pid}/{name}").splitlines()
        self.status = dict(line.split(":", 1) for line in read("status"))
        self.groups = [line.split(":", 2) for line in read("cgroup")]
        self.files = next(int(line.split()[4]) for line in read("limits") if "open files" in line)
        # What was mounted last on a place is what is seen there: (of the file system, options).
        self.mounts = {words[4]: (words[2], words[3], f"{words[5]},{words[-1]}".split(","))
                       for words in map(str.split, read("mountinfo"))}
        self.space = dict(zip(("user", "uts"), machine.run(
            "readlink", f"/proc/{pid}/ns/user", f"/proc/{pid}/ns/uts").splitlines()))

    def number(self, name, base=10):
        return int(self.status[name].split()[0], base)

    def device(self, place):
        return self.mounts[place][0]

    def mounted_from(self, place):
        return self.mounts[place][1] if place in self.mounts else ""

    def writable(self, place):
        return "ro" not in self.mounts[place][2]


def directives(of: Process, first: Process, user):
    """Whether each holds for a daemon; `first` is the process that it would be like without."""
    return {
        "User": set(of.status["Uid"].split()) == {str(user)},
        "CapabilityBoundingSet": of.number("CapBnd", 16) == of.number("CapEff", 16) == 0,
        "NoNewPrivileges": of.number("NoNewPrivs") == 1,
        "UMask": of.number("Umask", 8) == 0o077,
        "ProtectSystem": not of.writable("/"),
        "StateDirectory": of.writable("/var/lib/vulnbus"),
        "ProtectHome": all("inaccessible" in of.mounted_from(place)
                           for place in ("/home", "/root", "/run/user")),
        "PrivateTmp": all("systemd-private" in of.mounted_from(place)
                          for place in ("/tmp", "/var/tmp")),
        "PrivateDevices": of.device("/dev") != first.device("/dev") and not of.writable("/dev"),
        "PrivateUsers": of.space["user"] != first.space["user"],
        "ProtectHostname": of.space["uts"] != first.space["uts"],
        "ProtectProc": "hidepid=invisible" in of.mounts["/proc"][2],
        "ProcSubset": "subset=pid" in of.mounts["/proc"][2],
        # But for the one file of its own that newer releases let a service write.
        "ProtectControlGroups": not any(of.writable(place) for place in first.mounts
                                        if place.startswith("/sys/fs/cgroup")),
    }


def check_confined(machine, unit, user, tell):
    pid, files = state(machine, unit, "MainPID", "LimitNOFILE")
    daemon, first = Process(machine, pid), Process(machine, 1)
    missing = [name for name, holds in directives(daemon, first, user).items() if not holds]
    assert not missing, f"{unit} runs, but without {', '.join(missing)}"
    if "LimitNOFILE=" in machine.run("systemctl", "cat", unit) and daemon.files != int(files):
        assert first.files == daemon.files < int(files), (first.files, daemon.files, files)
        tell(f"not tried, LimitNOFILE={files}: this machine lets nobody have more than {daemon.files}")
    # With cgroup v2, which has no such controller, systemd itself warns when it cannot.
    if any(controller == "devices" and not path.endswith(unit)
           for _, controller, path in daemon.groups):
        tell(f"not tried, DevicePolicy= of {unit}: the cgroup controller is not systemd's here")
    for line in machine.journal("_PID=1", f"UNIT={unit}", "--priority=warning",
                                "--output=cat").splitlines():
        tell(f"systemd warns: {line}")


# Each is refused by one directive, and, without it, allowed to anybody. What was allowed is printed.
ATTEMPTS = """
my ($mmap, $ptrace) = @ARGV;
sub attempt { my ($name, $done) = @_; print "$name\\n" if $done }
open(my $file, '>', "/tmp/attempt-$$") or die $!;
attempt 'RestrictSUIDSGID', chmod(04700, "/tmp/attempt-$$");
attempt 'RestrictAddressFamilies', socket(my $netlink, 16, 3, 0);
attempt 'RestrictNamespaces', system('unshare', '--user', 'true') == 0;
attempt 'LockPersonality', system('setarch', '--addr-no-randomize', 'true') == 0;
attempt 'MemoryDenyWriteExecute', syscall($mmap, 0, 4096, 6, 0x22, -1, 0) != -1;
attempt 'SystemCallFilter=~@resources', setpriority(0, 0, 1);
attempt 'SystemCallFilter=@system-service', syscall($ptrace, 0, 0, 0, 0) != -1;
"""
NAMES = {line.split("'")[1] for line in ATTEMPTS.splitlines() if line.startswith("attempt ")}
# Numbers of mmap and ptrace.
SYSCALLS = {"x86_64": ("9", "101"), "aarch64": ("222", "117")}
INSTEAD = """[Service]
Type=oneshot
ExecStart=
ExecStart={command}
StandardOutput=truncate:/run/attempts.out
StandardError=journal
"""


def check_attempts(machine, unit, tell):
    """In the daemon's place, with all its unit says, somebody who tries what it never does."""
    command = ["/usr/bin/perl", "/run/attempts.pl", *SYSCALLS[os.uname().machine]]
    machine.write("/run/attempts.pl", ATTEMPTS)
    free = machine.run("systemd-run", "--quiet", "--wait", "--pipe", "--property=User=vulnbus", *command)
    for name in NAMES - set(free.split()):
        tell(f"not tried, {name} of {unit}: this machine allows it to nobody")
    place = f"/run/systemd/system/{unit}.d/attempts.conf"
    machine.write(place, INSTEAD.format(command=" ".join(command)))
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", unit)
    allowed = machine.run("cat", "/run/attempts.out").split()
    assert not allowed, f"{unit} let an attempt pass that is refused by {', '.join(allowed)}"
    machine.run("rm", place)
    machine.run("systemctl", "daemon-reload")
