# SPDX-License-Identifier: Apache-2.0
"""Records as the CloudEvents SDK of JavaScript reads them from Kafka, in binary mode and strictly."""

import base64
import json
from datetime import datetime

import msgpack
import pytest
from confluent_kafka import Consumer, TopicPartition

import others
from daemons import Source
from kafka import admin
from test_examples import gathered, shop  # noqa: F401  fixtures

ATTRIBUTES = {"ce_id": "id", "ce_source": "source", "ce_type": "type", "ce_subject": "subject",
              "ce_dataschema": "dataschema", "ce_partitionkey": "partitionkey",
              "ce_specversion": "specversion", "content-type": "datacontenttype"}


def raw(made):
    """All records of the promised topics, as bytes: {"key", "headers", "value"}."""
    consumer = Consumer({"bootstrap.servers": made.broker.bootstrap, "group.id": f"{made.prefix}-sdk",
                         "enable.auto.commit": False, "isolation.level": "read_committed",
                         "log_level": 0})
    made.tap.drain()
    wanted = sum(map(len, made.tap.records.values()))
    topics = admin(made.broker.bootstrap).list_topics(timeout=10).topics
    consumer.assign([TopicPartition(name, number, 0) for name in map(made.tap.topic, made.tap.records)
                     if name in topics for number in topics[name].partitions])
    records = []
    while len(records) < wanted:
        message = consumer.poll(20)
        assert message is not None and not message.error(), f"{len(records)} of {wanted}"
        value = message.value()
        records.append({
            "key": message.key().decode(),
            "headers": {name: said.decode() for name, said in message.headers()},
            "value": None if value is None else base64.b64encode(value).decode()})
    consumer.close()
    return records


def read(records):
    return others.node("cloudevents.js", questions=records)


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def is_json(record):
    return record["headers"]["content-type"] == "application/json"


def check(record, answer):
    assert "error" not in answer, (answer, record)
    event, headers = answer["event"], record["headers"]
    assert {name: event.get(name) for name in ATTRIBUTES.values()} == {
        name: headers[header] for header, name in ATTRIBUTES.items()}
    assert event["partitionkey"] == record["key"]
    if "ce_time" in headers:
        assert instant(event["time"]) == instant(headers["ce_time"])
    value = base64.b64decode(record["value"])
    if is_json(record):
        assert event["data"] == json.loads(value)
    else:
        assert msgpack.unpackb(base64.b64decode(event["data_base64"])) == msgpack.unpackb(value)


@pytest.fixture(scope="module")
def records(shop, gathered):  # noqa: F811
    return raw(shop)


def test_each_record_is_read(records):
    """Of every vendor and topic; the SDK has no form for a key without a value."""
    whole = [each for each in records if each["value"] is not None]
    assert len({each["headers"]["ce_dataschema"] for each in whole}) == 9
    for record, answer in zip(whole, read(whole), strict=True):
        assert is_json(record) == (record["headers"]["ce_dataschema"] == "urn:vulnbus:schema:ocsf:v1")
        check(record, answer)


def test_a_key_without_a_value_is_told_apart(records):
    deleted = [each for each in records if each["value"] is None]
    assert deleted
    for answer in read(deleted):
        assert "null" in answer["error"]


def test_json_is_read_too(stack):
    made = stack([Source()], {"topics": {"format": "json"}}).start()
    made.sources[0].stub.scan("1")
    made.tap.one("scans", event_id=made.notify(made.sources[0], id="1", kind="scan", status="done"))
    found = raw(made)
    assert len(found) == 2
    for record, answer in zip(found, read(found), strict=True):
        assert is_json(record)
        check(record, answer)
        cut = {**record, "value": record["value"][:40]}
        assert "error" in read([cut])[0]


MUTATIONS = {
    "no id": ("ce_id", None), "an empty id": ("ce_id", ""), "no source": ("ce_source", None),
    "an empty source": ("ce_source", ""), "no type": ("ce_type", None), "an empty type": ("ce_type", ""),
    "another version": ("ce_specversion", "2.0"), "an older version": ("ce_specversion", "0.3"),
    "no time": ("ce_time", "yesterday"), "no URI": ("ce_dataschema", "schema of scans"),
    "an attribute in capitals": ("ce_Kind", "x"), "an attribute with a dash": ("ce_trace-parent", "x"),
}


@pytest.mark.parametrize("case", MUTATIONS)
def test_a_mutated_record_is_refused(records, case):
    name, said = MUTATIONS[case]
    record = next(each for each in records if each["headers"]["ce_dataschema"].endswith(":scan:v1"))
    headers = {**record["headers"], name: said}
    if said is None:
        del headers[name]
    before, after = read([record, {**record, "headers": headers}])
    assert "event" in before and "error" in after, after
