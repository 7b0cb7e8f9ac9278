# SPDX-License-Identifier: Apache-2.0
"""`vulnbus replay`: a slice of a topic goes out again, each record once, whatever happens to it."""

import os
import pty
import re
import secrets
import signal
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime

import msgpack
import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from daemons import BUILD, Source, run
from kafka import admin
from reader import decode
from vendor import Reply
from waiting import until

DAY = 86_400_000
NOON = int(time.time() * 1000) // DAY * DAY - 10 * DAY + DAY // 2   # within every retention
PARTITIONS = 3


class Place:
    """A configuration and topics of its own, without daemons."""

    def __init__(self, broker, folder):
        self.bootstrap = broker.bootstrap
        self.prefix = f"replay-{secrets.token_hex(4)}"
        self.config = folder / f"{self.prefix}.yaml"
        self.config.write_text(f"""\
kafka: {{bootstrap_servers: "{broker.bootstrap}"}}
topics: {{prefix: {self.prefix}, partitions: {PARTITIONS}, replication_factor: 1}}
sources:
  - name: acme-vdr
    vendor: taegis-vdr
    base_url: https://acme.vdr.example.com
    hook: {{secret: "0123456789abcdef-hook"}}
    api: {{token: "the-token-of-the-vendor"}}
""")
        made = run("vulnbus", "-c", self.config, "topics", "--create")
        assert made.returncode == 0, made.stderr

    def topic(self, short):
        return f"{self.prefix}.{short}.v1"

    def new_topic(self, partitions=PARTITIONS):
        name = f"{self.prefix}-copy-{secrets.token_hex(3)}"
        client = admin(self.bootstrap)
        client.create_topics([NewTopic(name, partitions, 1, config={
            "retention.ms": "-1"})])[name].result(20)
        until(lambda: name in client.list_topics(timeout=10).topics, name)
        return name

    def produce(self, topic, records):
        """(key, value, timestamp, headers) each."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 20,
                             "partitioner": "murmur2_random", "enable.idempotence": True,
                             "queue.buffering.max.messages": 1_000_000})
        failures = []
        for key, value, timestamp, headers in records:
            producer.produce(topic, key=key, value=value, timestamp=timestamp, headers=headers,
                             on_delivery=lambda error, _: error and failures.append(error))
        assert producer.flush(60) == 0 and not failures, failures[:3]

    def ends(self, topic):
        """Where each partition ends, committed or not."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "nobody",
                             "isolation.level": "read_uncommitted"})
        count = len(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
        ends = [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1]
                for p in range(count)]
        consumer.close()
        return ends

    def read(self, topic):
        """Every committed record of a topic, by partition, up to where it ends now: what is in
        an open transaction there is waited for."""
        ends = self.ends(topic)
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "nobody",
                             "enable.auto.commit": False, "isolation.level": "read_committed",
                             "auto.offset.reset": "error", "enable.partition.eof": True, "log_level": 0})
        consumer.assign([TopicPartition(topic, p, 0) for p in range(len(ends))])
        found = {p: [] for p in range(len(ends))}
        open_ = {p for p, end in enumerate(ends) if end > 0}
        deadline = time.monotonic() + 60
        while open_:
            assert time.monotonic() < deadline
            for message in consumer.consume(10_000, 0.2):
                partition = message.partition()
                is_end = message.error() is not None
                assert not is_end or message.error().code() == KafkaError._PARTITION_EOF
                if not is_end:
                    found[partition].append(message)
                if message.offset() + (not is_end) >= ends[partition]:
                    open_.discard(partition)
        consumer.close()
        return found

    def count(self, topic):
        return sum(map(len, self.read(topic).values()))

    def command(self, *arguments):
        return [BUILD / "vulnbus", "replay", "-c", self.config, *map(str, arguments)]

    def replay(self, *arguments, code=0):
        made = subprocess.run(self.command(*arguments), capture_output=True, text=True,
                              timeout=60, stdin=subprocess.DEVNULL)
        assert made.returncode == code, (made.returncode, made.stdout, made.stderr)
        made.id = (re.search(r"replay ([a-z0-9-]+)", made.stdout + made.stderr) or [None] * 2)[1]
        return made


