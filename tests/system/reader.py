# SPDX-License-Identifier: Apache-2.0
"""Reads topics in read_committed, decodes what is there and holds every record to its promises:
CloudEvents headers, JSON Schema, key, partition, time."""

import functools
import json
import re
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgpack
from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from kafka import admin
from waiting import SLOW, TooLate, until

SCHEMAS = Path(__file__).parents[2] / "schemas"
RECORDS = {"events": "event", "scans": "scan", "exports": "export",
           "export-rows": "export-row", "dead-letters": "dead-letter",
           "findings": "finding", "targets": "target", "scorecards": "scorecard",
           "ocsf": "ocsf"}
OFF_BY_DEFAULT = {"ocsf"}
TYPES = {"application/vnd.msgpack": lambda data: msgpack.unpackb(data, raw=False),
         "application/json": json.loads}


TRANSIENT = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE,
             KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._TRANSPORT, KafkaError._TIMED_OUT,
             KafkaError.REQUEST_TIMED_OUT, KafkaError.UNKNOWN_LEADER_EPOCH,
             KafkaError.FENCED_LEADER_EPOCH, KafkaError._ALL_BROKERS_DOWN}


@dataclass
class Record:
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: str
    headers: dict
    value: dict | None


@functools.lru_cache(None)
def murmur2(data: bytes) -> int:
    """As Kafka's Java client hashes keys."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i:i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if len(data) > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def closed(node):
    """A schema as the programs are held to it: readers let fields and words pass that they do not
    know, the programs write none that it does not name."""
    if isinstance(node, list):
        return [closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    # What a condition does not speak of may be there all the same.
    made = {name: each if name == "allOf" else closed(each) for name, each in node.items()}
    if isinstance(made.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    if "x-extensible-enum" in made:
        made["enum"] = made["x-extensible-enum"]
    return made


@functools.lru_cache(None)
def documents():
    return {path.relative_to(SCHEMAS).with_suffix("").as_posix():
            closed(json.loads(path.read_text()))
            for path in [*SCHEMAS.glob("*.json"), *SCHEMAS.glob("vendors/*.json")]}


def validator(document):
    registry = Registry().with_resources(
        (each["$id"], Resource.from_contents(each)) for each in documents().values())
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document, registry=registry,
                                format_checker=Draft202012Validator.FORMAT_CHECKER)


@functools.lru_cache(None)
def schema(name):
    return validator(documents()[name])


@functools.lru_cache(None)
def rest_of(name):
    """What a projection may leave over of a record: any of its members, and none that the record's
    schema does not name."""
    document = documents()[name]
    members = {member: {word: said for word, said in each.items() if word != "required"}
               for member, each in document["properties"].items()}
    return validator({**document, "properties": members, "required": []})


@functools.lru_cache(None)
def member_of(name, member):
    return validator(documents()[name]["properties"][member])


def decode(message) -> Record:
    names = [name for name, _ in message.headers() or []]
    assert len(names) == len(set(names)), f"a header twice: {names}"
    headers = {name: value.decode() for name, value in message.headers() or []}
    # A key without a value: what it stood for is deleted.
    value = None if message.value() is None else TYPES[headers["content-type"]](message.value())
    return Record(message.topic(), message.partition(), message.offset(), message.timestamp()[1],
                  message.key().decode(), headers, value)


def milliseconds(text):
    """RFC 3339 to Unix epoch milliseconds."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text), text
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def lines(errors, where=""):
    return [f"{error.json_path}{where}: {error.message}" for error in errors]


def check(record: Record, name: str, partitions: int):
    """What holds for every record of every topic that is promised to readers."""
    headers, value = record.headers, record.value
    where = f"{record.topic}[{record.partition}]@{record.offset}: {headers} {value}"
    assert headers["ce_specversion"] == "1.0", where
    assert headers["ce_source"], where
    assert headers["ce_type"].startswith("vulnbus."), where
    assert headers["ce_subject"], where
    assert headers["ce_partitionkey"] == record.key, where
    assert headers["ce_dataschema"] == f"urn:vulnbus:schema:{name}:v1", where
    for header in ("traceparent", "ce_traceparent"):
        assert re.fullmatch(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}",
                            headers[header]), where
    if "ce_time" in headers:
        milliseconds(headers["ce_time"])
    assert record.partition == (murmur2(record.key.encode()) & 0x7FFFFFFF) % partitions, where
    if value is None:
        assert name == "target", where
        return
    errors = check_projection(record) if name == "ocsf" else check_record(record, name)
    assert not errors, f"{errors} in {where}"


