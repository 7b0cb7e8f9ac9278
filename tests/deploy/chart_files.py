# SPDX-License-Identifier: Apache-2.0
"""What in the chart is made from something else: the part of values.schema.json that describes vulnbus.yaml, from
`vulnbus config-reference`; the table in the chart's README, from the comments in values.yaml; and copies of files that
a chart must hold itself. `chart_files.py` writes them, `chart_files.py --check` says what is out of date."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("VULNBUS_BUILD", "build")).resolve()
CHART = ROOT / "deploy/helm/vulnbus"
COPIES = {"files/alerts.yaml": "deploy/prometheus/alerts.yaml", "files/vulnbus.json": "deploy/grafana/vulnbus.json"}
# What the chart settles itself, from values of its own.
SETTLED = ["ingress.listen", "ingress.admin", "ingress.state_dir", "ingress.drain_within", "ingress.spool",
           "ingress.tls", "enricher.admin", "enricher.instance_id", "enricher.drain_within"]
REFERENCE = {"type": "string", "pattern": r"\$\{(file|env):[^}]+\}",
             "description": "a secret never stands in values: ${file:...} or ${env:...}"}
NUMBER = {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": r"^(-?[0-9]+|.*\$\{.*)$"}]}
DURATION = {"type": "string", "pattern": r"^([0-9]+(ms|s|m|h|d)|.*\$\{.*)$"}
SIZE = {"type": "string", "pattern": r"^([0-9]+(B|[KMG]i?B)|.*\$\{.*)$"}
SECRET_PROPERTY = "(password|secret|oauthbearer.config|key.pem)"


def keys():
    """(name, type) of every key, as the reference has them."""
    text = subprocess.run([BUILD / "vulnbus", "config-reference"], check=True, capture_output=True, text=True).stdout
    found = re.findall(r"^\| `([\w.\[\]]+)` \| ([^|]+?) \|", text, re.M)
    assert len(found) > 50, text[:500]
    return found


def schema_of(name, kind):
    """The JSON Schema of one key."""
    if name == "kafka.properties":
        return {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]},
                "patternProperties": {SECRET_PROPERTY: REFERENCE}}
    if kind.startswith("one of "):
        words = kind.removeprefix("one of ").split(", ")
        # `off` without quotes is false to Helm; the template makes it a word again.
        return {"enum": words + [False] if "off" in words else words}
    if kind == "true or false":
        return {"type": "boolean"}
    if kind == "secret":
        return REFERENCE
    if kind == "list":
        return {"type": "array", "items": {"type": "string"}}
    if kind == "mapping":
        return {"type": "object"}
    if kind in ("text", "URL", "host:port"):
        return {"type": "string", "minLength": 1}
    head = kind.split(",")[0]
    return DURATION if head == "duration" else SIZE if head == "size" else NUMBER


def place(tree, path, leaf):
    *way, last = path
    for step in way:
        tree = tree["properties"].setdefault(
            step, {"type": "object", "additionalProperties": False, "properties": {}})
    tree["properties"][last] = leaf


def described():
    """The schemas of `config` and of one source."""
    config = {"type": "object", "additionalProperties": False, "properties": {}}
    source = {"type": "object", "additionalProperties": False, "properties": {},
              "required": ["name", "vendor", "hook"]}
    for name, kind in keys():
        if any(name == own or name.startswith(own + ".") for own in SETTLED):
            continue
        if name.startswith("sources[]."):
            place(source, name.removeprefix("sources[].").split("."), schema_of(name, kind))
        else:
            place(config, name.split("."), schema_of(name, kind))
    source["properties"]["hook"]["required"] = ["secret"]
    source["properties"]["name"]["pattern"] = "^[a-z0-9-]+$"
    config["required"] = ["kafka", "topics", "ingress", "enricher"]
    config["properties"]["kafka"]["required"] = ["bootstrap_servers"]
    return config, source


def schema_text():
    path = CHART / "values.schema.json"
    schema = json.loads(path.read_text())
    schema["properties"]["config"], schema["$defs"]["source"] = described()
    return path, json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def rows():
    """(name, default, meaning) of each documented value, read line by line: YAML readers drop comments."""
    above, meaning = [], None
    lines = (CHART / "values.yaml").read_text().splitlines()
    for index, line in enumerate(lines):
        if comment := re.match(r" *# -- ?(.*)", line):
            meaning = comment[1]
            continue
        if not (found := re.match(r"( *)([\w.-]+):(?: (.*))?$", line)):
            continue
        depth = len(found[1]) // 2
        above = above[:depth] + [found[2]]
        if meaning is None:
            continue
        default = found[3]
        if default is None:   # a block: all that is deeper
            block = []
            for below in lines[index + 1:]:
                if not below.startswith(found[1] + "  "):
                    break
                block.append(below.strip())
            default = "{" + ", ".join(block) + "}"
        yield ".".join(above), default, meaning
        meaning = None


def readme_text():
    path = CHART / "README.md"
    table = "\n".join(["| value | default | meaning |", "|---|---|---|",
                       *(f"| `{name}` | `{default}` | {meaning} |" for name, default, meaning in rows())])
    text = re.sub(r"(<!-- values -->\n).*?(<!-- end -->)", lambda m: m[1] + table + "\n" + m[2], path.read_text(), flags=re.S)
    assert table in text, f"{path} has no place for the table"
    return path, text


def wanted():
    """(path, text) of all that is made."""
    yield schema_text()
    yield readme_text()
    for copy, original in COPIES.items():
        if (ROOT / original).exists():
            yield CHART / copy, (ROOT / original).read_text()


def stale():
    return [str(path.relative_to(ROOT)) for path, text in wanted() if not path.exists() or path.read_text() != text]


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if late := stale():
            sys.exit(f"out of date (make chart-files): {', '.join(late)}")
    else:
        for path, text in wanted():
            path.write_text(text)
