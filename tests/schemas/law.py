#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The versioning law of schemas/README.md.

    law.py             what is not allowed since the last release, a line each
    law.py --release   keeps today's schemas as those of this version

An optional property and a word of an open list may come; whatever else changes for a reader makes a
topic of another version. Texts for people (descriptions, examples) may change at will.
"""

import json
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"
RELEASED = SCHEMAS / "released"
FOR_PEOPLE = {"$comment", "description", "examples", "title"}
OPEN_WORDS = "x-extensible-enum"
INNER = ("items", "additionalProperties")


def bare(schema):
    """A schema without what is for people."""
    if not isinstance(schema, dict):
        return schema
    made = {word: said for word, said in schema.items() if word not in FOR_PEOPLE}
    if "properties" in made:
        made["properties"] = {name: bare(each) for name, each in made["properties"].items()}
    for word in INNER:
        if word in made:
            made[word] = bare(made[word])
    return made


def put_over(base, more):
    """As a trait is put under what uses it: JSON Merge Patch (RFC 7386)."""
    if not isinstance(base, dict) or not isinstance(more, dict):
        return more
    return {**base, **{name: put_over(base.get(name), said) for name, said in more.items()}}


def look_up(document, reference):
    for name in reference.removeprefix("#/").split("/"):
        document = document[name]
    return document


def told(document):
    """What an AsyncAPI document tells readers: by topic, how it is kept and what is on it."""
    topics = {}
    for channel in document["channels"].values():
        messages = {}
        for reference in channel["messages"].values():
            message = look_up(document, reference["$ref"])
            for trait in message.get("traits", []):
                message = put_over(look_up(document, trait["$ref"]), message)
            messages[message["name"]] = {
                "content-type": message["contentType"], "payload": bare(message["payload"]),
                "key": bare(message["bindings"]["kafka"]["key"]),
                "headers": bare(message["headers"])}
        kept = channel["bindings"]["kafka"]["topicConfiguration"]["cleanup.policy"]
        topics[channel["address"]] = {"cleanup.policy": kept, "messages": messages}
    return topics


def state(folder=SCHEMAS):
    """All that is promised today."""
    names = sorted([*folder.glob("*.json"), *folder.glob("vendors/*.json")])
    return {"schemas": {str(name.relative_to(folder)): bare(json.loads(name.read_text()))
                        for name in names},
            "topics": told(yaml.safe_load((folder / "asyncapi.yaml").read_text()))}


def of_schema(old, new, where):
    """What a reader of `old` may not find so any more, in `new`."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        if old != new:
            yield f"{where}: {json.dumps(old)} became {json.dumps(new)}"
        return
    for word in sorted(old.keys() | new.keys()):
        before, after = old.get(word), new.get(word)
        if word in FOR_PEOPLE:
            continue
        if word == "properties" and before is not None:
            for name, each in before.items():
                if name not in (after or {}):
                    yield f"{where}.{name}: is gone"
                else:
                    yield from of_schema(each, after[name], f"{where}.{name}")
        elif word == "properties":
            yield f"{where}: has properties now"
        elif word in INNER and isinstance(before, dict) and isinstance(after, dict):
            yield from of_schema(before, after, f"{where}[]")
        elif word == OPEN_WORDS and before is not None and after is not None:
            for each in before:
                if each not in after:
                    yield f"{where}: {json.dumps(each)} is gone"
        elif word == "required":
            for name in sorted(set(before or []) ^ set(after or [])):
                yield f"{where}.{name}: is {'' if name in (after or []) else 'not '}required now"
        elif before != after:
            yield f"{where}: {word} {json.dumps(before)} became {json.dumps(after)}"


def of_messages(old, new, topic):
    for name in sorted(old.keys() | new.keys()):
        where = f"{topic} {name}"
        if name not in new or name not in old:
            yield f"{where}: is {'gone' if name not in new else 'new on a topic that readers know'}"
            continue
        for part in ("content-type", "payload", "key", "headers"):
            yield from of_schema(old[name][part], new[name][part], f"{where} {part}")


def breaches(old, new):
    """What of `new` is not allowed where `old` was released."""
    for name, schema in old["schemas"].items():
        if name not in new["schemas"]:
            yield f"{name}: is gone"
        else:
            yield from of_schema(schema, new["schemas"][name], name)
    for topic, before in old["topics"].items():
        after = new["topics"].get(topic)
        if after is None:
            yield f"{topic}: is gone"
            continue
        if before["cleanup.policy"] != after["cleanup.policy"]:
            yield f"{topic}: is kept otherwise"
        yield from of_messages(before["messages"], after["messages"], topic)


def numbers(path):
    return [int(part) for part in path.stem.split(".")]


def last_release(folder=RELEASED):
    return max(folder.glob("*.json"), key=numbers)


def version():
    text = (ROOT / "include/vulnbus/version.h").read_text()
    return re.search(r'VULNBUS_VERSION "(\d+\.\d+\.\d+)"', text)[1]


def release():
    made = RELEASED / f"{version()}.json"
    if made.exists():
        print(f"{made.relative_to(ROOT)}: this version has been released")
        return 1
    RELEASED.mkdir(exist_ok=True)
    made.write_text(json.dumps(state(), indent=1, ensure_ascii=False) + "\n")
    print(f"{made.relative_to(ROOT)}: written")
    return 0


def main():
    found = []
    if any(RELEASED.glob("*.json")):
        before = last_release()
        found = list(breaches(json.loads(before.read_text()), state()))
        for each in found:
            print(f"{each} (since {before.stem})")
    if found:
        print("A record that changes for its readers needs a topic of another version: schemas/README.md.")
        return 1
    return release() if sys.argv[1:] == ["--release"] else 0


if __name__ == "__main__":
    sys.exit(main())
