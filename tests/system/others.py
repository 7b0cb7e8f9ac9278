# SPDX-License-Identifier: Apache-2.0
"""Programs around other people's libraries of other languages: tests/node, tests/go.

    VULNBUS_NODE  the folder with node_modules (default build/node)
    VULNBUS_GO    the folder with bin/validate, and Go's caches (default build/go)
"""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NODE = (ROOT / os.environ.get("VULNBUS_NODE", "build/node")).resolve()
GO = (ROOT / os.environ.get("VULNBUS_GO", "build/go")).resolve()
GO_ENVIRONMENT = {**os.environ, "GOPATH": str(GO), "GOCACHE": str(GO / "cache"),
                  "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local"}
NODE_ENVIRONMENT = {**os.environ, "NODE_PATH": str(NODE / "node_modules")}


def ask(command, questions=(), environment=None):
    """A line of JSON each way for each question; what it writes on its way down, if it fails."""
    made = subprocess.run([*map(str, command)], input="".join(json.dumps(each) + "\n" for each in questions),
                          capture_output=True, text=True, timeout=110, env=environment)
    assert made.returncode == 0, made.stderr[-4000:] or made.stdout[-4000:]
    return [json.loads(line) for line in made.stdout.splitlines()]


def node(script, *arguments, questions=()):
    return ask(["node", ROOT / "tests/node" / script, *arguments], questions, NODE_ENVIRONMENT)


def go(program, *arguments, questions=()):
    return ask([GO / "bin" / program, *arguments], questions)
