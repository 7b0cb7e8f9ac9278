# SPDX-License-Identifier: Apache-2.0
"""Debian releases as folders: made by debootstrap, kept under build/, entered by chroot."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

# When the power goes it is made again: dpkg need not wait for the disk.
INSTALL = ["apt-get", "-q", "-y", "--no-install-recommends",
           "-o", "Dpkg::Use-Pty=0", "-o", "Dpkg::Options::=--force-unsafe-io"]
printing = threading.Lock()


def say(who, text):
    with printing:
        print(f"  {who:10}{text}", flush=True)


class Failed(AssertionError):
    pass


def run(*command, **more):
    """A command of this machine, which must succeed; what it printed."""
    made = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=1800, **more)
    if made.returncode != 0:
        raise Failed(f"exit status {made.returncode} of {' '.join(map(str, command))}:\n"
                     f"{made.stdout[-6000:]}")
    return made.stdout


def become_root(program):
    """Goes on as root and with mounts of its own, which end with the process."""
    arguments = [sys.executable, program, *sys.argv[1:]]
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if os.geteuid() != 0:
        may = shutil.which("sudo") and subprocess.run(
            ["sudo", "-n", "true"], stderr=subprocess.DEVNULL).returncode == 0
        if not may:
            sys.exit("make check-package makes Debian systems with debootstrap and enters them "
                     "with chroot: it must run as root, or where sudo asks for no password.")
        kept = [f"{name}={value}" for name, value in os.environ.items()
                if name in ("PATH", "TZ") or name.startswith("VULNBUS_")
                or name.lower().endswith("_proxy")]
        os.execvp("sudo", ["sudo", "-n", "env", "PYTHONDONTWRITEBYTECODE=1", *kept, *arguments])
    if "VULNBUS_UNSHARED" not in os.environ:
        if subprocess.run(["unshare", "--mount", "true"]).returncode != 0:
            sys.exit("make check-package must be allowed to mount (a container: CAP_SYS_ADMIN).")
        os.environ["VULNBUS_UNSHARED"] = "yes"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", *arguments])


def mirror():
    """Where this machine's apt has Debian from; None (debootstrap's own) when it has none."""
    made = subprocess.run(["apt-get", "indextargets", "--format",
                           "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"],
                          capture_output=True, text=True, check=True)
    for line in made.stdout.splitlines():
        origin, label, uri = line.split("|")
        if (origin, label) == ("Debian", "Debian"):
            return uri
    return None


def how_apt_reaches_it():
    """Proxies and the like."""
    return "".join(line for line in run("apt-config", "dump").splitlines(keepends=True)
                   if line.startswith("Acquire::"))


class Root:
    def __init__(self, path: Path):
        self.path = path
        self._mounted = []

    def mount(self, *arguments, at):
        (self.path / at).mkdir(parents=True, exist_ok=True)
        run("mount", *arguments, self.path / at)
        self._mounted.append(at)

    def enter(self):
        self.mount("-t", "proc", "proc", at="proc")
        return self

    def leave(self):
        while self._mounted:
            run("umount", self.path / self._mounted.pop())

    def command(self, *command, user=None):
        """`user`, or `user:group`, as a unit has it: who cannot gain anything."""
        name, _, group = (user or "").partition(":")
        who = ["setpriv", f"--reuid={name}", f"--regid={group or name}", "--init-groups",
               "--no-new-privs", "--bounding-set=-all", "--"] if user else []
        return ["chroot", str(self.path), *who, *map(str, command)]

    def environment(self, **more):
        return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", **more,
                **{name: value for name, value in os.environ.items()
                   if name.lower().endswith("_proxy")}}

    def run(self, *command, user=None, **more):
        return run(*self.command(*command, user=user), env=self.environment(), **more)

    def status(self, *command, user=None):
        """The exit status of a command that may fail, and what it printed."""
        made = subprocess.run(self.command(*command, user=user), env=self.environment(),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60)
        return made.returncode, made.stdout + made.stderr

    def copy(self, path: Path):
        discard(path)
        run("cp", "-a", "--reflink=auto", self.path, path)
        return Root(path)


def discard(path: Path):
    """Takes a root away, but never what is mounted in it."""
    if path.exists():
        run("rm", "-rf", "--one-file-system", path)


def pristine(release, folder: Path):
    """A minimal system that nothing was ever done to, made once."""
    path = folder / f"{release}-pristine"
    if path.exists():
        return Root(path)
    say(release, "debootstrap")
    new = folder / f"{release}-pristine.new"
    discard(new)
    hurry = new / "etc/dpkg/dpkg.cfg.d/hurry"
    hurry.parent.mkdir(parents=True)
    hurry.write_text("force-unsafe-io\n")
    run("debootstrap", "--variant=minbase", release, new, *filter(None, [mirror()]))
    hurry.unlink()
    (new / "etc/apt/apt.conf.d/90machine").write_text(how_apt_reaches_it())
    run("rm", "-rf", new / "var/cache/apt/archives")
    new.rename(path)
    return Root(path)


def with_build_dependencies(release, folder: Path, source: Path):
    """A root in which `source` can be built; made again when what it needs changes."""
    path, stamp = folder / f"{release}-build", folder / f"{release}-build.stamp"
    needs = (source / "debian/control").read_text().split("\n\n")[0]
    if path.exists() and stamp.exists() and stamp.read_text() == needs:
        return Root(path)
    stamp.unlink(missing_ok=True)
    root = pristine(release, folder).copy(path)
    say(release, "build dependencies")
    root.enter()
    root.mount("--bind", source.parent, at="src")
    root.run("apt-get", "-q", "update")
    root.run(*INSTALL, "build-dep", f"/src/{source.name}")
    root.run(*INSTALL, "install", "lintian")
    root.run("apt-get", "clean")
    root.leave()
    stamp.write_text(needs)
    return root
