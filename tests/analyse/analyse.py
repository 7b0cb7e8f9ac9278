#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What three static analysers say of the programs: `make analyse`.

gcc -fanalyzer, clang-tidy (.clang-tidy) and cppcheck. What they find is in `accepted`, with a
reason, or it is a fault; what is in there and not found any more is one too, as is a file that one of
them cannot read. `--self-test` plants bugs and expects each to be found.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
ACCEPTED = HERE / "accepted"
# Debian 12 and 13 both have these.
GCC, CLANG_TIDY = "gcc-12", "clang-tidy-19"
# What cppcheck says when it leaves a file, or what it was told, aside.
UNREAD = {"unknownMacro", "syntaxError", "internalError", "internalAstError", "cppcheckError",
          "preprocessorErrorDirective", "noValidConfiguration", "noFile", "toomanyconfigs"}
# At gcc's own limit, 5, it gives up in every third file.
DEPTH = 40

LINE = re.compile(r"^(?P<file>[^\s:]+):(?P<line>\d+):\d+: (?:warning|error): (?P<text>.*?)"
                  r"(?: \[CWE-\d+\])? \[(?P<check>[^\]\[]+)\]$", re.MULTILINE)


def run(*command):
    done = subprocess.run(list(map(str, command)), text=True, capture_output=True, cwd=ROOT,
                          env={**os.environ, "LC_ALL": "C"})
    assert done.returncode == 0, f"{command[0]} cannot read it: {done.stderr}{done.stdout}"
    return done.stdout + done.stderr


def model(path):
    """What the model says of error_set would be wrong where it is defined."""
    return [] if path.name == "error.c" else [HERE / "model.h"]


def gcc(path, flags):
    return run(GCC, *flags, *(word for file in model(path) for word in ("-include", file)), "-O2",
               "-fanalyzer", "-Wanalyzer-too-complex", "--param",
               f"analyzer-bb-explosion-factor={DEPTH}", "-fdiagnostics-plain-output", "-c", "-o",
               os.devnull, path)


def clang_tidy(path, flags):
    return run(CLANG_TIDY, "--quiet", f"--config-file={ROOT}/.clang-tidy", path, "--", *flags,
               *(word for file in model(path) for word in ("-include", file)))


def cppcheck(paths, flags):
    """All files at once, since it follows calls from one to another; C17 is C11 for it, and it is
    not shown the libraries' headers."""
    words = [flag for flag in flags if flag == "-D_GNU_SOURCE" or flag == f"-I{ROOT}/include"]
    assert len(words) == 2, flags
    known = f"--library=posix,gnu,libcurl,openssl,sqlite3,{HERE}/jansson.cfg"
    # Debian 13's looks less far than Debian 12's unless it is asked to.
    deep = ["--check-level=exhaustive"] if "--check-level" in run("cppcheck", "--help") else []
    shown = {file for path in paths for file in model(path)}
    return run("cppcheck", "--quiet", "--std=c11", *words, *deep, known, "--error-exitcode=0",
               *(f"--include={file}" for file in shown), "--enable=warning,performance,portability",
               "--template={file}:{line}:0: warning: {message} [{id}]", *paths)


def findings(tool, text):
    """(file, line, tool, check, the line's text, what is said): of headers', only once."""
    found = set()
    for match in LINE.finditer(text):
        path, check, said = Path(match["file"]), match["check"], match["text"]
        path = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        number = int(match["line"])
        if tool == "gcc" and not check.startswith("-Wanalyzer-"):
            continue
        assert tool != "cppcheck" or check not in UNREAD, f"cppcheck cannot read {path}: {said}"
        lines = (ROOT / path).read_text().splitlines()
        line = lines[number - 1].strip() if number else ""
        if check == "-Wanalyzer-too-complex":
            if "bailed out early" not in said:
                continue
            line = "all of it"  # where it stopped says nothing
        found.add((str(path), number, tool, check, line, said))
    return found


def analyse(paths, flags):
    alone = [path for path in paths if not model(path)]
    jobs = [("cppcheck", cppcheck, each) for each in
            (alone, [path for path in paths if path not in alone]) if each]
    jobs += [(tool, ask, path) for path in paths
             for tool, ask in (("clang-tidy", clang_tidy), ("gcc", gcc))]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        said = [(tool, pool.submit(ask, what, flags)) for tool, ask, what in jobs]
        return set().union(*(findings(tool, each.result()) for tool, each in said))


