# SPDX-License-Identifier: Apache-2.0
"""The units under a systemd that was really booted: confined as they say, a webhook through them
to its record, reloaded, killed, stopped."""

import json
import secrets
import time

from daemons import Source
from machine import Machine
from operate import check_record, configure, post
from reader import Tap
from roots import say
from waiting import until

INGRESS, ENRICHER = UNITS = ["vulnbus-ingress.service", "vulnbus-enricher.service"]


def state(machine, unit, *names):
    known = machine.show(unit)
    return [known[name] for name in names]


def told(machine, unit):
    """The daemon's own lines."""
    text = machine.journal("--output=cat", f"--identifier={unit.removesuffix('.service')}")
    return [json.loads(line) for line in text.splitlines()]


def address(machine, unit, port="public"):
    """Where it listens."""
    return [line["address"] for line in told(machine, unit) if line.get("port") == port][-1]


# --- confined ----------------------------------------------------------------

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
        "SystemCallFilter": of.number("Seccomp_filters") > first.number("Seccomp_filters"),
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
        "ProtectControlGroups": not any(of.writable(place) for place in of.mounts
                                        if place.startswith("/sys/fs/cgroup")),
    }


def check_confined(machine, unit, user, tell):
    """Says by name which directive has no effect for want of means of this machine."""
    pid, files = state(machine, unit, "MainPID", "LimitNOFILE")
    daemon, first = Process(machine, pid), Process(machine, 1)
    missing = [name for name, holds in directives(daemon, first, user).items() if not holds]
    assert not missing, f"{unit} runs, but without {', '.join(missing)}"
    if "LimitNOFILE=" in machine.run("systemctl", "cat", unit) and daemon.files != int(files):
        assert first.files == daemon.files < int(files), (first.files, daemon.files, files)
        tell(f"not tried, LimitNOFILE={files}: this machine lets nobody have more than {daemon.files}")
    devices = [path for _, controllers, path in daemon.groups if controllers == "devices"]
    if not devices or not devices[0].endswith(unit):
        tell(f"not tried, DevicePolicy= of {unit}: no cgroup controller of devices here")
    for line in machine.journal("_PID=1", f"UNIT={unit}", "--priority=warning",
                                "--output=cat").splitlines():
        tell(f"systemd warns: {line}")


# --- run ---------------------------------------------------------------------

def check_reload(machine, ingress, notify, later, change):
    """A source that the configuration has had since, and nobody was told."""
    pids = [state(machine, unit, "MainPID") for unit in UNITS]
    change()
    assert post(ingress, later, 1, later.stub.signer.token) == 404
    for unit in UNITS:
        machine.run("systemctl", "reload", unit)
    until(lambda: post(ingress, later, 1, later.stub.signer.token) == 202,
          "the ingress knows the source after systemctl reload")
    notify(later, 2)
    assert pids == [state(machine, unit, "MainPID") for unit in UNITS]


def check_killed(machine, notify, source):
    """It comes again by itself, and for what came in between."""
    pid, = state(machine, ENRICHER, "MainPID")
    machine.run("systemctl", "kill", "--signal=KILL", ENRICHER)
    until(lambda: state(machine, ENRICHER, "MainPID") != [pid], "the enricher is dead")
    notify(source, 3)
    until(lambda: state(machine, ENRICHER, "ActiveState", "NRestarts") == ["active", "1"],
          "the enricher is active again")


def check_stopped(machine):
    for unit in UNITS:
        began = time.monotonic()
        machine.run("systemctl", "stop", unit)
        took = time.monotonic() - began
        assert state(machine, unit, "ActiveState", "Result", "ExecMainCode", "ExecMainStatus") == \
            ["inactive", "success", "1", "0"], machine.show(unit)
        assert took < 30, f"{unit} took {took:.1f} s to stop"


def check_misconfigured(machine, root):
    """A configuration that names no brokers is not tried again and again."""
    config = root.path / "etc/vulnbus/vulnbus.yaml"
    config.write_text("# nothing\n")
    for unit in UNITS:
        code, _ = machine.status("systemctl", "start", unit)
        assert code == 1
        assert state(machine, unit, "ActiveState", "ExecMainStatus", "NRestarts") == \
            ["failed", "78", "0"], machine.show(unit)


def check_journal(machine):
    """Nothing went wrong but what was done to them."""
    for unit in UNITS:
        for line in told(machine, unit):
            assert line["log.level"] in ("debug", "info", "warn"), line


def check_units(release, root, broker, folder):
    """`root` has the package and nothing of it running, and is not entered by anybody."""
    source, later, prefix = Source(), Source(name="later"), f"test-{secrets.token_hex(4)}"
    tap = Tap(broker.bootstrap, prefix)

    def notify(source, number):
        assert post(ingress, source, number, source.stub.signer.token) == 202
        check_record(tap, source, number)

    try:
        configure(root, broker, [source], prefix)
        root.run("vulnbus", "topics", "--create", user="vulnbus")
        root.run("rm", "-rf", "/var/lib/vulnbus")
        root.run("systemctl", "enable", *UNITS)
        user = int(root.run("id", "-u", "vulnbus"))
        with Machine(root, folder / "console.log", UNITS) as machine:
            for unit in UNITS:
                assert state(machine, unit, "ActiveState", "SubState", "Type", "NRestarts") == \
                    ["active", "running", "notify", "0"], f"{unit} is not active after the boot"
                check_confined(machine, unit, user, lambda text: say(release, text))
            ingress = f"http://{address(machine, INGRESS)}"
            notify(source, 1)
            check_reload(machine, ingress, notify, later,
                         lambda: configure(root, broker, [source, later], prefix))
            check_killed(machine, notify, source)
            check_stopped(machine)
            check_journal(machine)
            check_misconfigured(machine, root)
            machine.power_off()
    finally:
        tap.close()
        source.stub.down()
        later.stub.down()
