# SPDX-License-Identifier: Apache-2.0
"""The examples of schemas/: what the programs make of documented/<vendor>.json, and where it stands.

A vendor's file holds its webhooks and what its API says; the records it names are examples. What
differs from run to run is replaced here, and nothing else:

    received_ms, fetched_ms, failed_ms   870, 1120 and 2010 ms after `at`
    logged_time, processed_time          the same of a projection
    occurred_ms, ce_time                 `at`, where the vendor's time is that of its signature: now
    time, original_time                  the same of a projection
    ce_source, url_string                `base_url`, in place of the simulated vendor's
    traceparent                          that of the W3C's document
    the prefix of topics                 vulnbus
    vulnbus-origin-offset                17
"""

import json
import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from kafka import ROOT
from reader import RECORDS, milliseconds

DOCUMENTED = sorted((Path(__file__).parent / "documented").glob("*.json"))
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HOP = TRACE.replace("00f067aa0ba902b7", "b7ad6b7169203331")   # the enricher's
LATER_MS = {"received_ms": 870, "fetched_ms": 1120, "failed_ms": 2010}
TOPIC_OF = {**{record: short for short, record in RECORDS.items()}, "target-deleted": "targets"}


@dataclass
class Example:
    topic: str
    key: str
    headers: dict
    value: dict | None

    @property
    def name(self):
        value = self.value or {"kind": "target.deleted"}
        kind = value["metadata"]["event_code"] if "metadata" in value else value["kind"]
        return f"{self.headers['ce_subject']}, {kind}"


@dataclass
class Gathered:
    """Examples by the names of records, and attributes by vendors."""

    records: dict = field(default_factory=dict)
    attributes: dict = field(default_factory=dict)

    def add(self, name, example):
        self.records.setdefault(name, []).append(example)


def settle_projection(value, record, said, signed_ms):
    metadata, at_ms = value["metadata"], milliseconds(said["at"])
    assert metadata["product"]["url_string"] == record.headers["ce_source"]
    metadata["product"]["url_string"] = said["source"]["base_url"]
    metadata["logged_time"] = at_ms + LATER_MS["received_ms"]
    metadata["processed_time"] = at_ms + LATER_MS["fetched_ms"]
    assert metadata["original_time"] == record.headers["ce_time"]
    if signed_ms is not None:
        assert value["time"] == signed_ms
        value["time"], metadata["original_time"] = at_ms, said["at"]


def trace_of(headers):
    """No vendor here sends one, so it begins in the ingress: its hop is the origin of all others."""
    hop, origin = (headers[name].split("-") for name in ("traceparent", "ce_traceparent"))
    assert hop[1] == origin[1]
    return {"traceparent": TRACE if hop == origin else HOP, "ce_traceparent": TRACE}


def settled(record, prefix, said, signed_ms=None):
    """A record without what only this run knows; signed_ms is the time of its signature."""
    at_ms = milliseconds(said["at"])
    headers = {**record.headers, "ce_source": said["source"]["base_url"], **trace_of(record.headers)}
    if signed_ms is not None:
        assert milliseconds(headers["ce_time"]) == signed_ms
        assert re.sub(r"\d", "0", headers["ce_time"]) == re.sub(r"\d", "0", said["at"])
        headers["ce_time"] = said["at"]
    if "vulnbus-origin-topic" in headers:
        headers["vulnbus-origin-topic"] = headers["vulnbus-origin-topic"].replace(prefix, "vulnbus")
        assert headers["vulnbus-origin-offset"].isdigit()
        headers["vulnbus-origin-offset"] = "17"
    value = record.value and json.loads(json.dumps(record.value))
    for event in filter(None, (value, (value or {}).get("event"))):
        for name in event.keys() & LATER_MS:
            event[name] = at_ms + LATER_MS[name]
        if signed_ms is not None and "occurred_ms" in event:
            assert event["occurred_ms"] == signed_ms
            event["occurred_ms"] = at_ms
    if "metadata" in (value or {}):
        settle_projection(value, record, said, signed_ms)
    return Example(record.topic.replace(prefix, "vulnbus"), record.key, headers, value)


# --- where they stand ---

def schema_files(root):
    """By name of the record, or "vendors/<vendor>"."""
    folder = root / "schemas"
    paths = [*folder.glob("*.json"), *folder.glob("vendors/*.json")]
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(paths)}


def schema_text(text, examples):
    document = json.loads(text)
    document.pop("examples", None)
    return json.dumps({**document, "examples": examples}, indent=2, ensure_ascii=False) + "\n"


def flow(document, indent):
    """A member a line; YAML reads JSON."""
    if document is None:
        return " null"
    lines = [json.dumps(name) + ": " + json.dumps(said, ensure_ascii=False)
             for name, said in document.items()]
    return "\n" + indent + "{" + (",\n" + indent + " ").join(lines) + "}"


MESSAGE = re.compile(r"^(    \w+:\n      name: ([\w-]+)\n(?:      .*\n)*?      examples:).*\n"
                     r"(?:        .*\n)*", re.MULTILINE)


def asyncapi_text(text, records):
    """The document with these examples in its messages."""
    def written(found):
        assert found[2] in records, f"nothing produces an example of the message {found[2]}"
        body = ""
        for each in records[found[2]]:
            body += f"        - name: {json.dumps(each.name)}\n"
            body += f"          headers:{flow(each.headers, ' ' * 12)}\n"
            body += f"          payload:{flow(each.value, ' ' * 12)}\n"
        return f"{found[1]}\n{body}"
    made, count = MESSAGE.subn(written, text)
    assert count == len(records), f"{count} messages in asyncapi.yaml, {len(records)} have examples"
    return made


README_EXAMPLE = re.compile(r"(?<=A scan:\n\n)```\ntopic .*? key  (\S+)\n.*?\n```\n```json\n.*?\n```\n",
                            re.DOTALL)


def readme_text(text, scans):
    """README.md shows one of the scans: that of the key it names."""
    found = README_EXAMPLE.search(text)
    assert found, "README.md shows no scan"
    scan = next((each for each in scans if each.key == found[1]), None)
    assert scan, f"nothing produces the scan of README.md: {found[1]}"
    value = json.dumps(scan.value, ensure_ascii=False).replace('": ', '":\0')
    lines = textwrap.wrap(value, 136, subsequent_indent=" ", break_long_words=False,
                          break_on_hyphens=False)
    return text.replace(found[0], (
        f"```\ntopic    {scan.topic:<25} key  {scan.key}\n"
        f"ce_type  {scan.headers['ce_type']:<25} ce_id  {scan.headers['ce_id']}"
        f"     ce_source  {scan.headers['ce_source']}\n```\n```json\n"
        + "\n".join(lines).replace("\0", " ") + "\n```\n"))


def texts(gathered, root=ROOT):
    """What each file says once it holds these examples: path -> text."""
    made = {}
    for name, path in schema_files(root).items():
        examples = gathered.attributes.get(name.removeprefix("vendors/")) if "/" in name else [
            each.value for each in gathered.records.get(name, [])]
        assert examples, f"nothing produces an example for {name}.json"
        made[path] = schema_text(path.read_text(), examples)
    asyncapi, readme = root / "schemas/asyncapi.yaml", root / "README.md"
    made[asyncapi] = asyncapi_text(asyncapi.read_text(), gathered.records)
    made[readme] = readme_text(readme.read_text(), gathered.records["scan"])
    return made


def not_as_written(gathered, root=ROOT):
    """The files that hold something else than these examples."""
    return [path.relative_to(root).as_posix() for path, text in texts(gathered, root).items()
            if path.read_text() != text]
