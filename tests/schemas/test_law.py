# SPDX-License-Identifier: Apache-2.0
"""The versioning law: held against the last release, and tried on documents that break it."""

import copy
import json
import shutil

import pytest
import yaml

import law

SCAN, ROW, EVENT = "scan.json", "export-row.json", "event.json"


def test_nothing_was_changed_for_readers_since_the_last_release():
    before = json.loads(law.last_release().read_text())
    assert list(law.breaches(before, law.state())) == []


def test_every_topic_and_schema_of_today_is_held_to_it():
    """Else the test above could pass by looking at nothing."""
    now = law.state()
    assert len(now["topics"]) >= 9 and len(now["schemas"]) >= 13
    assert set(json.loads(law.last_release().read_text())["topics"]) <= set(now["topics"])
    for topic in now["topics"].values():
        for message in topic["messages"].values():
            assert message["key"]["pattern"] and len(message["headers"]["required"]) == 10


def at(document, *path):
    for name in path:
        document = document[name]
    return document


def put(*path, value):
    return lambda s: at(s, *path[:-1]).__setitem__(path[-1], value)


def drop(*path):
    return lambda s: at(s, *path[:-1]).__delitem__(path[-1])


def both(*changes):
    return lambda s: [change(s) for change in changes]


def schema(name, *path):
    return ("schemas", name, *[part for step in path for part in ("properties", step)])


def message(topic, name, *path):
    return ("topics", f"vulnbus.{topic}.v1", "messages", name, *path)


def rename(path, name):
    def change(s):
        above = at(s, *path[:-1])
        above[name] = above.pop(path[-1])
    return change


KIND = schema(EVENT, "kind")
HEADERS = message("scans", "scan", "headers")

# (what is done, how, what the law says; None: it is allowed)
TABLE = [
    ("nothing", lambda s: None, None),
    ("a property comes", put(*schema(SCAN, "new"), value={"type": "string"}), None),
    ("an inner property comes",
     put(*schema(SCAN, "scan", "new"), value={"type": "object", "required": ["id"]}), None),
    ("a property comes and is required",
     both(put(*schema(SCAN, "new"), value={"type": "string"}),
          lambda s: at(s, "schemas", SCAN)["required"].append("new")), "scan.json.new: is required"),
    ("a property goes", drop(*schema(SCAN, "asset")), "scan.json.asset: is gone"),
    ("an inner property goes", drop(*schema(SCAN, "scan", "attempt")),
     "scan.json.scan.attempt: is gone"),
    ("a property of a list's elements goes",
     drop(*schema("scorecard.json", "factors"), "items", "properties", "grade"),
     "scorecard.json.factors[].grade: is gone"),
    ("a property is renamed", rename(schema(SCAN, "asset"), "target"),
     "scan.json.asset: is gone"),
    ("all properties go", drop("schemas", SCAN, "properties"), "scan.json.id: is gone"),
    ("a required property need not come",
     lambda s: at(s, "schemas", SCAN)["required"].remove("kind"), "scan.json.kind: is not required"),
    ("an optional property must come",
     lambda s: at(s, "schemas", SCAN)["required"].append("asset"), "scan.json.asset: is required"),
    ("nothing is required", drop("schemas", EVENT, "required"), "event.json.id: is not required"),
    ("a type is another", put(*schema(SCAN, "fetched_ms"), "type", value="string"),
     'type "integer" became "string"'),
    ("a type is wider", put(*schema(SCAN, "fetched_ms"), "type", value=["integer", "null"]),
     "became"),
    ("a type is narrower", put(*schema("scorecard.json", "scorecard", "score"), "type",
                               value="boolean"), "became"),
    ("a number is an integer",
     put(*schema("finding.json", "finding", "cvss_score"), "type", value="integer"), "became"),
    ("a type is no more said", drop(*schema(SCAN, "id"), "type"), '"string" became null'),
    ("an element's type", put(*schema(SCAN, "cut"), "items", "type", value="integer"),
     "scan.json.cut[]: type"),
    ("a column's type", put(*schema(ROW, "fields"), "additionalProperties", "type",
                            value="number"), "export-row.json.fields[]: type"),
    ("no more properties are allowed", put("schemas", SCAN, "additionalProperties", value=False),
     "additionalProperties null became false"),
    ("a free map has properties", put(*schema(ROW, "fields"), "properties", value={"ip": {}}),
     "has properties now"),
    ("a bound is tighter", put(*schema(ROW, "row"), "minimum", value=2), "minimum 1 became 2"),
    ("a bound is gone", drop(*schema(SCAN, "id"), "minLength"), "minLength 1 became null"),
    ("a length is bounded", put(*schema(SCAN, "id"), "maxLength", value=9), "maxLength"),
    ("a pattern is another", put(*schema(SCAN, "source"), "pattern", value=".*"), "pattern"),
    ("a closed list has one word more",
     lambda s: at(s, *schema(ROW, "severity"))["enum"].append("none"), "enum"),
    ("a closed list has one word less",
     lambda s: at(s, *schema(ROW, "severity"))["enum"].remove("info"), "enum"),
    ("an open list has one word more",
     lambda s: at(s, *KIND)["x-extensible-enum"].append("scan.paused"), None),
    ("an open list is in another order",
     lambda s: at(s, *KIND)["x-extensible-enum"].reverse(), None),
    ("an open list has one word less",
     lambda s: at(s, *KIND)["x-extensible-enum"].remove("user.created"),
     'event.json.kind: "user.created" is gone'),
    ("an open list is closed", rename((*KIND, "x-extensible-enum"), "enum"), "event.json.kind"),
    ("a closed list is opened",
     rename((*schema(SCAN, "scan", "status"), "enum"), "x-extensible-enum"), "scan.status"),
    ("an open list is gone", drop(*KIND, "x-extensible-enum"), "x-extensible-enum"),
    ("the schema's name", put("schemas", SCAN, "$id", value="urn:vulnbus:schema:scan:v2"), "$id"),
    ("a reference", put("schemas", "vendors/delve.json", "$ref", value="urn:x"), "$ref"),
    ("a schema goes", drop("schemas", SCAN), "scan.json: is gone"),
    ("a schema comes", put("schemas", "vendors/new.json", value={}), None),
    ("a topic is renamed", rename(("topics", "vulnbus.scans.v1"), "vulnbus.scan.v1"),
     "vulnbus.scans.v1: is gone"),
    ("a topic comes", lambda s: s["topics"].update({"vulnbus.scans.v2": {}}), None),
    ("a topic is compacted", put("topics", "vulnbus.scans.v1", "cleanup.policy", value=["compact"]),
     "kept otherwise"),
    ("a message goes", drop(*message("targets", "target-deleted")), "target-deleted: is gone"),
    ("a message comes",
     lambda s: at(s, *message("scans", "scan")[:-1]).update({"scan-deleted": {}}),
     "scan-deleted: is new"),
    ("a key of another form", put(*message("scans", "scan", "key"), "pattern", value=".*"),
     "vulnbus.scans.v1 scan key: pattern"),
    ("a key of another type", put(*message("scans", "scan", "key"), "type", value="integer"),
     "vulnbus.scans.v1 scan key: type"),
    ("a content type", put(*message("scans", "scan", "content-type"), value="application/json"),
     "content-type"),
    ("another record", put(*message("scans", "scan", "payload"), value={"$ref": "event.json"}),
     "payload: $ref"),
    ("a header comes", put(*HEADERS, "properties", "ce_new", value={"type": "string"}), None),
    ("a header comes that must",
     lambda s: at(s, *HEADERS)["required"].append("ce_time"), "ce_time: is required"),
    ("a header goes", drop(*HEADERS, "properties", "ce_time"), "ce_time: is gone"),
    ("a header says something else",
     put(*HEADERS, "properties", "ce_type", "const", value="vulnbus.scan"), "const"),
]


