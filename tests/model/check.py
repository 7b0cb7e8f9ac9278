#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks takeover.pml with Debian's spin: `make model`.

The model as it is must hold, within each set of bounds; each mutation leaves one rule
out, and must be found out. Exit status 1 if anything is otherwise than expected.
"""
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MODEL = HERE / "takeover.pml"
BUILD = ROOT / "build" / "model"

MEMORY_MB = 900
DEPTH = 200_000
SECONDS = 300
WORKERS = 2

ONCE = "at most once"
ALL = "at least once, with fairness"

BOUNDS = ("IDS", "CRASHES", "EVICTIONS", "TIMEOUTS", "REFUSALS")

# What is checked, and how often each bad thing may happen meanwhile.
HOLDS = [
    (ALL, (1, 1, 1, 0, 0)),
    (ONCE, (1, 1, 1, 0, 0)),
    (ONCE, (2, 0, 1, 0, 0)),
    (ONCE, (1, 0, 2, 0, 0)),
    (ONCE, (1, 0, 1, 1, 1)),
    (ALL, (1, 0, 0, 1, 1)),
]

# The rule that is left out, and what is expected to find that.
MUTATIONS = [
    ("NO_STABLE_WAIT", ONCE, (1, 0, 1, 0, 0)),
    ("NO_HIGH_WATERMARK", ONCE, (1, 0, 1, 0, 0)),
    ("NO_GROUP_METADATA", ONCE, (1, 0, 1, 0, 0)),
    ("NO_REVOKE", ONCE, (1, 0, 1, 0, 0)),
    ("NO_STATE", ONCE, (1, 1, 0, 0, 0)),
    ("OUTPUT_OUTSIDE", ONCE, (1, 1, 0, 0, 0)),
    ("OFFSETS_OUTSIDE", ALL, (1, 1, 0, 0, 0)),
    ("FORGETS_GENERATION", ONCE, (1, 0, 2, 0, 0)),
]

DUPLICATE = "assertion violated (outputs["
LOST = "acceptance cycle"


def functions_named(text):
    """The names in "bridge:" comments, each with its line."""
    for number, line in enumerate(text.splitlines(), 1):
        named = re.search(r"[/ ]\* bridge: (.*?)(?:\*/)?$", line)
        for name in named.group(1).split() if named else ():
            yield name, number


def functions_missing(model_text, sources):
    """Those of them that no file of bridge/ defines."""
    defined = set(re.findall(r"^([a-z_0-9]+)\(", sources, re.MULTILINE))
    named = list(functions_named(model_text))
    if not named:
        return ["no function is named"]
    return [f"{MODEL.name}:{line}: bridge/ has no function {name}"
            for name, line in named if name not in defined]


def run(command, folder):
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=SECONDS, check=False)
    return done.returncode, done.stdout


def verdict(output):
    """What the checker found: "holds", what it violates, or why it does not know."""
    for words in ("max search depth too small", "out of memory", "memory limit",
                  "bytes limit", "truncated", "hash-table too small"):
        if words in output:
            return "the search was cut short: " + words
    for line in output.splitlines():
        if DUPLICATE in line:
            return "a duplicate"
        if re.match(rf"pan:\d+: {LOST}", line):
            return "an event that never ends"
        if re.match(r"pan:\d+: ", line):
            return line
    if re.search(r"errors: 0$", output, re.MULTILINE):
        return "holds"
    return "no verdict: " + output[-500:]


def check(what, bounds, mutation=None):
    """One search. Returns the verdict, the states, and the seconds it took."""
    name = "-".join([mutation or "model", what.split()[1],
                     "".join(str(bound) for bound in bounds)])
    folder = BUILD / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    begun = time.monotonic()
    defines = [f"-D{key}={value}" for key, value in zip(BOUNDS, bounds)]
    if mutation:
        defines.append(f"-D{mutation}")
    is_once = what == ONCE
    steps = [
        ["spin", *defines, "-a", str(MODEL)],
        ["gcc", "-w", "-O2", "-DNOREDUCE", f"-DMEMLIM={MEMORY_MB}",
         *(["-DSAFETY", "-DNOCLAIM"] if is_once else ["-DNFAIR=4"]), "-o", "pan", "pan.c"],
        ["./pan", f"-m{DEPTH}", "-w22", *([] if is_once else ["-a", "-f"])],
    ]
    for step in steps:
        code, output = run(step, folder)
        if code != 0 and step[0] != "./pan":
            return f"{step[0]}: {output}", 0, time.monotonic() - begun
    (folder / "output").write_text(output)
    states = re.search(r"^\s*(\S+) states, stored", output, re.MULTILINE)
    return (verdict(output), int(float(states.group(1))) if states else 0,
            time.monotonic() - begun)


def main():
    if shutil.which("spin") is None:
        sys.exit("spin is not installed: make test-deps")
    sources = "\n".join(path.read_text() for path in sorted(ROOT.glob("bridge/**/*.c")))
    missing = functions_missing(MODEL.read_text(), sources)
    print(*missing, sep="\n", end="\n" if missing else "")
    searches = [(None, what, bounds, "holds") for what, bounds in HOLDS]
    searches += [(mutation, what, bounds, "a duplicate" if what == ONCE else
                  "an event that never ends") for mutation, what, bounds in MUTATIONS]
    is_good = not missing
    begun = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        results = pool.map(lambda s: check(s[1], s[2], s[0]), searches)
        for (mutation, what, bounds, expected), (found, states, seconds) in zip(
                searches, results):
            is_as_expected = found == expected
            is_good = is_good and is_as_expected
            times = ", ".join(f"{key.lower()} {count}" for key, count in zip(BOUNDS, bounds)
                              if count)
            print(f"{'ok  ' if is_as_expected else 'FAIL'} {mutation or what}: {found}"
                  f" ({times}; {states} states, {seconds:.1f} s)"
                  + ("" if is_as_expected else f", expected: {expected}"), flush=True)
    print(f"{time.monotonic() - begun:.0f} s in all")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