def accepted():
    """How often each: "tool file check", "| the line", the reason; one block a finding."""
    known = Counter()
    text = "\n".join(line for line in ACCEPTED.read_text().splitlines() if not line.startswith("#"))
    for block in filter(None, text.strip().split("\n\n")):
        head, line, *reason = block.strip().splitlines()
        tool, path, check = head.split()
        assert line.startswith("| ") and "".join(reason).strip(), f"no reason: {head}"
        known[path, tool, check, line[2:].strip()] += 1
    return known


INCLUDES = '#include "vulnbus/status.h"\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n'
PLANTED = {
    "gcc": {
        "-Wanalyzer-use-after-free": "char *p = calloc(1, 8); if (!p) return 0; free(p); return *p;",
        "-Wanalyzer-malloc-leak": "char *p = malloc(8); if (!p) return 0; if (n > 3) return 1; free(p); return 0;",
        "-Wanalyzer-null-dereference": "char *p = NULL; if (n > 3) p = calloc(1, 8); return n > 5 ? 0 : *p;",
        "-Wanalyzer-file-leak": "FILE *f = fopen(\"x\", \"r\"); return f ? n : 0;",
    },
    "clang-tidy": {
        "clang-analyzer-core.NullDereference": "char *p = NULL; if (n > 3) p = calloc(1, 8); return n > 5 ? 0 : *p;",
        "clang-analyzer-core.UndefinedBinaryOperatorResult": "int i; if (n > 3) i = 1; return i + n;",
        "bugprone-integer-division": "double d = n / 2; return d > 1.2;",
    },
    "cppcheck": {
        "memleak": "char *p = malloc(8); if (!p) return 0; if (n > 3) return 1; free(p); return 0;",
        "arrayIndexOutOfBounds": "char p[8] = \"\"; for (int i = 0; i <= 8; i++) p[i] = 1; return p[n & 7];",
    },
}
TOOLS = {"gcc": gcc, "clang-tidy": clang_tidy, "cppcheck": lambda path, flags: cppcheck([path], flags)}
# The model is believed: without it p may be NULL where it is read.
SOUND = ("int *p = malloc(8); struct error e; enum status s = p ? STATUS_OK : "
         "error_set(&e, STATUS_NO_MEMORY, \"-\"); if (s == STATUS_OK) { *p = n; n = *p; } "
         "free(p); return n;")


def self_test(flags):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "planted.c"

        def said(tool, body):
            path.write_text(f"{INCLUDES}int f(int n);\nint f(int n) {{ {body} }}\n")
            return {check for _, _, _, check, _, _ in findings(tool, TOOLS[tool](path, flags))}
        for tool, bugs in PLANTED.items():
            for check, body in bugs.items():
                found = said(tool, body)
                assert check in found, f"{tool} does not find {check}, but: {found}"
            assert not said(tool, SOUND), f"{tool} does not know the model: {said(tool, SOUND)}"
            try:
                said(tool, "here is no C(")
            except AssertionError as refused:
                assert "cannot read" in str(refused), refused
            else:
                raise AssertionError(f"{tool} leaves out what it cannot read")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("flags", nargs="+", help="the compiler's, behind --")
    options = parser.parse_args()
    flags = [f"-I{ROOT}/{flag[2:]}" if flag.startswith("-I") and flag[2:3] != "/" else flag
             for flag in options.flags]
    if options.self_test:
        self_test(flags)
        return 0
    paths = sorted((ROOT / "bridge").rglob("*.c"))
    known, faults = accepted(), 0
    count = known.total()
    for path, number, tool, check, line, said in sorted(analyse(paths, flags)):
        if known[path, tool, check, line] > 0:
            known[path, tool, check, line] -= 1
        else:
            faults += 1
            print(f"{path}:{number}: {tool} {check}: {said}\n| {line}")
    for path, tool, check, line in sorted((+known).elements()):
        faults += 1
        print(f"tests/analyse/accepted: {tool} {path} {check} is not found any more\n| {line}")
    if not faults:
        print(f"{len(paths)} files: {count} findings, each with a reason to accept it")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
