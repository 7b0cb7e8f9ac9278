#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the build makes: hardened, and the same bytes in whatever folder it is made.
`tests/binaries.py BUILD` looks at a release build; readelf must be there (binutils)."""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = ("vulnbus", "vulnbus-enricher", "vulnbus-ingress")
ROOT = Path(__file__).parents[1]


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *map(str, arguments)], check=True, text=True,
                          capture_output=True, env={**os.environ, "LC_ALL": "C"}).stdout


def missing(path):
    """What a program lacks of what it was built for."""
    header, dynamic = readelf("-h", path), readelf("-d", path)
    segments, symbols = readelf("-l", path), readelf("--dyn-syms", path)
    stack = re.search(r"GNU_STACK.* (R[W ]?E?)\s", segments)
    asked = {
        "position-independent": "DYN" in header and "PIE" in dynamic,
        "bound at start": "NOW" in dynamic,
        "read-only relocations": "GNU_RELRO" in segments,
        "a stack that is not executable": stack is not None and "E" not in stack[1],
        "no segment that is writable and executable": not re.search(r"LOAD .* RWE ", segments),
        "no search path of its own": "RPATH" not in dynamic and "RUNPATH" not in dynamic,
        "stack canaries": "__stack_chk_fail" in symbols,
        "fortified calls": re.search(r"__(mem|str|sn?printf|vsn?printf|fd|read)\w*_chk", symbols),
    }
    return [what for what, is_so in asked.items() if not is_so]


def unmarked(build):
    """Objects that do not guard their indirect branches (the C library's start files do not
    either, so a whole program cannot say so)."""
    marks = {"x86_64": "IBT, SHSTK", "aarch64": "BTI"}
    mark = marks.get(platform.machine())
    objects = sorted(build.glob("obj/**/*.o"))
    assert objects
    return [each for each in objects if mark and mark not in readelf("-n", each)]


def digests(build):
    return {name: hashlib.sha256((build / name).read_bytes()).hexdigest() for name in PROGRAMS}


def built_elsewhere():
    """The tracked files, built in another folder."""
    with tempfile.TemporaryDirectory(prefix="another-folder-") as folder:
        there = Path(folder) / "a" / "longer" / "path"
        files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                               cwd=ROOT, check=True, capture_output=True).stdout.split(b"\0")
        for name in filter(None, map(os.fsdecode, files)):
            if (ROOT / name).is_file():
                (there / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, there / name)
        subprocess.run(["make", "-s", f"-j{os.cpu_count()}", "all"], cwd=there, check=True,
                       stdout=subprocess.DEVNULL,
                       env={name: value for name, value in os.environ.items()
                            if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")})
        return digests(there / "build")


def self_test(build):
    """A program that lacks all of it is found out."""
    with tempfile.TemporaryDirectory() as folder:
        soft = Path(folder) / "soft"
        subprocess.run(["gcc", "-x", "c", "-O0", "-no-pie", "-fno-stack-protector", "-z", "execstack",
                        "-z", "norelro", "-z", "lazy", "-Wl,-rpath,/x", "-o", soft, "-"], text=True,
                       input="int main(void) { return 0; }", check=True, capture_output=True)
        assert len(missing(soft)) == 7, missing(soft)


def main():
    build = Path(sys.argv[1])
    self_test(build)
    faults = [f"{name}: lacks {what}" for name in PROGRAMS for what in missing(build / name)]
    faults += [f"{each}: indirect branches are not guarded" for each in unmarked(build)]
    here, there = digests(build), built_elsewhere()
    faults += [f"{name}: other bytes when built in another folder" for name in PROGRAMS
               if here[name] != there[name]]
    for fault in faults:
        print(fault)
    if not faults:
        print("hardened, and the same bytes in another folder: " + ", ".join(
            f"{name} {digest[:12]}" for name, digest in here.items()))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