def value_of(number, source, kind, event):
    return {"id": f"{source}:{number}", "event_id": event, "source": source,
            "vendor": "taegis-vdr", "kind": kind}


def headers_of(value):
    return [("content-type", b"application/vnd.msgpack"), ("ce_specversion", b"1.0"),
            ("ce_id", value["id"].encode()), ("ce_type", b"vulnbus.scan.enriched"),
            ("odd", b""), ("twice", b"1"), ("twice", b"2")]


SOURCES = ("acme-vdr", "other")
KINDS = ("scan.completed", "export.completed")
COUNT = 300


def scans():
    """Of two sources, two kinds, three days; 20 keys; every hundredth is a tombstone."""
    for number in range(COUNT):
        value = value_of(number, SOURCES[number % 2], KINDS[number // 2 % 2], f"event-{number // 4}")
        yield (f"{value['source']}/scan/{number % 20}".encode(),
               None if number % 100 == 99 else msgpack.packb(value),
               NOON + number % 3 * DAY + number, headers_of(value))


def plain(message):
    """What a replay must keep, beside its place."""
    return (message.key(), message.value(), message.timestamp()[1],
            [header for header in message.headers() or []
             if not header[0].startswith("vulnbus-")])


def added(message):
    return {name: value.decode() for name, value in message.headers() or []
            if name.startswith("vulnbus-")}


@pytest.fixture(scope="module")
def place(broker, tmp_path_factory):
    """Its scans are never written to by a test."""
    made = Place(broker, tmp_path_factory.mktemp("replay"))
    made.produce(made.topic("scans"), scans())
    made.scans = made.read(made.topic("scans"))
    made.all = [message for part in made.scans.values() for message in part]
    return made


# --- what is replayed ---

def test_a_dry_run_counts_what_is_there_and_sends_nothing(place):
    expected = Counter()
    for message in place.all:
        value = msgpack.unpackb(message.value()) if message.value() else {
            "source": message.key().decode().split("/")[0], "kind": "-"}
        day = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC).date().isoformat()
        expected[value["source"], value["kind"], day] += 1
    lines = place.replay("scans", "--dry-run").stdout.splitlines()
    assert lines[0].split() == ["SOURCE", "KIND", "DAY", "RECORDS"]
    rows = [line.split() for line in lines[1:-1]]
    assert {tuple(row[:3]): int(row[3]) for row in rows} == expected
    assert rows == sorted(rows)
    assert lines[-1] == f"{COUNT} records"
    assert place.count(place.topic("scans")) == COUNT
    assert place.replay("exports", "--dry-run").stdout == "0 records\n"


def test_a_replay_to_another_topic_keeps_the_records(place):
    copy = place.new_topic()
    made = place.replay("scans", "--to-topic", copy)
    assert re.search(rf"replayed {COUNT} records of {COUNT} read in [\d.]+ s \(\d+/s\), "
                     rf"replay {made.id}\n", made.stdout)
    assert f"replay {made.id}: {place.topic('scans')} to {copy}" in made.stderr
    found = place.read(copy)
    for partition, messages in place.scans.items():
        assert [*map(plain, found[partition])] == [*map(plain, messages)]   # order and all
        for before, after in zip(messages, found[partition]):
            assert added(after) == {
                "vulnbus-replay": made.id, "vulnbus-origin-topic": place.topic("scans"),
                "vulnbus-origin-partition": str(before.partition()),
                "vulnbus-origin-offset": str(before.offset())}
    assert sum(message.value() is None for part in found.values() for message in part) == 3

    # Replayed again, a record is of the new replay, and still from where it was first.
    again = place.new_topic(5)
    place.produce(place.topic("exports"), [
        (m.key(), m.value(), m.timestamp()[1], m.headers()) for m in found[0][:10]])
    second = place.replay("exports", "--to-topic", again)
    assert second.id != made.id
    messages = [message for part in place.read(again).values() for message in part]
    assert sorted(map(plain, messages), key=repr) == sorted(map(plain, found[0][:10]), key=repr)
    for message in messages:
        assert added(message)["vulnbus-replay"] == second.id
        assert added(message)["vulnbus-origin-topic"] == place.topic("scans")


def test_a_replay_to_its_own_topic_ends_and_doubles_the_slice(broker, tmp_path):
    place = Place(broker, tmp_path)
    topic = place.topic("scans")
    place.produce(topic, scans())
    made = place.replay("scans", "--source", "other")
    found = place.read(topic)
    again = [m for part in found.values() for m in part if added(m)]
    first = [m for part in found.values() for m in part if not added(m)]
    wanted = [m for m in first if m.key().startswith(b"other/")]
    assert len(first) == COUNT and len(wanted) == COUNT // 2
    assert sorted(map(plain, again), key=repr) == sorted(map(plain, wanted), key=repr)
    assert {added(m)["vulnbus-replay"] for m in again} == {made.id}
    for part in found.values():   # behind what was there
        assert sorted(part, key=lambda m: bool(added(m))) == part


def dry(place, *arguments):
    return int(place.replay("scans", "--dry-run", *arguments).stdout.split()[-2])


def rfc3339(ms):
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


FILTERS = {
    ("--source", "acme-vdr"): lambda m, v: m.key().startswith(b"acme-vdr/"),
    ("--kind", "scan"): lambda m, v: v and v["kind"] == "scan.completed",
    ("--kind", "export.completed"): lambda m, v: v and v["kind"] == "export.completed",
    ("--kind", "sca"): lambda m, v: False,
    ("--id", "event-7"): lambda m, v: v and v["event_id"] == "event-7",
    ("--id", "other:11"): lambda m, v: v and v["id"] == "other:11",
    ("--key", "other/scan/3"): lambda m, v: m.key() == b"other/scan/3",
    ("--source", "other", "--kind", "scan.completed"):
        lambda m, v: v and v["source"] == "other" and v["kind"] == "scan.completed",
    ("--from", rfc3339(NOON + DAY)): lambda m, v: m.timestamp()[1] >= NOON + DAY,
    ("--to", rfc3339(NOON + DAY + 1)): lambda m, v: m.timestamp()[1] < NOON + DAY + 1,
    ("--from", rfc3339(NOON + DAY + 10), "--to", rfc3339(NOON + DAY + 100)):
        lambda m, v: NOON + DAY + 10 <= m.timestamp()[1] < NOON + DAY + 100,
    ("--from", "-1h"): lambda m, v: False,
    ("--to", "-1h"): lambda m, v: True,
    ("--from", "@10"): lambda m, v: m.offset() >= 10,
    ("--to", "@10"): lambda m, v: m.offset() < 10,
    ("--from", "@10", "--to", "@30"): lambda m, v: 10 <= m.offset() < 30,
    ("--from", "@30", "--to", "@10"): lambda m, v: False,
    ("--from", "@100000"): lambda m, v: False,
}


# Counting and sending read the same slice: a few of them are sent too.
SENT = [arguments for arguments in FILTERS if len(arguments) == 4]


@pytest.mark.parametrize("arguments", FILTERS, ids=" ".join)
def test_a_slice_is_what_the_options_say(place, arguments):
    wanted = [m for m in place.all
              if FILTERS[arguments](m, m.value() and msgpack.unpackb(m.value()))]
    assert dry(place, *arguments) == len(wanted)
    if arguments not in SENT:
        return
    copy = place.new_topic()
    place.replay("scans", "--to-topic", copy, *arguments)
    found = [m for part in place.read(copy).values() for m in part]
    assert sorted(map(plain, found), key=repr) == sorted(map(plain, wanted), key=repr)


def test_what_cannot_be_decoded_goes_only_without_filters_on_its_content(place):
    topic = place.topic("dead-letters")
    bad = [(b"k", b"\xc1", NOON, [("content-type", b"application/vnd.msgpack")]),
           (b"k", b"{", NOON, [("content-type", b"application/json")]),
           (b"k", b"", NOON, None), (None, b"\xc1 no key", NOON, None)]
    good = msgpack.packb(value_of(1, "acme-vdr", "scan.completed", "e"))
    place.produce(topic, [*bad, (b"k", good, NOON, None)])
    copy = place.new_topic()
    assert "replayed 5 records of 5" in place.replay("dead-letters", "--to-topic", copy).stdout
    before = [plain(m) for part in place.read(topic).values() for m in part]
    after = place.read(copy)
    assert sorted((plain(m) for part in after.values() for m in part), key=repr) == sorted(
        before, key=repr)
    made = place.replay("dead-letters", "--to-topic", copy, "--kind", "scan")
    assert "replayed 1 records of 5" in made.stdout
    assert "3 records cannot be decoded" in made.stderr
    made = place.replay("dead-letters", "--to-topic", copy, "--key", "k")
    assert "replayed 4 records of 5" in made.stdout


def test_a_rate_is_kept(place):
    began = time.monotonic()
    place.replay("scans", "--to-topic", place.new_topic(), "--rate", 100)
    assert 2.5 < time.monotonic() - began < 8


# --- what ends it ---

BIG = 200_000


@pytest.fixture(scope="module")
def big(broker, tmp_path_factory):
    made = Place(broker, tmp_path_factory.mktemp("big"))
    made.produce(made.topic("export-rows"),
                 ((str(n % 5000).encode(), b"%d" % n, NOON + n, [("n", b"1")])
                  for n in range(BIG)))
    return made


def values(place, topic):
    return Counter(int(m.value()) for part in place.read(topic).values() for m in part)


def begun(place, *arguments):
    """A replay that runs, with its id."""
    process = subprocess.Popen(place.command(*arguments), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = re.match(r"replay ([a-z0-9-]+): .* up to (\d+) records", process.stderr.readline())
    process.left = int(said[2])
    return process, said[1]


def length(place, topic):
    return sum(place.ends(topic))


def test_killed_again_and_again_each_record_is_there_once(big):
    copy = big.new_topic()
    process, name = begun(big, "export-rows", "--yes", "--to-topic", copy, "--rate", 60_000)
    left = [process.left]
    for part in range(1, 4):   # each time in the middle of a second transaction
        until(lambda: length(big, copy) > part * 60_000, "some are sent", 30, 0.01)
        process.kill()
        process.wait()
        process, again = begun(big, "--resume", name, "--rate", 60_000)
        assert again == name
        left.append(process.left)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert left[0] == BIG and left == sorted(left, reverse=True) and 0 < left[-1] < BIG, left
    found = values(big, copy)
    assert len(found) == BIG and set(found.values()) == {1}
    assert length(big, copy) > BIG + 4
    copied, origin = big.read(copy), big.read(big.topic("export-rows"))
    for partition, messages in origin.items():   # and in order
        assert [m.value() for m in copied[partition]] == [m.value() for m in messages]
    made = big.replay("--resume", name)
    assert f"replay {name} has ended" in made.stdout
    assert big.count(copy) == BIG


def test_a_million_records_keep_their_ids_and_their_order(broker, tmp_path):
    count = 1_000_000
    place = Place(broker, tmp_path)
    topic, copy = place.topic("export-rows"), place.new_topic()
    place.produce(topic, ((b"acme-vdr/export/%d" % (n % 5000), b"%d" % n, NOON + n // 100,
                           [("ce_id", b"row:%d" % n)]) for n in range(count)))
    made = subprocess.run(place.command("export-rows", "--to-topic", copy, "--yes"), timeout=120,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert made.returncode == 0 and f"replayed {count} records" in made.stdout, made.stderr
    seen = 0
    for before, after in zip(*(place.read(each).values() for each in (topic, copy))):
        assert len(before) == len(after)
        seen += len(after)
        # A key is in one partition: the order of a partition is that of its keys.
        for old, new in zip(before, after):
            assert old.value() == new.value() and old.key() == new.key()
            assert old.timestamp() == new.timestamp()
            assert new.headers()[0] == ("ce_id", b"row:" + new.value())
    assert seen == count


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(big, number):
    copy = big.new_topic()
    arguments = ["export-rows", "--to-topic", copy, "--rate", 6000, "--from", "@2000", "--to",
                 "@12000"]
    process, name = begun(big, *arguments, "--yes")
    until(lambda: big.count(copy) > 0, "something is committed", 30, 0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 75, (out, err)
    assert f"vulnbus replay --resume {name}" in err
    sent = int(re.search(r"replayed (\d+) records", out)[1])
    assert big.count(copy) == sent and 0 < sent < 30_000
    made = big.replay("--resume", name)
    assert f"replayed {30_000 - sent} records" in made.stdout
    found = values(big, copy)
    assert len(found) == 30_000 and set(found.values()) == {1}


def test_filters_and_ends_outlive_the_process(broker, tmp_path):
    place = Place(broker, tmp_path)
    topic = place.topic("scans")
    place.produce(topic, scans())
    process, name = begun(place, "scans", "--source", "other", "--rate", 50)
    until(lambda: place.count(topic) > COUNT, "something is committed", 30, 0.05)
    process.kill()
    process.wait()
    place.produce(topic, scans())   # came later, and is not of it
    place.replay("--resume", name)
    found = Counter(added(m).get("vulnbus-replay") for part in place.read(topic).values()
                    for m in part)
    assert found == {None: 2 * COUNT, name: COUNT // 2}


def test_two_processes_of_one_replay_do_not_send_twice(big):
    copy = big.new_topic()
    first, name = begun(big, "export-rows", "--to-topic", copy, "--rate", 10_000, "--yes",
                        "--to", "@20000")
    until(lambda: length(big, copy) > 0, "something is sent", 30, 0.01)
    made = big.replay("--resume", name)
    assert made.id == name
    assert first.wait(30) == 69
    assert f"--resume {name}" in first.stderr.read()
    found = values(big, copy)
    assert len(found) == 60_000 and set(found.values()) == {1}


def test_a_broker_that_dies_delays_it(own_broker, tmp_path):
    own_broker.ensure()
    place = Place(own_broker, tmp_path)
    with place.config.open("a") as file:   # less than a broker takes to start: it is begun anew
        file.write("enricher: {transaction_timeout: 1s}\n")
    topic, copy = place.topic("export-rows"), place.new_topic()
    place.produce(topic, ((b"%d" % (n % 100), b"%d" % n, NOON, None) for n in range(60_000)))
    process, name = begun(place, "export-rows", "--to-topic", copy, "--rate", 15_000, "--yes")
    until(lambda: length(place, copy) > 20_000, "some are sent", 30, 0.01)
    own_broker.kill()
    own_broker.start()
    out, err = process.communicate(timeout=120)
    if process.returncode == 69:   # the broker aborted its transaction before it did so itself
        assert f"vulnbus replay --resume {name}" in err
        out, err = place.replay("--resume", name).stdout, ""
    else:
        assert process.returncode == 0, (out, err)
    assert "replayed " in out
    found = values(place, copy)
    assert len(found) == 60_000 and set(found.values()) == {1}


def test_a_record_that_the_topic_refuses_stops_it(place):
    topic, copy = place.topic("findings"), place.new_topic(1)
    resource = ConfigResource(ConfigResource.Type.TOPIC, copy, incremental_configs=[ConfigEntry(
        "max.message.bytes", "2000", incremental_operation=AlterConfigOpType.SET)])
    client = admin(place.bootstrap)
    client.incremental_alter_configs([resource])[resource].result(20)
    place.produce(topic, [(b"k", os.urandom(size), NOON, None) for size in (10, 5000, 20)])
    made = place.replay("findings", "--to-topic", copy, code=65)
    assert copy in made.stderr and f"vulnbus replay --resume {made.id}" in made.stderr
    assert place.count(copy) == 0
    resource = ConfigResource(ConfigResource.Type.TOPIC, copy, incremental_configs=[ConfigEntry(
        "max.message.bytes", "20000", incremental_operation=AlterConfigOpType.SET)])
    client.incremental_alter_configs([resource])[resource].result(20)
    assert "replayed 3 records" in place.replay("--resume", made.id).stdout
    assert place.count(copy) == 3


def test_an_id_nobody_knows(place):
    made = place.replay("--resume", "20200101-000000-deadbeef", code=66)
    assert "no replay 20200101-000000-deadbeef is known" in made.stderr


# --- questions and answers ---

def rest_of(master):
    """All that comes yet: who writes to a terminal that nobody reads is held up."""
    seen = b""
    try:
        while part := os.read(master, 1000):
            seen += part
    except OSError:
        pass   # the other side is closed
    os.close(master)
    return seen


def test_much_is_asked_about(big):
    copy = big.new_topic()
    made = big.replay("export-rows", "--to-topic", copy, code=64)
    assert f"up to {BIG} records" in made.stderr and "--yes" in made.stderr
    assert length(big, copy) == 0
    for answer, code in (("n", 75), ("y", 0)):
        master, slave = pty.openpty()
        process = subprocess.Popen(
            big.command("export-rows", "--to-topic", copy, "--to", "@4000"), stdin=slave,
            stdout=subprocess.PIPE, stderr=slave)
        os.close(slave)
        seen = b""
        while b"[y/N] " not in seen:
            seen += os.read(master, 1000)
        assert f"Replay up to 12000 records of {big.topic('export-rows')} to {copy}?".encode() in seen
        os.write(master, answer.encode() + b"\n")
        rest_of(master)
        assert process.wait(60) == code
        assert big.count(copy) == (12_000 if code == 0 else 0)


WRONG = {
    "one topic": [], "one topic, please": ["scans", "events"], "no such topic": ["scanz"],
    "state": ["state"], "memory": ["scans", "--to-topic", "state"],
    "holds no events": ["scans", "--to-topic", "events"],
    "neither RFC 3339": ["scans", "--from", "yesterday"],
    "nor @OFFSET": ["scans", "--to", "@-1"], "--rate": ["scans", "--rate", "0"],
    "--resume": ["scans", "--resume", "a"], "only --rate": ["--resume", "a", "--kind", "scan"],
    "not the id": ["--resume", "A b"], "unrecognized": ["scans", "--nonsense"],
    "an empty text": ["scans", "--kind", ""],
}


@pytest.mark.parametrize("text", WRONG)
def test_a_call_that_is_wrong_is_64(place, text):
    assert text in place.replay(*WRONG[text], code=64).stderr


def test_a_topic_that_is_not_there(place):
    made = place.replay("scans", "--to-topic", "nobody-has-made-this", code=66)
    assert "nobody-has-made-this does not exist" in made.stderr


def test_a_terminal_sees_a_bar(big):
    master, slave = pty.openpty()
    process = subprocess.Popen(
        big.command("export-rows", "--to-topic", big.new_topic(), "--to", "@3000", "--rate", 6000),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    seen = rest_of(master)
    assert process.wait(30) == 0
    bars = re.findall(rb"\r\x1b\[K\[#*\.*\] (\d+) %, \d+ records, \d+/s", seen)
    assert 5 < len(bars) < 25
    assert [*map(int, bars)] == sorted(map(int, bars))


def test_nobody_sees_a_line_now_and_then(big):
    made = big.replay("export-rows", "--to-topic", big.new_topic(), "--to", "@1000", "--rate", 250)
    lines = [line for line in made.stderr.splitlines() if " %, " in line]
    assert len(lines) == 1 and "\x1b" not in made.stderr
    assert re.fullmatch(r"\d+ %, \d+ records, \d+/s, .* left", lines[0]), lines


# --- what the enricher makes of it ---

@pytest.fixture(scope="module")
def shop(module_stack):
    made = module_stack([Source()], {"enricher": {"give_up_after": "3s"}})
    made.enricher.expect_errors("gave up|give up|giving up|dead letter")
    made.source = made.sources[0]
    return made.start()


def test_a_replayed_event_is_enriched_once_more(shop):
    shop.source.stub.scan("1")
    shop.source.stub.scan("2")
    name = shop.notify(shop.source, id="1", kind="scan", status="done")
    other = shop.notify(shop.source, id="2", kind="scan", status="done")
    shop.tap.one("scans", event_id=name)
    shop.tap.one("scans", event_id=other)
    made = run("vulnbus", "replay", "-c", shop.config, "events", "--id", name)
    assert made.returncode == 0 and "replayed 1 records" in made.stdout, made.stderr
    first, second = shop.tap.wait("scans", 2, event_id=name)
    assert first.value["id"] == second.value["id"]
    assert first.value["fetched_ms"] <= second.value["fetched_ms"]
    assert "vulnbus-replay" not in second.headers
    event = shop.tap.find("events", id=name)[-1]
    # The same replay's record once more, as if somebody had sent it twice.
    producer = Producer({"bootstrap.servers": shop.broker.bootstrap})
    producer.produce(event.topic, key=event.key, value=msgpack.packb(event.value),
                     partition=event.partition, timestamp=event.timestamp,
                     headers=list(event.headers.items()))
    assert producer.flush(30) == 0
    shop.source.stub.scan("3")
    last = shop.notify(shop.source, id="3", kind="scan", status="done")
    shop.tap.one("scans", event_id=last)
    id_of_it = event.headers["vulnbus-replay"]
    again = run("vulnbus", "replay", "-c", shop.config, "--resume", id_of_it)
    assert again.returncode == 0 and f"replay {id_of_it} has ended" in again.stdout
    run("vulnbus", "replay", "-c", shop.config, "events", "--id", name)
    shop.tap.wait("scans", 3, event_id=name)   # another replay
    shop.tap.drain()
    assert len(shop.tap.find("scans", event_id=name)) == 3
    assert len(shop.tap.find("scans", event_id=other)) == 1


def test_a_dead_letter_becomes_its_event_again(shop, broker, tmp_path):
    shop.source.stub.scan("4")
    name = shop.notify(shop.source, id="4", kind="scan", status="done")
    event = shop.tap.one("events", id=name)
    place = Place(broker, tmp_path)
    letter = {"id": f"{name}/dead-letter", "event_id": name, "source": "acme-vdr",
              "vendor": "taegis-vdr", "kind": "scan.completed", "failed_ms": NOON,
              "reason": "tired", "stage": "fetch", "attempts": 3, "event": event.value}
    unfit = {**letter, "event": {"id": "x"}}
    headers = {**event.headers, "ce_id": letter["id"], "vulnbus-origin-topic": "somewhere",
               "vulnbus-origin-partition": "2", "vulnbus-origin-offset": "17"}
    place.produce(place.topic("dead-letters"), [
        (event.key, msgpack.packb(value), NOON, list(headers.items())) for value in (letter, unfit)])
    made = place.replay("dead-letters", "--to-topic", "events")
    assert "replayed 1 records of 2" in made.stdout and "1 dead letters" in made.stderr
    [again] = [decode(m) for part in place.read(place.topic("events")).values() for m in part]
    assert (again.key, again.value, again.timestamp) == (event.key, event.value, event.timestamp)
    assert again.headers.pop("traceparent") and event.headers["traceparent"]
    assert again.headers == {
        **{name: value for name, value in event.headers.items() if name != "traceparent"},
        "vulnbus-replay": made.id, "vulnbus-origin-topic": "somewhere",
        "vulnbus-origin-partition": "2", "vulnbus-origin-offset": "17"}


def test_dead_letters_are_worked_on_again_after_a_fix(shop):
    names = {}
    for number in ("51", "52"):
        shop.source.stub.always(f"/api/v2/scans/{number}", Reply(500))
        names[number] = shop.notify(shop.source, id=number, kind="scan", status="done")
        shop.tap.one("dead-letters", event_id=names[number])
    for number in names:
        shop.source.stub.usual(f"/api/v2/scans/{number}")
        shop.source.stub.scan(number)
    made = run("vulnbus", "replay", "-c", shop.config, "dead-letters", "--to-topic", "events",
               "--source", shop.source.name)
    assert made.returncode == 0, made.stderr
    for number, name in names.items():
        assert shop.tap.one("scans", event_id=name).value["scan"]["id"] == number
    shop.tap.drain()
    assert len(shop.tap.find("scans", event_id=names["51"])) == 1
