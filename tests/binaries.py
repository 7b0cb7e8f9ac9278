#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How the build hardens what it makes, after OpenSSF's "Compiler Options Hardening Guide for C and
C++". `tests/binaries.py BUILD` looks at a release build by gcc; readelf must be there (binutils)."""

import ctypes
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = ("vulnbus", "vulnbus-enricher", "vulnbus-ingress")
ROOT = Path(__file__).parents[1]

# What gcc writes down of each file that it compiles, and since when it knows it.
RECORDED = {
    "-O2": 0, "-fstack-protector-strong": 0, "-fstack-clash-protection": 0, "-fPIE": 0,
    "-fno-delete-null-pointer-checks": 0, "-fno-strict-overflow": 0, "-fno-strict-aliasing": 0,
    "-fexceptions": 0, "-ftrivial-auto-var-init=zero": 12, "-fstrict-flex-arrays=3": 13,
    "-fzero-init-padding-bits=all": 15,
    **{"x86_64": {"-fcf-protection=full": 8}, "aarch64": {"-mbranch-protection=standard": 9}}
    .get(platform.machine(), {}),
}
# What leaves no trace of its own: of these the command must do.
COMMANDED = {
    "-Wall": 0, "-Wextra": 0, "-Wformat=2": 0, "-Wconversion": 0, "-Wsign-conversion": 0,
    "-Wimplicit-fallthrough": 0, "-Wtrampolines": 0, "-Wbidi-chars=any": 12,
    "-Werror=format-security": 0, "-Werror=implicit": 0, "-Werror=incompatible-pointer-types": 0,
    "-Werror=int-conversion": 0,
}


def said(*command, **more):
    return subprocess.run(list(map(str, command)), check=True, text=True, capture_output=True,
                          env={**os.environ, "LC_ALL": "C", **more}).stdout


def readelf(*arguments):
    return said("readelf", "-W", *arguments)


def opens(path):
    """Whether it can be loaded as a library: what -z nodlopen is about, which is not for programs."""
    try:
        ctypes.CDLL(str(path.resolve()))
        return True
    except OSError as error:
        return "cannot dynamically load" not in str(error)


def missing(path):
    """What a program lacks of what it was linked for."""
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
        "no dlopen of it": not opens(path),
        "no library that it does not use": subprocess.run(["ldd", "-u", path],
                                                          capture_output=True).returncode == 0,
    }
    return [what for what, is_so in asked.items() if not is_so]


def compiled(path):
    """Of each file that was compiled into it: the version of gcc, and the options."""
    entries = readelf("--debug-dump=info", "--dwarf-depth=1", path)
    producers = re.findall(r"DW_AT_producer .*?: (GNU C\d+ .*)", entries)
    return [(int(words[2].split(".")[0]), words[3:]) for words in map(str.split, producers)]


def forgone(path):
    """Options that gcc knew and was not given, for some file of the program."""
    units = compiled(path)
    named = re.findall(r"DW_AT_name ", readelf("--debug-dump=info", "--dwarf-depth=1", path))
    if not units or len(units) != len(named):
        return [f"gcc's word on {len(named) - len(units)} of {len(named)} files"]
    return sorted({option for version, options in units for option, since in RECORDED.items()
                   if version >= since and option not in options})


def uncommanded(build):
    """The same of the command, also where CPPFLAGS ask for less, as Debian's packaging does."""
    commands = said("make", "-nB", f"{build}/obj/bridge/core/view.o", MAKEFLAGS="",
                    CPPFLAGS="-D_FORTIFY_SOURCE=2")
    words = shlex.split(next(line for line in commands.splitlines() if " -c -o " in line))
    version = compiled(build / PROGRAMS[0])[0][0]
    faults = [option for option, since in COMMANDED.items() if version >= since and option not in words]
    fortify = [word for word in words if "_FORTIFY_SOURCE" in word]
    return faults + (["_FORTIFY_SOURCE=3"] if fortify[-1] != "-D_FORTIFY_SOURCE=3" else [])


def unmarked(build):
    """Objects that do not guard their indirect branches (the C library's start files do not
    either, so a whole program cannot say so)."""
    marks = {"x86_64": "IBT, SHSTK", "aarch64": "BTI"}
    mark = marks.get(platform.machine())
    objects = sorted(build.glob("obj/**/*.o"))
    assert objects
    return [each for each in objects if mark and mark not in readelf("-n", each)]


def self_test():
    """A program that lacks all of it is found out."""
    with tempfile.TemporaryDirectory() as folder:
        soft = Path(folder) / "soft"
        subprocess.run(["gcc", "-x", "c", "-g", "-O0", "-no-pie", "-fno-pie", "-fno-stack-protector",
                        "-fno-stack-clash-protection", "-fcf-protection=none", "-z", "execstack", "-z", "norelro",
                        "-z", "lazy", "-Wl,-rpath,/x", "-Wl,--no-as-needed", "-lm", "-o", soft, "-"],
                       text=True, input="int main(void) { return 0; }", check=True, capture_output=True)
        assert len(missing(soft)) == 8, missing(soft)
        version = compiled(soft)[0][0]
        known = sorted(option for option, since in RECORDED.items() if version >= since)
        assert forgone(soft) == known, forgone(soft)


def main():
    os.chdir(ROOT)
    build = Path(sys.argv[1])
    self_test()
    faults = [f"{name}: wanted: {what}" for name in PROGRAMS for what in missing(build / name)]
    faults += [f"{name}: compiled without {what}" for name in PROGRAMS for what in forgone(build / name)]
    faults += [f"compiled without {what}" for what in uncommanded(build)]
    faults += [f"{each}: indirect branches are not guarded" for each in unmarked(build)]
    for fault in faults:
        print(fault)
    if not faults:
        version, options = compiled(build / PROGRAMS[0])[0]
        print(f"hardened by gcc {version}:", *(option for option in RECORDED if option in options))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
