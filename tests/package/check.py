# SPDX-License-Identifier: Apache-2.0
"""The package in clean Debian systems: built in one, installed in another, started there by hand
and then by a systemd that is booted there, webhooks sent, their records read, and all of it taken
away again.

    make check-package [RELEASES="bookworm trixie"]

What debootstrap and apt fetched is kept in build/roots. Exit status 0: every sentence held."""

import argparse
import configparser
import hashlib
import os
import secrets
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "system"), str(HERE.parent)]

import dependencies  # noqa: E402
import roots  # noqa: E402
from roots import INSTALL, Root, say  # noqa: E402

RELEASES = ["bookworm", "trixie"]
DAEMONS = ["vulnbus-ingress", "vulnbus-enricher"]
FOLDER = TOP / "build/roots"


# --- build -------------------------------------------------------------------

def build(release, again):
    """The package as this release builds it: lintian finds nothing, and so it comes `again`."""
    place = FOLDER / f"{release}-src"
    roots.run("rm", "-rf", place)
    place.mkdir(parents=True)
    roots.run(TOP / "deploy/debian/assemble", place / "vulnbus")
    if again:
        shutil.copytree(place / "vulnbus", place / "again/elsewhere", symlinks=True)
    root = roots.with_build_dependencies(release, FOLDER, place / "vulnbus").enter()
    try:
        root.mount("--bind", place, at="src")
        say(release, "build")
        for tree in ["vulnbus", *(["again/elsewhere"] if again else [])]:
            root.run("sh", "-c", f"cd /src/{tree} && dpkg-buildpackage -b -us -uc -j2")
        say(release, "lintian")
        root.run("sh", "-c", "lintian --allow-root --fail-on error,warning /src/*.changes")
    finally:
        root.leave()
    package = next(place.glob("vulnbus_*.deb"))
    if again:
        assert digest(package) == digest(place / "again" / package.name), \
            "the same tree, built twice, is not the same package"
    return package


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- install -----------------------------------------------------------------

def names(root):
    """Every path with our name in it, but what the kernel shows."""
    found = roots.run("find", root.path, "-xdev", "-not", "-path", f"{root.path}/src/*",
                      "-name", "*vulnbus*", "-printf", "%P\n")
    return sorted(found.splitlines())


def rights(root, path):
    """("drwxr-x---", "root", "vulnbus"), by the names that the root has for them."""
    made = root.run("stat", "-c", "%A %U %G", path)
    return made.split()


def install(release, package):
    root = roots.pristine(release, FOLDER).copy(FOLDER / f"{release}-installed").enter()
    assert names(root) == []
    say(release, "install")
    root.mount("--bind", package.parent, at="src")
    root.run("apt-get", "-q", "update")
    root.run(*INSTALL, "install", f"/src/{package.name}")
    root.run("apt-get", "clean")
    return root


def check_installed(root):
    assert rights(root, "/etc/vulnbus") == ["drwxr-x---", "root", "vulnbus"]
    assert rights(root, "/etc/vulnbus/secrets") == ["drwxr-x---", "root", "vulnbus"]
    assert rights(root, "/etc/vulnbus/vulnbus.yaml") == ["-rw-r-----", "root", "vulnbus"]
    assert root.run("dpkg", "--verify", "vulnbus") == ""
    assert not list((root.path / "etc/systemd/system").glob("*.wants/vulnbus*")), "enabled already"
    code, text = root.status("cat", "/etc/vulnbus/vulnbus.yaml", user="nobody:nogroup")
    assert code == 1 and "Permission denied" in text, text
    for name in DAEMONS:
        code, text = root.status(f"/usr/sbin/{name}", user="vulnbus")
        assert code == 78 and "kafka.bootstrap_servers" in text, (code, text)
    units = [f"{name}.service" for name in DAEMONS]
    assert root.run("systemd-analyze", "verify", "--man=no", *units) == ""
    listed = root.run("dpkg", "-L", "vulnbus").splitlines()
    for path in listed:
        if path.endswith(".service"):   # exposure 2.0 of 10
            root.run("systemd-analyze", "security", "--offline=yes", "--threshold=20", path)
    for path in ["/usr/bin/vulnbus", *(f"/usr/sbin/{name}" for name in DAEMONS),
                 "/usr/share/man/man1/vulnbus.1.gz", "/usr/share/man/man5/vulnbus.yaml.5.gz",
                 *(f"/usr/share/man/man8/{name}.8.gz" for name in DAEMONS),
                 "/usr/share/bash-completion/completions/vulnbus",
                 "/usr/share/zsh/vendor-completions/_vulnbus",
                 "/usr/share/fish/vendor_completions.d/vulnbus.fish",
                 "/usr/share/vulnbus/schemas/event.json",
                 "/usr/share/vulnbus/schemas/vendors/probely.json",
                 "/usr/share/doc/vulnbus/examples/vulnbus.yaml"]:
        assert path in listed, f"{path} is not in the package"