@pytest.mark.parametrize("change, said", [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_law(change, said):
    before = law.state()
    after = copy.deepcopy(before)
    change(after)
    assert said is None or after != before
    found = list(law.breaches(before, after))
    if said is None:
        assert found == []
    else:
        assert any(said in each for each in found), found


def test_texts_for_people_may_change():
    def changed(node, name=None):
        if isinstance(node, list):
            return [changed(each) for each in node]
        if not isinstance(node, dict):
            return node
        more = {"description": "Other.", "title": "other", "examples": [1], "$comment": "!"}
        names = name in ("properties", "messages", "schemas", "topics")
        return {**{word: changed(each, word) for word, each in node.items()},
                **(more if "type" in node and not names else {})}
    before = law.state()
    after = changed(before)
    assert after != before and list(law.breaches(before, after)) == []


@pytest.mark.parametrize("old, new, said", [
    ("address: vulnbus.scans.v1", "address: vulnbus.scan.v1", "vulnbus.scans.v1: is gone"),
    ("pattern: ^[a-z0-9-]{1,63}/[^/]+/.+$", "pattern: ^.+$", "vulnbus.scans.v1 scan key: pattern"),
    ("const: urn:vulnbus:schema:scan:v1", "const: urn:x", "vulnbus.scans.v1 scan headers"),
    ("const: '1.0'", "const: '2.0'", "vulnbus.events.v1 event headers.ce_specversion"),
    ("description: Version of CloudEvents.", "description: Other.", None)])
def test_the_law_of_an_asyncapi_document(tmp_path, old, new, said):
    """As it is written, traits and references and all."""
    shutil.copytree(law.SCHEMAS, tmp_path / "schemas")
    file = tmp_path / "schemas/asyncapi.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    found = list(law.breaches(law.state(), law.state(tmp_path / "schemas")))
    assert any(said in each for each in found) if said else not found


def test_the_last_release_is_the_highest_version(tmp_path):
    for name in ("0.9.0", "0.10.0", "0.2.0"):
        (tmp_path / f"{name}.json").touch()
    assert law.last_release(tmp_path).stem == "0.10.0"


def test_a_released_version_is_not_released_again(capsys):
    kept = law.last_release().read_text()
    if law.last_release().stem == law.version():
        assert law.release() == 1 and "has been released" in capsys.readouterr().out
        assert law.last_release().read_text() == kept


def test_the_document_is_of_this_version():
    document = yaml.safe_load((law.SCHEMAS / "asyncapi.yaml").read_text())
    assert document["info"]["version"] == law.version()
