# SPDX-License-Identifier: Apache-2.0
"""A vendor that is down, slow or throttling delays its own events only, as long as it has to and no
longer; and nobody is asked more often than allowed."""

import json
import time
from email.utils import formatdate
from itertools import accumulate, pairwise

import msgpack
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from daemons import Daemon, Source
from reader import decode
from vendor import Reply
from waiting import until

MANY = 2000
BOUND = 5.0        # by when another vendor's events are enriched meanwhile
CONCURRENT = 8     # calls under way at once, by default


def flood(made, source, count, first=100_000, **claims):
    """Many events at once: copies of one that came in, each of a scan of its own. Their names."""
    name = made.notify(source, id="1", kind="scan", status="done",
                       **(claims or {"assetId": "1", "assetType": "site"}))
    record = made.tap.one("events", id=name)
    producer = Producer({"bootstrap.servers": made.broker.bootstrap,
                         "partitioner": "murmur2_random", "queue.buffering.max.messages": 100_000})
    names = [name]
    for number in map(str, range(first, first + count - 1)):
        event = {**record.value, "subject": {"type": "scan", "id": number},
                 "id": f"{source.name}:scan:{number}:0:done"}
        key = f"{source.name}/scan/{number}"
        headers = {**record.headers, "ce_id": event["id"], "ce_subject": f"scan/{number}",
                   "ce_partitionkey": key}
        producer.produce(record.topic, msgpack.packb(event), key, headers=list(headers.items()),
                         timestamp=record.timestamp)
        names.append(event["id"])
    assert producer.flush(20) == 0
    return names


def calls(source, since, until_=float("inf")):
    return [seen for seen in list(source.stub.seen)
            if since <= seen.time < until_ and seen.path.startswith("/api/v2/")]


def passes(seconds):
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() >= end, "time", seconds + 5)


# --- one vendor's trouble is not another's ---

@pytest.fixture(scope="module")
def pair(module_stack):
    """A vendor in trouble with very many events, of which few fit into memory, and a good one."""
    bad, good = Source("acme-vdr", settings={"api": {"timeout": "2s"}}), Source("other-vdr")
    made = module_stack([bad, good], {"enricher": {"max_in_memory": 100, "retry_from": "1s",
                                                   "retry_to": "8s"}})
    made.enricher.expect_errors("401|token|authori")
    made.bad, made.good = bad, good
    made.numbers = iter(range(1000, 10**6))
    bad.stub.mood = Reply(500)
    made.start()
    made.waiting = flood(made, bad, MANY)
    until(lambda: made.enricher.metric("vulnbus_events_waiting") >= MANY - CONCURRENT * 4,
          "they wait", 30)
    made.tap.drain(60)   # reading and checking so many must not count as anybody's delay
    return made


def at_a_date(seconds):
    return Reply(429, {"Retry-After": formatdate(time.time() + seconds, usegmt=True)})


MOODS = {
    "500": lambda: Reply(500),
    "429 for so many seconds": lambda: Reply(429, {"Retry-After": "2"}),
    "429 until a date": lambda: at_a_date(3),
    "429": lambda: Reply(429),
    "slow": lambda: Reply(delay=6.0),
    "refused": None,
    "401": lambda: Reply(401),
}


@pytest.mark.parametrize("mood", MOODS, ids=lambda name: name.replace(" ", "-"))
def test_a_vendor_in_trouble_delays_its_own_events_only(pair, mood):
    bad, good = pair.bad, pair.good
    began = time.monotonic()
    if MOODS[mood]:
        bad.stub.mood = MOODS[mood]()
        until(lambda: calls(bad, began), "the mood is felt")
    else:
        bad.stub.down()
    names = []
    began = time.monotonic()
    for number in [str(next(pair.numbers)) for _ in range(20)]:
        good.stub.scan(number)
        names.append(pair.notify(good, id=number, kind="scan", status="done"))
    for name in names:
        pair.tap.one("scans", max(0.1, began + BOUND - time.monotonic()), event_id=name)
    if not MOODS[mood]:
        bad.stub.up()
    assert not pair.tap.find("scans", source=bad.name)


@pytest.mark.timeout(240)
def test_and_when_it_is_well_again_each_of_its_events_is_enriched_once(pair):
    """The test above left them all behind."""
    assert 0 < pair.enricher.metric("vulnbus_events_in_memory") <= 100
    pair.bad.stub.mood = None
    pair.bad.stub.token = "another-token-0123456789"   # a 401 ends with another token
    pair.write_token(pair.bad, pair.bad.stub.token)
    until(lambda: pair.enricher.metric("vulnbus_events_waiting") == 0, "nothing waits", 40)
    assert pair.enricher.metric("vulnbus_events_in_memory") == 0
    pair.tap.wait("scans", MANY, 60, source=pair.bad.name)
    pair.tap.drain()
    enriched = [record.value["event_id"]
                for record in pair.tap.find("scans", source=pair.bad.name)]
    assert sorted(enriched) == sorted(pair.waiting)
    assert not pair.tap.records["dead-letters"]