def check_record(record: Record, name: str):
    value, errors = record.value, lines(schema(name).iter_errors(record.value))
    if record.headers["ce_id"] != value["id"]:
        errors.append("ce_id is not the value's id")
    stamp = "received_ms" if name == "event" else "fetched_ms"
    if stamp in value and record.timestamp != value[stamp]:
        errors.append(f"the timestamp is not {stamp}")
    for event in (value, value.get("event", {})):
        if "attributes" in event and event["vendor"] != "unknown":
            errors += lines(schema(f"vendors/{event['vendor']}").iter_errors(event["attributes"]),
                            " of the attributes")
    return errors


def projected(value):
    """Of which record it is."""
    return value["metadata"]["uid"].split("/")[-2]


def wrong_projection(value):
    """All that is wrong with it as a document."""
    import ocsf   # reading its schema takes a while, and most tests have none
    errors = lines(schema("ocsf").iter_errors(value)) + ocsf.errors(value)
    return errors or wrong_free_parts(value)


def wrong_free_parts(value):
    """Where ocsf.json lets anything be: it is of the record, and as that says it."""
    name = projected(value)
    if name not in RECORDS.values():
        return [f"metadata.uid is of no record: {name}"]
    errors = lines(rest_of(name).iter_errors(value.get("unmapped", {})), " of unmapped")
    if "data" in value.get("entity", {}):
        errors += lines(member_of(name, name).iter_errors(value["entity"]["data"]), " of entity.data")
    return errors


def check_projection(record: Record):
    errors = wrong_projection(record.value)
    if errors:
        return errors
    metadata, name = record.value["metadata"], projected(record.value)
    if metadata["uid"] != f"{metadata['original_event_uid']}/{name}/ocsf":
        errors.append("metadata.uid is not of its event")
    if record.headers["ce_type"] != f"vulnbus.ocsf.{name}":
        errors.append("ce_type is not of its record")
    if record.headers["ce_id"] != metadata["uid"]:
        errors.append("ce_id is not metadata.uid")
    if record.headers["content-type"] != "application/json":
        errors.append("not JSON")
    if record.timestamp != metadata["processed_time"]:
        errors.append("the timestamp is not metadata.processed_time")
    return errors