def check_dependencies(release, root):
    """This release's column of .github/DEPENDENCIES.md."""
    programs = [root.path / "usr/bin/vulnbus", *(root.path / f"usr/sbin/{name}" for name in DAEMONS)]
    faults = dependencies.linked_faults(programs, root.run, release, root.path)
    faults += dependencies.apt_faults(release, root.run)
    assert not faults, "\n".join(faults)


# --- start -------------------------------------------------------------------

class Supervisor:
    """What systemd would do with a unit, as far as a chroot can have it: who, where, with which
    command, and hearing what the daemon tells."""

    def __init__(self, root: Root, name):
        self.root = root
        found = [path for lib in ("lib", "usr/lib")
                 for path in [root.path / lib / f"systemd/system/{name}.service"] if path.exists()]
        self.unit = configparser.ConfigParser(strict=False, interpolation=None)
        self.unit.optionxform = str
        self.unit.read(found[0])
        service = self.unit["Service"]
        assert service["Type"] == "notify"
        self.user = service["User"]
        self.start = shlex.split(service["ExecStart"])
        self.reload = shlex.split(service["ExecReload"])
        self.umask = int(service["UMask"], 8)
        state = f"/var/lib/{service['StateDirectory']}"
        root.run("install", "-d", "-o", self.user, "-g", service["Group"],
                 "-m", service["StateDirectoryMode"], state)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify = f"/run/notify-{name}"
        self.path = root.path / self.notify[1:]
        # A socket's path may be 107 bytes long.
        here = os.open(self.path.parent, os.O_PATH)
        self.socket.bind(f"/proc/self/fd/{here}/{self.path.name}")
        os.close(here)
        self.path.chmod(0o666)
        self.socket.settimeout(30)

    def spawn(self, **streams):
        return subprocess.Popen(
            self.root.command(*self.start, user=self.user), umask=self.umask, cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin", "NOTIFY_SOCKET": self.notify}, **streams)

    def hang_up(self, process):
        roots.run(*self.root.command(*self.reload, user=self.user),
                  env={"PATH": "/usr/sbin:/usr/bin", "MAINPID": str(process.pid)})

    def told(self, word):
        """Waits until the daemon says so."""
        while (text := self.socket.recv(4096).decode()) != word:
            assert text.endswith("=1"), text

    def close(self):
        self.socket.close()
        self.path.unlink()


def check_runs(root, broker, folder):
    """Webhooks signed by two libraries become records, by the packaged daemons."""
    from daemons import Daemon, Source
    from operate import check_record, configure, post
    from reader import Tap

    class Installed(Daemon):
        def __init__(self, name):
            super().__init__(name, None, folder / f"{name}.log")
            self.supervisor = Supervisor(root, name)

        def spawn(self, **streams):
            return self.supervisor.spawn(**streams)

    folder.mkdir(parents=True, exist_ok=True)
    source, prefix = Source(), f"test-{secrets.token_hex(4)}"
    configure(root, broker, [source], prefix)
    root.run("vulnbus", "check-config", user="vulnbus")
    root.run("vulnbus", "topics", "--create", user="vulnbus")
    daemons = [Installed(name) for name in DAEMONS]
    tap = Tap(broker.bootstrap, prefix)
    try:
        for daemon in daemons:
            daemon.start()
            daemon.supervisor.told("READY=1")
        signers = [source.stub.signer.token, source.stub.signer.token_of_jwcrypto]
        for number, sign in enumerate(signers, 1):
            answer = post(daemons[0].url(), source, number, sign)
            assert answer == 202, f"the ingress answered {answer}"
            check_record(tap, source, number)
        read = root.run("vulnbus", "tail", "-n", len(signers), "--json", "scans", user="vulnbus")
        assert len(read.splitlines()) == len(signers), read
        for daemon in daemons:
            daemon.supervisor.hang_up(daemon.process)
            daemon.supervisor.told("RELOADING=1")
            daemon.supervisor.told("READY=1")
        for daemon in daemons:
            daemon.stop()
            daemon.supervisor.told("STOPPING=1")
    finally:
        tap.close()
        source.stub.down()
        for daemon in daemons:
            daemon.kill()
            daemon.supervisor.close()
    kept = sorted(path.name for path in (root.path / "var/lib/vulnbus").iterdir())
    assert "spool.db" in kept and any(name.endswith(".keys.pem") for name in kept), kept
    for name in kept:
        mode, *owner = rights(root, f"/var/lib/vulnbus/{name}")
        assert owner == ["vulnbus", "vulnbus"] and mode[5] == mode[8] == "-", (name, mode, owner)
    assert rights(root, "/var/lib/vulnbus")[0] == "drwxr-x---"


def check_booted(release, root, broker, folder):
    """By its own systemd, which a folder to build in does without."""
    from units import check_units
    root.run(*INSTALL, "install", "systemd-sysv", "dbus")
    root.run("apt-get", "clean")
    root.leave()
    check_units(release, root, broker, folder)
    root.enter()


# --- take away ---------------------------------------------------------------

def check_taken_away(root, package):
    """Installing again changes nothing of the operator's; removing leaves it, purging does not."""
    root.mount("--bind", package.parent, at="src")
    config = root.path / "etc/vulnbus/vulnbus.yaml"
    before = config.read_text()
    (root.path / "etc/vulnbus").chmod(0o755)   # an operator's decision
    root.run(*INSTALL, "--reinstall", "install", f"/src/{package.name}")
    assert config.read_text() == before
    assert rights(root, "/etc/vulnbus/vulnbus.yaml") == ["-rw-r-----", "root", "vulnbus"]
    assert stat.S_IMODE((root.path / "etc/vulnbus").stat().st_mode) == 0o755
    root.run("apt-get", "-q", "-y", "remove", "vulnbus")
    left = names(root)
    assert "etc/vulnbus" in left and "var/lib/vulnbus" in left, left
    assert not [path for path in left if path.startswith("usr/") and "sysusers" not in path
                and not path.endswith(".list")], left
    assert config.read_text() == before
    root.run("apt-get", "-q", "-y", "purge", "vulnbus")
    assert names(root) == [], names(root)
    assert "vulnbus:" in (root.path / "etc/passwd").read_text(), "the user stays"


def check(release, broker, again):
    began = time.monotonic()
    package = build(release, again)
    root = install(release, package)
    logs = FOLDER / f"{release}-logs"
    try:
        check_installed(root)
        check_dependencies(release, root)
        say(release, "run")
        check_runs(root, broker, logs)
        root.run("vulnbus", "demo", "--rows", "50", user="nobody:nogroup")
        say(release, "boot")
        check_booted(release, root, broker, logs)
        say(release, "remove and purge")
        check_taken_away(root, package)
    finally:
        root.leave()
    roots.discard(root.path)
    say(release, f"good, {package.name}, {time.monotonic() - began:.0f} s")


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("releases", nargs="*", default=RELEASES)
    releases = options.parse_args().releases or RELEASES
    roots.become_root(__file__)
    import kafka
    FOLDER.mkdir(parents=True, exist_ok=True)
    roots.run("rm", "-rf", FOLDER / "kafka")
    broker = kafka.Broker(FOLDER / "kafka")
    broker.start()
    failures = 0
    try:
        with ThreadPoolExecutor(len(releases)) as pool:
            runs = {release: pool.submit(check, release, broker, release == releases[-1])
                    for release in releases}
        for release, made in runs.items():
            if made.exception() is not None:
                failures += 1
                say(release, "FAILED: " + "".join(traceback.format_exception(made.exception())))
    finally:
        broker.stop()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
