# SPDX-License-Identifier: Apache-2.0
"""Everything there is on the topics, as a reader in read_committed sees it."""

import time

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec

from accounting import ENRICHED, Seen
from kafka import admin
from reader import RECORDS, TYPES, check, decode

SHORT = ("events", *ENRICHED, "dead-letters")
CHECKED = 200   # whole records, of each topic, are held to their schema


class Ledger:
    def __init__(self, bootstrap, prefix):
        self.prefix = prefix
        self.records = []
        self.faults = []          # what a record is not as it should be
        self._admin = admin(bootstrap)
        self._counts = {}
        self._end = {}
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": f"{prefix}-ledger",
            "enable.auto.commit": False, "isolation.level": "read_committed",
            "auto.offset.reset": "earliest", "enable.partition.eof": True, "log_level": 0,
            "queued.max.messages.kbytes": 16384,
        })
        known = self._admin.list_topics(timeout=20).topics
        self._topics = {f"{prefix}.{short}.v1": short for short in SHORT
                        if f"{prefix}.{short}.v1" in known}
        self._partitions = {topic: len(known[topic].partitions) for topic in self._topics}
        self._consumer.assign([TopicPartition(topic, number, 0)
                               for topic, count in self._partitions.items()
                               for number in range(count)])

    def _take(self, message):
        topic = self._topics[message.topic()]
        count = self._counts[topic] = self._counts.get(topic, 0) + 1
        if message.value() is None:
            return   # a target that was deleted
        headers = dict(message.headers())
        value = TYPES[headers["content-type"].decode()](message.value())
        event = value["id"] if topic == "events" else value.get("event_id", value["id"])
        self.records.append(Seen(
            topic, message.partition(), message.offset(), message.timestamp()[1] / 1000,
            value["id"], event, value.get("row"), value.get("rows"), value.get("generation"),
            value.get("reason") if topic == "dead-letters" else None))
        if topic in RECORDS and (count <= CHECKED or count % 500 == 0):
            try:
                check(decode(message), RECORDS[topic], self._partitions[message.topic()])
            except AssertionError as error:
                self.faults.append(f"not as promised: {str(error)[:600]}")

    def read(self, seconds):
        """Reads on for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for message in self._consumer.consume(5000, 0.2):
                place = (message.topic(), message.partition())
                if message.error():
                    if message.error().code() == KafkaError._PARTITION_EOF:
                        self._end[place] = message.offset()
                    continue
                self._end[place] = message.offset() + 1
                self._take(message)

    def drain(self, within):
        """To the very ends: what an open transaction hides is waited for until that ends."""
        deadline = time.monotonic() + within
        places = {TopicPartition(topic, number): OffsetSpec.latest()
                  for topic, count in self._partitions.items() for number in range(count)}
        behind = None
        while time.monotonic() < deadline:
            try:
                ends = {(place.topic, place.partition): answer.result().offset for place, answer in
                        self._admin.list_offsets(places, request_timeout=20, isolation_level=
                                                 IsolationLevel.READ_UNCOMMITTED).items()}
            except KafkaException as error:
                behind = error
                self.read(0.5)
                continue
            behind = {place: (self._end.get(place, 0), end) for place, end in ends.items()
                      if self._end.get(place, 0) < end}
            if not behind:
                return
            self.read(0.5)
        self.faults.append(f"not read to the end within {within:.0f} s: {behind}")

    def close(self):
        self._consumer.close()
