# SPDX-License-Identifier: Apache-2.0
"""The chart as Helm renders it."""

import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build/deploy"
CHART = ROOT / "deploy/helm/vulnbus"
VALUES = sorted((ROOT / "deploy/helm/ci").glob("*.yaml"))
HELMS = {version: TOOLS / f"helm{version}/helm/helm" for version in (3, 4)}


def merge(base, more):
    """A copy of `base` with `more` put over it, mapping by mapping."""
    made = dict(base)
    for key, value in more.items():
        made[key] = merge(made[key], value) if isinstance(value, dict) and isinstance(made.get(key), dict) else value
    return made


def helm(*words, version=4):
    return subprocess.run([HELMS[version], *map(str, words)], capture_output=True, text=True, timeout=60)


def render(*files, release="r", version=4, chart=CHART):
    done = helm("template", release, chart, "--namespace", "hooks", *(word for path in files for word in ("-f", path)),
                version=version)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(text):
    return [each for each in yaml.safe_load_all(text) if each]