class Tap:
    """Follows the topics of one prefix from their beginning and keeps what it read."""

    def __init__(self, bootstrap, prefix, more=()):
        self.prefix = prefix
        self.kinds = {short: name for short, name in RECORDS.items()
                      if short not in OFF_BY_DEFAULT or short in more}
        self.records = {short: [] for short in self.kinds}
        self._admin = admin(bootstrap)
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": f"{prefix}-tap",
            "enable.auto.commit": False, "isolation.level": "read_committed",
            "auto.offset.reset": "earliest", "enable.partition.eof": True,
            "fetch.wait.max.ms": 50, "log_level": 0,
        })
        self._partitions = {}   # topic -> how many
        self._end = {}          # (topic, partition) -> read up to here

    def topic(self, short):
        return f"{self.prefix}.{short}.v1"

    def _assign(self):
        if len(self._partitions) == len(self.kinds):
            return
        known = self._admin.list_topics(timeout=10).topics
        found = {t: len(known[t].partitions) for t in map(self.topic, self.kinds) if t in known}
        new = [TopicPartition(t, p, 0) for t, count in found.items()
               for p in range(count) if t not in self._partitions]
        self._partitions = found
        if new:
            self._consumer.incremental_assign(new)

    def _poll(self, timeout):
        self._assign()
        for message in self._consumer.consume(1000, timeout):
            place = (message.topic(), message.partition())
            if message.error():
                if message.error().code() == KafkaError._PARTITION_EOF:
                    self._end[place] = message.offset()
                continue
            self._end[place] = message.offset() + 1
            if message.key() == b"somebody":
                continue  # not by our programs
            short = message.topic().removeprefix(self.prefix + ".").removesuffix(".v1")
            record = decode(message)
            seen = self.records[short]
            # Of very many rows a sample is enough: the check costs more than the reading.
            if short != "export-rows" or len(seen) < 200 or len(seen) % 500 == 0:
                check(record, self.kinds[short], self._partitions[message.topic()])
            seen.append(record)

    def find(self, short, **fields):
        """What has been read, of the records whose values hold these fields."""
        return [record for record in self.records[short] if record.value is not None
                and all(record.value.get(name) == value for name, value in fields.items())]

    def wait(self, short, count=1, within=20.0, **fields):
        """Reads on until `count` such records are there; gives them all back."""
        within *= SLOW
        deadline = time.monotonic() + within
        while len(found := self.find(short, **fields)) < count:
            if time.monotonic() > deadline:
                raise TooLate(f"not within {within:g} s: {count} on {short} with {fields}; "
                              f"found {len(found)}, and in all "
                              f"{ {name: len(list_) for name, list_ in self.records.items()} }")
            self._poll(0.05)
        return found

    def one(self, short, within=20.0, **fields):
        found = self.wait(short, 1, within, **fields)
        assert len(found) == 1, found
        return found[0]

    def drain(self, within=30.0):
        """Reads all topics to the end they have now."""
        self._assign()
        ends = self.ends()
        deadline = time.monotonic() + within * SLOW
        while any(self._end.get(place, 0) < end for place, end in ends.items()):
            assert time.monotonic() < deadline, f"{self._end} never came to {ends}"
            self._poll(0.05)

    def ends(self, isolation=IsolationLevel.READ_COMMITTED):
        """Where each partition ends now: equal before and after means nothing was written."""
        self._assign()
        places = {TopicPartition(t, p): OffsetSpec.latest()
                  for t, count in self._partitions.items() for p in range(count)}

        def ask():
            answers = self._admin.list_offsets(places, isolation_level=isolation,
                                               request_timeout=10)
            try:
                return {(place.topic, place.partition): answer.result().offset
                        for place, answer in answers.items()}
            except KafkaException as error:   # of topics just made, or a broker just started
                if not error.args[0].retriable() and error.args[0].code() not in TRANSIENT:
                    raise
                return None
        return until(ask, "the ends of the topics", 20, 0.1)

    def length(self, short):
        """About how many records are committed (the marks of transactions count too)."""
        return sum(end for (topic, _), end in self.ends().items() if topic == self.topic(short))

    def close(self):
        self._consumer.close()


def raw_bytes(bootstrap, prefix):
    """Every byte of every topic of a prefix, also of what was aborted: to look for secrets."""
    topics = [t for t in admin(bootstrap).list_topics(timeout=10).topics
              if t.startswith(prefix + ".")]
    assert topics
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"{prefix}-raw",
                         "enable.auto.commit": False, "isolation.level": "read_uncommitted",
                         "enable.partition.eof": True, "log_level": 0})
    known = consumer.list_topics(timeout=10).topics
    places = [TopicPartition(t, p, 0) for t in topics for p in known[t].partitions]
    consumer.assign(places)
    # A set: a partition that grows meanwhile ends more than once.
    parts, open_, deadline = [], {(p.topic, p.partition) for p in places}, time.monotonic() + 60
    while open_:
        assert time.monotonic() < deadline, f"never came to the end of {open_}"
        for message in consumer.consume(1000, 0.2):
            if message.error():
                if message.error().code() == KafkaError._PARTITION_EOF:
                    open_.discard((message.topic(), message.partition()))
                continue
            parts += [message.key() or b"", message.value() or b""]
            parts += [part for name, value in message.headers() or []
                      for part in (name.encode(), value or b"")]
    consumer.close()
    return b"\n".join(parts)
