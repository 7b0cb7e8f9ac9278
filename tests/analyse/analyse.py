#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What three static analysers say of the programs: `make analyse`.

gcc -fanalyzer (12, which every Debian from 12 on has), clang-tidy (.clang-tidy), cppcheck. What
they find is in `accepted`, with a reason, or it is a fault; what is in there and not found any more
is one too. `--self-test` plants bugs and expects each to be found.
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
ACCEPTED = Path(__file__).parent / "accepted"
PACKAGES = "rdkafka libmicrohttpd gnutls jansson libcurl libcrypto yaml-0.1 libssl sqlite3".split()
C = {**os.environ, "LC_ALL": "C"}
CPPCHECK = "2.10"  # whose findings `accepted` holds: another one may have fewer

# A finding is known by its line's text: lines move.
LINE = re.compile(r"^(?P<file>[^\s:]+):(?P<line>\d+):\d+: (?:warning|error): (?P<text>.*) "
                  r"\[(?P<check>[^\]\[]+)\]$", re.MULTILINE)


def flags():
    found = subprocess.run(["pkg-config", "--cflags", *PACKAGES], check=True, text=True,
                           capture_output=True).stdout.split()
    return ["-std=c17", "-pthread", "-D_GNU_SOURCE", f"-I{ROOT}/include", *found]


def run(*command):
    return subprocess.run(list(map(str, command)), text=True, capture_output=True, env=C, cwd=ROOT)


def gcc(path):
    done = run("gcc-12", *flags(), "-O2", "-fanalyzer", "-fdiagnostics-plain-output", "-c",
               "-o", os.devnull, path)
    assert done.returncode == 0, done.stderr
    return done.stderr


def clang_tidy(path, program):
    done = run(program, "--quiet", f"--config-file={ROOT}/.clang-tidy", path, "--", *flags())
    assert "clang-diagnostic-error" not in done.stdout, done.stdout
    return done.stdout


def cppcheck(paths):
    done = run("cppcheck", "--quiet", "--std=c11", "-D_GNU_SOURCE", f"-I{ROOT}/include",
               "--enable=warning,performance,portability", "--error-exitcode=0",
               f"-j{os.cpu_count()}", "--template={file}:{line}:0: warning: {message} [{id}]", *paths)
    assert done.returncode == 0, done.stderr
    return done.stderr


def findings(tool, text):
    """(tool, file, check, the line's text) of each, headers' only once."""
    found = set()
    for match in LINE.finditer(text):
        path = Path(match["file"])
        path = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        check = re.sub(r"^CWE-\d+\] \[", "", match["check"])
        if tool == "gcc" and not check.startswith("-Wanalyzer-"):
            continue
        number = int(match["line"])
        lines = (ROOT / path).read_text().splitlines()
        found.add((number, tool, str(path), check, lines[number - 1].strip(), match["text"]))
    return found


def analyse(paths, program):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        with_gcc = [pool.submit(gcc, path) for path in paths]
        with_clang = [pool.submit(clang_tidy, path, program) for path in paths]
        found = findings("cppcheck", cppcheck(paths))
        for each in with_gcc:
            found |= findings("gcc", each.result())
        for each in with_clang:
            found |= findings("clang-tidy", each.result())
    return found


def accepted():
    """Blocks: "tool file check", "| the line", the reason."""
    known = Counter()
    text = "\n".join(line for line in ACCEPTED.read_text().splitlines() if not line.startswith("#"))
    for block in filter(None, text.strip().split("\n\n")):
        head, line, *reason = block.strip().splitlines()
        tool, path, check = head.split()
        assert line.startswith("| ") and "".join(reason).strip(), f"no reason: {head}"
        known[tool, path, check, line[2:].strip()] += 1
    return known


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


def self_test(program):
    tools = {"gcc": gcc, "clang-tidy": lambda path: clang_tidy(path, program),
             "cppcheck": lambda path: cppcheck([path])}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "planted.c"
        for tool, bugs in PLANTED.items():
            for check, body in bugs.items():
                path.write_text("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
                                f"int f(int n);\nint f(int n) {{ {body} }}\n")
                said = tools[tool](path)
                assert f"[{check}]" in said, f"{tool} does not find {check}, but: {said}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clang-tidy", default="clang-tidy")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        self_test(options.clang_tidy)
        return 0
    paths = sorted((ROOT / "bridge").rglob("*.c"))
    known, faults = accepted(), 0
    for number, tool, path, check, line, text in sorted(analyse(paths, options.clang_tidy)):
        if known[tool, path, check, line] > 0:
            known[tool, path, check, line] -= 1
            continue
        faults += 1
        print(f"{path}:{number}: {tool} {check}: {text}\n| {line}")
    is_same = run("cppcheck", "--version").stdout.split()[-1] == CPPCHECK
    for (tool, path, check, line), count in known.items():
        if count > 0 and (tool != "cppcheck" or is_same):
            faults += 1
            print(f"tests/analyse/accepted: {tool} {path} {check} is not found any more\n| {line}")
    if not faults:
        print(f"{len(paths)} files: {len(accepted())} findings, each with a reason to accept it")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