@pytest.mark.parametrize("how", ["seconds", "date"])
def test_retry_after_holds_for_the_whole_source(stack, how):
    source = Source()
    # One vendor's word cannot silence it for longer than retry_to.
    made = stack([source], {"enricher": {"retry_to": "10s"}}).start()
    # A date has whole seconds: the one before this is three away at least.
    source.stub.mood = Reply(429, {"Retry-After": "3"}) if how == "seconds" else at_a_date(4)
    names = flood(made, source, 40)
    first = until(lambda: calls(source, 0), "a call")[0].time
    passes(first + 2.9 - time.monotonic())
    assert len(calls(source, 0)) <= CONCURRENT
    source.stub.mood = None
    made.tap.wait("scans", len(names), 20)
    assert calls(source, first + 0.5)[0].time >= first + 2.9


# --- as many calls at once as configured ---

WAITING = 10_000
AT_ONCE = 32
ANSWERS_AFTER = 0.1


def open_calls(seen):
    """(time, calls open from then on), in order."""
    steps = sorted([(each.time, 1) for each in seen] + [(each.ended, -1) for each in seen])
    return list(zip((at for at, _ in steps), accumulate(change for _, change in steps)))


def mean_open(steps, since, until_):
    """How many calls were open on average in between."""
    inside = [(max(at, since), min(after, until_), count)
              for (at, count), (after, _) in pairwise(steps) if after > since and at < until_]
    return sum((end - begin) * count for begin, end, count in inside) / (until_ - since)


@pytest.mark.timeout(300)
def test_ten_thousand_waiting_events_are_asked_about_at_the_configured_concurrency(stack):
    source = Source(settings={"api": {"max_concurrent": AT_ONCE}})
    # A token that the vendor refuses holds them all back.
    good, source.stub.token = source.stub.token, "refused-until-all-are-there"
    made = stack([source])
    made.enricher.expect_errors("401|token|authori")
    made.write_token(source, good)
    made.start(enricher=False)
    names = flood(made, source, WAITING, attemptNumber=1)
    made.enricher.start(ready=False)
    until(lambda: made.enricher.metric("vulnbus_events_waiting") >= WAITING, "they wait", 60)
    for name in names:
        number = name.split(":")[2]
        source.stub.always(f"/api/v2/scans/{number}", Reply(
            delay=ANSWERS_AFTER, body=json.dumps({"id": number, "status": "DONE"}).encode()))
    began = time.monotonic()
    made.write_token(source, "another-token-0123456789")
    until(lambda: made.enricher.metric("vulnbus_events_waiting") == 0, "nothing waits", 120, 0.2)
    seen = [each for each in calls(source, began) if each.ended > 0]
    assert len(seen) == WAITING
    steps = open_calls(seen)
    assert max(count for _, count in steps) == AT_ONCE
    # From the first until there are too few left.
    first, last = seen[0].time, sorted(each.time for each in seen)[-AT_ONCE]
    tenth = (last - first) / 10
    shares = [mean_open(steps, first + n * tenth, first + (n + 1) * tenth) / AT_ONCE
              for n in range(10)]
    # While a transaction is committed no answer is read; a full machine makes that longer.
    assert min(shares) >= 0.5 and sum(shares) >= 6.5, shares


# --- giving up ---

@pytest.fixture(scope="module")
def hasty(module_stack):
    made = module_stack([Source()], {"enricher": {
        "give_up_after": "4s", "retry_from": "200ms", "retry_to": "600ms"}})
    made.enricher.expect_errors("gave up|give up|giving up|dead letter|transaction|coordinator|fenc")
    made.source = made.sources[0]
    return made.start()


def record_at(made, headers):
    """What stands where a dead letter says that it came from."""
    consumer = Consumer({"bootstrap.servers": made.broker.bootstrap, "group.id": f"{made.prefix}-at",
                         "enable.auto.commit": False, "log_level": 0})
    consumer.assign([TopicPartition(headers["vulnbus-origin-topic"],
                                    int(headers["vulnbus-origin-partition"]),
                                    int(headers["vulnbus-origin-offset"]))])
    message = until(lambda: consumer.poll(0.2), "the record it came from")
    consumer.close()
    assert not message.error()
    return decode(message)


