#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tests/tsan/judge.py FOLDER: what ThreadSanitizer reported there, without what
a library does within itself; exit status 1 when anything is left.

TSan's own suppressions cannot say that: `race_top` looks at the innermost
frame, which is TSan's where a library calls memcpy or free, and `race` at all
frames, so that it would hide what our callbacks do.
"""
import re
import sys
from collections import Counter
from pathlib import Path

# Libraries that are not instrumented, and why what both sides of a race do in
# them is none.
OWN = {
    "librdkafka.so": "counts its holders by atomics that TSan does not see: "
                     "the last one frees, and destroys the locks, in peace",
}
ACCESS = re.compile(r"^  (?:Previous )?(?:atomic )?(?:write|read) of size .*?:\n((?:    #.*\n)+)",
                    re.IGNORECASE | re.MULTILINE)
FRAME = re.compile(r"^    #\d+ .*$", re.MULTILINE)


def library(stack):
    """Of OWN, whose code is innermost, TSan's own aside."""
    for frame in FRAME.findall(stack):
        if "(libtsan.so" in frame:
            continue
        return next((name for name in OWN if f"({name}" in frame), None)
    return None


def is_own(report):
    stacks = ACCESS.findall(report)
    sides = [library(stack) for stack in stacks]
    if len(sides) != 2:
        return False
    # What we read until we let go of it, and the library then frees. Had we
    # gone on reading, AddressSanitizer would see it.
    frees = any(side is not None and "#0 free " in stack
                for side, stack in zip(sides, stacks))
    return frees or sides[0] is not None and sides[0] == sides[1]


def main():
    left, own = Counter(), 0
    for path in sorted(Path(sys.argv[1]).iterdir()):
        for report in path.read_text(errors="replace").split("=" * 18 + "\n"):
            if "WARNING: ThreadSanitizer" not in report:
                continue
            if is_own(report):
                own += 1
                continue
            summary = re.search(r"^SUMMARY: (.*)", report, re.MULTILINE)
            place = re.sub(r"\+?0x[0-9a-f]+", "", summary[1] if summary else path.name)
            if not left[place]:
                print(report)
            left[place] += 1
    for place, count in left.most_common():
        print(f"{count} times: {place}")
    print(f"{left.total()} reports, and {own} of libraries within themselves")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
