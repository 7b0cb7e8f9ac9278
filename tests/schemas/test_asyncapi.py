# SPDX-License-Identifier: Apache-2.0
"""asyncapi.yaml as @asyncapi/parser reads it: references resolved, traits in place."""

import json
import re
import shutil

import pytest
from jsonschema import Draft202012Validator

import others
from law import ROOT, SCHEMAS

# That there is a 3.1.0: nothing that is said here needs it.
LOOKED_AT = {"asyncapi-latest-version"}
ERROR = 0


@pytest.fixture(scope="module")
def document():
    answer, = others.node("asyncapi.js", SCHEMAS / "asyncapi.yaml")
    assert {each["code"] for each in answer["diagnostics"]} <= LOOKED_AT, answer["diagnostics"]
    assert not [each for each in answer["diagnostics"] if each["severity"] == ERROR]
    return answer["document"]


def messages(document):
    return document["components"]["messages"].values()


def test_it_is_accepted(document):
    assert len(document["channels"]) >= 9 and len(list(messages(document))) >= 10


def test_every_topic_of_the_table_is_a_channel(document):
    """Of include/vulnbus/topics.h; the state topic is private."""
    table = re.findall(r'X\([A-Z_]+, "([a-z-]+)", "([a-z-]+)"',
                       (ROOT / "include/vulnbus/topics.h").read_text())
    assert len(table) >= 9
    told = {each["address"]: {message["payload"].get("title") for message in each["messages"].values()}
            for each in document["channels"].values()}
    for topic, record in table:
        assert record in told.pop(f"vulnbus.{topic}.v1")
    assert not told


def test_each_channel_is_bound_to_kafka_and_sent_to(document):
    sent = [each["channel"]["address"] for each in document["operations"].values()
            if each["action"] == "send"]
    assert sorted(sent) == sorted(each["address"] for each in document["channels"].values())
    for channel in document["channels"].values():
        bound = channel["bindings"]["kafka"]
        assert bound["topic"] == channel["address"] and channel["description"]
        assert bound["topicConfiguration"]["cleanup.policy"]
        assert [server["protocol"] for server in channel["servers"]] == ["kafka"]


def test_each_message_is_a_cloudevent_with_a_key_and_examples(document):
    for message in messages(document):
        key = message["bindings"]["kafka"]["key"]
        headers = Draft202012Validator(message["headers"])
        payload = Draft202012Validator(message["payload"])
        assert {"ce_id", "ce_source", "ce_type", "ce_specversion"} <= set(message["headers"]["required"])
        assert message["examples"], message["name"]
        for example in message["examples"]:
            assert not list(headers.iter_errors(example["headers"])), example["headers"]
            assert not list(payload.iter_errors(example["payload"])), example["payload"]
            assert re.search(key["pattern"], example["headers"]["ce_partitionkey"])
            for name in example["headers"]:
                less = {each: said for each, said in example["headers"].items() if each != name}
                assert (name in message["headers"]["required"]) == any(headers.iter_errors(less))
            assert any(headers.iter_errors({**example["headers"], "ce_specversion": "0.3"}))
            assert any(headers.iter_errors({**example["headers"], "ce_dataschema": "urn:x"}))


def test_every_header_and_property_is_described(document):
    for message in messages(document):
        for name, header in message["headers"]["properties"].items():
            assert header.get("description"), name


def test_the_payloads_are_the_schemas(document):
    for message in messages(document):
        path = SCHEMAS / f"{message['name']}.json"
        if path.exists():
            assert message["payload"]["$id"] == json.loads(path.read_text())["$id"]
        else:
            assert message["payload"]["type"] == "null"


WRONG = {
    "an action": ("action: send", "action: shout"),
    "a reference to nothing": ("$ref: '#/channels/scans'", "$ref: '#/channels/scan'"),
    "a schema that is not there": ("$ref: scan.json", "$ref: scann.json"),
    "a protocol": ("    protocol: kafka\n", ""),
    "a binding": ("bindingVersion: 0.5.0\n      examples", "bindingVersion: 0.5.0\n        key: 1\n      examples"),
    "a cleanup policy": ("cleanup.policy: [delete]", "cleanup.policy: [burn]"),
    "a word nobody knows": ("\n    title: Scans\n", "\n    titel: Scans\n"),
    "no version": ("  version: 0.1.0\n", ""),
    "an example without anything": ("      examples:\n", "      examples:\n        - {}\n"),
    "YAML": ("channels:\n", "channels: [\n"),
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """What is said of each; the parser takes longer to start than to read."""
    files, text = [], (SCHEMAS / "asyncapi.yaml").read_text()
    for old, new in WRONG.values():
        assert old in text
        folder = tmp_path_factory.mktemp("wrong") / "schemas"
        shutil.copytree(SCHEMAS, folder)
        files.append(folder / "asyncapi.yaml")
        files[-1].write_text(text.replace(old, new, 1))
    return dict(zip(WRONG, others.node("asyncapi.js", *files), strict=True))


@pytest.mark.parametrize("case", WRONG)
def test_a_mutated_document_is_refused(refusals, case):
    assert [each for each in refusals[case]["diagnostics"] if each["severity"] == ERROR]