def test_a_dead_letter_says_why_and_points_to_its_event(hasty):
    stub = hasty.source.stub
    stub.always("/api/v2/scans/1", Reply(503))
    stub.always("/api/v2/scans/2", Reply(302, {"Location": "http://127.0.0.1:1/"}))
    names = [hasty.notify(hasty.source, id=number, kind="scan", status="done")
             for number in ("1", "2", "3")]
    for number, status in (("1", 503), ("2", None)):
        letter = hasty.tap.one("dead-letters", event_id=names[int(number) - 1])
        value = letter.value
        assert value.get("http_status") == status
        assert value["attempts"] == len(stub.calls(f"/api/v2/scans/{number}")) >= 3
        assert str(status or "connect") in value["reason"]
        event = record_at(hasty, letter.headers)
        assert event.value["id"] == value["event_id"] == names[int(number) - 1]
        assert event.topic == f"{hasty.prefix}.events.v1"
        assert event.value["subject"] == value["event"]["subject"]
    hasty.tap.one("scans", event_id=names[2])


def test_what_waits_survives_a_kill_with_its_attempts_and_its_time(hasty):
    stub = hasty.source.stub
    failing, told = "/api/v2/scans/11", "/api/v2/scans/12"
    stub.always(failing, Reply(500))
    stub.scan("12")
    stub.script(told, Reply(503, {"Retry-After": "3"}))
    fails = hasty.notify(hasty.source, id="11", kind="scan", status="done")
    event = hasty.tap.one("events", id=fails)
    until(lambda: len(stub.calls(failing)) >= 2, "asked twice")
    waits = hasty.notify(hasty.source, id="12", kind="scan", status="done")
    until(lambda: stub.calls(told), "asked once")
    until(lambda: hasty.enricher.metric("vulnbus_events_waiting") >= 2, "both wait")
    before = len(stub.calls(failing))
    hasty.enricher.kill()
    hasty.enricher.start()
    again_ms = time.time() * 1000

    hasty.tap.one("scans", event_id=waits)
    first, second = stub.calls(told)
    assert second.time - first.time >= 3.0
    letter = hasty.tap.one("dead-letters", event_id=fails).value
    tried = len(stub.calls(failing))
    # The try under way when it was killed need not have been written down.
    assert tried > before and tried - 1 <= letter["attempts"] <= tried
    assert letter["http_status"] == 500
    # Four seconds from when it came, not from the restart.
    end_ms = event.value["received_ms"] + 4000
    assert end_ms <= letter["failed_ms"] <= max(end_ms, again_ms) + 2000
    assert record_at(hasty, hasty.tap.one("dead-letters", event_id=fails).headers).value["id"] == fails


# --- rate limits ---

RATE = 10.0     # calls a second
SPAN = 4.0      # measured for so long
UNDER_WAY = 8


def spent(source, since):
    """True when what a bucket had saved is gone, and paid back what it owed: about the rate, for
    three seconds."""
    now = time.monotonic()
    return now > since + 3 and 1.8 * RATE <= len(calls(source, now - 3)) <= 3.9 * RATE


def share(daemon, source):
    return daemon.metric("vulnbus_api_calls_total", source=source.name)


def test_one_instance_and_two_together_keep_the_rate(stack):
    """Requests count, not events: each of these takes two."""
    source = Source(settings={"api": {"calls_per_hour": int(RATE * 3600), "max_concurrent": UNDER_WAY}})
    made = stack([source]).start()
    began = time.monotonic()
    flood(made, source, 1500)
    start = time.monotonic()
    until(lambda: spent(source, start), "the bucket is empty, about the rate is kept", 30)
    start = time.monotonic()
    # A bucket is a minute's calls at most; the second calls of what is under way may be paid later.
    assert len(calls(source, 0)) <= 60 * RATE + (start - began) * RATE + 1 + UNDER_WAY
    passes(SPAN)
    assert 0.7 * RATE * SPAN <= len(calls(source, start, start + SPAN)) <= 1.1 * RATE * SPAN + 2

    config = made.folder / "two.yaml"
    config.write_text(made.config.read_text().replace("instance_id: one", "instance_id: two"))
    other = Daemon("vulnbus-enricher", config, made.folder / "two.log")
    other.start()
    try:
        until(lambda: share(other, source) > 0, "the other one asks")
        start = time.monotonic()
        until(lambda: spent(source, start), "its bucket is empty, about the rate is kept", 30)
        start, before = time.monotonic(), [share(made.enricher, source), share(other, source)]
        passes(SPAN)
        now = [share(made.enricher, source), share(other, source)]
        assert 0.7 * RATE * SPAN <= len(calls(source, start, start + SPAN)) \
            <= 1.1 * RATE * SPAN + 2
        # Three partitions: one has two of them, and two thirds of the calls.
        low, high = sorted(n - b for n, b in zip(now, before))
        assert 1.4 <= high / low <= 2.9, (low, high)
    finally:
        other.stop()
