# SPDX-License-Identifier: Apache-2.0
"""A root booted: its own systemd, in a container of systemd-nspawn, on this machine's network."""

import os
import socket
import subprocess
from pathlib import Path

import roots
from waiting import until

# The root is left as it is found, and no service of this machine is asked for anything.
NSPAWN = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--notify-ready=yes",
          "--console=pipe", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
          # That of Debian 12 lets nobody have Landlock otherwise.
          "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self"]
ENTER_GROUPS = 'for group in $GROUPS_OF_IT; do echo $$ > "$group/cgroup.procs"; done; exec "$@"'


def groups_of_its_own(name):
    """A systemd takes the cgroup that it finds itself in for its own: each gets one, in the one
    or two hierarchies that systemd keeps."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        unified = Path("/sys/fs/cgroup/unified")
        top = {"name=systemd": Path("/sys/fs/cgroup/systemd"),
               "": unified if unified.exists() else unified.parent}.get(controllers)
        if top is not None and top.is_dir():
            yield top / path[1:] / name


class Machine:
    """Running within `with`. What goes wrong there is told with what the journal has of `units`."""

    def __init__(self, root, console: Path, units):
        self.root = root
        self.console = console
        self.units = units
        self.name = f"vulnbus-{os.getpid()}-{root.path.name}"
        self.groups = list(groups_of_its_own(self.name))
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.process = None
        self.leader = None

    def __enter__(self):
        assert not os.path.ismount(self.root.path / "proc"), "it would be taken for its own /proc"
        try:
            self.socket.bind("\0" + self.name)
            for group in self.groups:
                group.mkdir()
            with open(self.console, "wb") as console:
                self.process = subprocess.Popen(
                    ["sh", "-ec", ENTER_GROUPS, "sh", *NSPAWN, f"--machine={self.name}",
                     f"--directory={self.root.path}"],
                    stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                    env={**os.environ, "NOTIFY_SOCKET": "@" + self.name,
                         "GROUPS_OF_IT": " ".join(map(str, self.groups))})
            until(self._up, "the machine has booted", 90)
        except BaseException as failure:
            self.__exit__(type(failure), failure, None)
            raise
        return self

    def _up(self):
        """Whether systemd says that all that it starts at boot was started, or failed to."""
        assert self.process.poll() is None, f"systemd-nspawn ended with {self.process.returncode}"
        try:
            told = self.socket.recv(4096).decode().splitlines()
        except BlockingIOError:
            return False
        for line in told:
            name, _, value = line.partition("=")
            if name == "X_NSPAWN_LEADER_PID":
                self.leader = value
        return "READY=1" in told

    def __exit__(self, kind, failure, _):
        try:
            if failure is not None and self.process is not None:
                failure.add_note(self.report())
        finally:
            if self.process is not None and self.process.poll() is None:
                # All of it ends with its first process.
                subprocess.run(["kill", "-KILL", self.leader or str(self.process.pid)])
                self.process.wait(30)
            self.socket.close()
            for group in self.groups:
                for folder, _, _ in os.walk(group, topdown=False):
                    os.rmdir(folder)

    def power_off(self):
        self.run("systemctl", "--no-block", "poweroff")
        code = self.process.wait(60)
        assert code == 0, f"systemd-nspawn ended with {code}"

    def status(self, *command):
        """The exit status of a command in there, and what it printed."""
        made = subprocess.run(["nsenter", f"--target={self.leader}", "--all", "--", *command],
                              env=self.root.environment(SYSTEMD_PAGER=""), timeout=60, text=True,
                              errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        return made.returncode, made.stdout

    def run(self, *command):
        code, text = self.status(*command)
        if code != 0:
            raise roots.Failed(f"exit status {code} of {' '.join(command)}:\n{text}")
        return text

    def show(self, unit):
        """All that systemd knows of the unit."""
        return dict(line.split("=", 1)
                    for line in self.run("systemctl", "show", unit).splitlines() if "=" in line)

    def write(self, path, text):
        file = Path(f"/proc/{self.leader}/root{path}")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)

    def journal(self, *arguments):
        """What was written until now."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--quiet", "--no-pager", "--boot", *arguments)

    def report(self):
        """What a person would look at."""
        text = ["--- console\n", self.console.read_text(errors="replace")[-4000:]]
        if self.leader is not None and self.process.poll() is None:
            for unit in self.units:
                text += [f"--- {unit}\n",
                         self.status("systemctl", "status", "--lines=0", "--full", unit)[1],
                         self.journal("--lines=60", f"--unit={unit}")]
        return "".join(text)


def state(machine, unit, *names):
    known = machine.show(unit)
    return [known[name] for name in names]
