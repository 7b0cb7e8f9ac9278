#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A release as `make dist` makes it: the same bytes whoever makes it, and built from the tarball
by somebody else, elsewhere, without git, the same programs. `tests/dist.py BUILD/dist`."""

import hashlib
import json
import os
import stat
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ("vulnbus", "vulnbus-enricher", "vulnbus-ingress")
MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")
# git's own means to be configured by the environment.
GIT = {"GIT_CONFIG_COUNT": "3", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
       "GIT_CONFIG_KEY_1": "tar.umask", "GIT_CONFIG_VALUE_1": "0077",
       "GIT_CONFIG_KEY_2": "core.autocrlf", "GIT_CONFIG_VALUE_2": "true"}


def run(*command, **more):
    done = subprocess.run(list(map(str, command)), text=True, capture_output=True, **more)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout.strip()


def somebody(home, **more):
    """The environment of another person in another country."""
    mine = {name: value for name, value in os.environ.items() if name not in MAKE}
    return mine | GIT | {"HOME": str(home), "USER": "somebody", "LOGNAME": "somebody", "LANG": "C.UTF-8",
                         "LC_ALL": "C.UTF-8", "TZ": "Pacific/Kiritimati", "TMPDIR": str(home)} | more


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree(folder, rights=0o7777):
    """Every path below it: its rights, as far as they count, and what it says."""
    return {str(path.relative_to(folder)): (oct(path.lstat().st_mode & rights),
                                            digest(path) if path.is_file() else None)
            for path in sorted(folder.rglob("*"))}


def few(faults):
    return faults[:5] + ([f"and {len(faults) - 5} more of these"] if len(faults) > 5 else [])


def differing(what, here, there):
    return few([f"{what}: {name}: {here.get(name, 'not here')}, elsewhere {there.get(name, 'not there')}"
                for name in sorted({*here, *there}) if here.get(name) != there.get(name)])


def made(build):
    """What the build makes for others."""
    return {**{name: digest(build / name) for name in (*PROGRAMS, "libvulnbus.a")},
            "order of libvulnbus.a": run("ar", "t", build / "libvulnbus.a"),
            **{path.name: digest(path) for path in (build / "man").iterdir()}}


def parts(build):
    """What the list says of the programs and of what they are made of, whatever they are called."""
    path, = build.glob("vulnbus-*.cdx.json")
    bill = json.loads(path.read_text())
    return {"time": bill["metadata"]["timestamp"],
            **{each["name"]: each for each in bill["metadata"]["component"]["components"] + bill["components"]}}


def check_tarball(path):
    """The tree of the commit, of its time, root's and for everybody to read."""
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        comment = archive.pax_headers.get("comment")
    name = path.name.removesuffix(".tar.gz")
    time = int(run("git", "log", "-1", "--format=%ct", cwd=ROOT))
    head = run("git", "rev-parse", "HEAD", cwd=ROOT)
    faults = few([f"{path.name}: {each.name}: {each.uid} {each.gid} {each.mode:o} {each.mtime}" for each in members
                  if (each.uid, each.gid, each.mtime) != (0, 0, time) or each.mode not in (0o644, 0o755)
                  or each.name.split("/")[0] != name])
    listed = run("git", "ls-files", "-coz", "--exclude-standard", cwd=ROOT).split("\0")
    files = {f"{name}/{each}": (ROOT / each).stat().st_mode & stat.S_IXUSR
             for each in listed if (ROOT / each).is_file()}
    if files != {each.name: each.mode & stat.S_IXUSR for each in members if each.isfile()}:
        faults.append(f"{path.name}: not the files that are here")
    clean = run("git", "status", "--porcelain", cwd=ROOT) == ""
    if clean != (comment == head) or clean == name.endswith("+dirty"):
        faults.append(f"{path.name}: of {comment}, and the last commit is {head}")
    return faults


def check_again(dist, home):
    """Made once more, by somebody else."""
    before = tree(dist)
    run("make", "-s", "dist", cwd=ROOT, umask=0o077, env=somebody(home))
    return differing("made again", before, tree(dist))


def check_elsewhere(build, tarball, scratch):
    """Unpacked, built, installed and packaged by somebody whose git would lie."""
    liar = scratch / "bin/git"
    liar.parent.mkdir()
    liar.write_text("#!/bin/sh\necho 1000000000\n")
    liar.chmod(0o755)
    there = scratch / "a/much/longer/path/than-that-of-the-clone"
    there.mkdir(parents=True)
    env = somebody(scratch, PATH=f"{liar.parent}:{os.environ['PATH']}")
    run("tar", "-xzf", tarball, "--strip-components=1", cwd=there, umask=0o027, env=env)
    # One make more than there are processors: another order.
    run("make", "-s", f"-j{os.cpu_count() + 1}", "install", "sbom", f"DESTDIR={scratch}/installed-there",
        cwd=there, umask=0o027, env=env)
    run("make", "-s", "install", f"DESTDIR={scratch}/installed-here", cwd=ROOT)
    run("deploy/debian/assemble", scratch / "package-there", cwd=there, umask=0o027, env=env)
    run("deploy/debian/assemble", scratch / "package-here", cwd=ROOT)
    refused = subprocess.run(["make", "-s", "dist"], cwd=there, env=env, text=True, capture_output=True)
    return [*differing("built", made(build), made(there / "build")),
            *differing("listed", parts(build), parts(there / "build")),
            *differing("installed", tree(scratch / "installed-here"), tree(scratch / "installed-there")),
            *differing("packaged", *(tree(scratch / f"package-{each}", stat.S_IXUSR) for each in ("here", "there"))),
            *([] if refused.returncode and "git clone" in refused.stderr else ["a release of no clone was not refused"])]


def main():
    dist = Path(sys.argv[1]).resolve()
    build = dist.parent
    tarball, = dist.glob("vulnbus-*.tar.gz")
    run("sha256sum", "--strict", "-c", "SHA256SUMS", cwd=dist)
    names = {path.name for path in dist.iterdir()}
    assert names == {tarball.name, tarball.name.replace(".tar.gz", ".cdx.json"), "SHA256SUMS"}, names
    with tempfile.TemporaryDirectory(prefix="dist-") as scratch:
        scratch = Path(scratch)
        faults = check_tarball(tarball) + check_again(dist, scratch) + check_elsewhere(build, tarball, scratch)
    for fault in faults:
        print(fault)
    if not faults:
        print(f"{tarball.name}: the same programs, library, manuals and package, built elsewhere:",
              *(f"{name} {digest(build / name)[:12]}" for name in PROGRAMS))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
