# SPDX-License-Identifier: Apache-2.0
"""Kafka goes away and comes back: answers in time, nothing promised is lost, nothing restarted."""

import json
import signal
import threading
import time

import pytest
import requests

from daemons import Source, Stack
from vendor import Reply
from waiting import until

ANSWER_WITHIN = 2.0
SLACK = 0.5


@pytest.fixture
def broker(own_broker):
    """A broker of this file alone, running when a test begins and when it ends."""
    own_broker.ensure()
    yield own_broker
    own_broker.ensure()


@pytest.fixture
def site(broker, tmp_path):
    source = Source()
    stack = Stack(broker, tmp_path / "stack", [source],
                  {"ingress": {"answer_within": f"{ANSWER_WITHIN:g}s", "retry_after": "7s"}})
    stack.expect_errors()   # an outage may be called an error
    stack.source = source
    stack.start()
    yield stack
    broker.ensure()   # or nobody could end in order
    stack.close()


class Caller(threading.Thread):
    """Calls without pause, each time with another scan; remembers what it was told."""

    def __init__(self, stack, offset):
        super().__init__(daemon=True)
        self.stack = stack
        self.offset = offset
        self.answers = []      # (scan, status, Retry-After, seconds)
        self.enough = threading.Event()
        self.start()

    def run(self):
        number = self.offset
        with requests.Session() as session:
            while not self.enough.wait(0.01):
                number += 1
                source = self.stack.source
                source.stub.scan(str(number))
                token = source.token(id=str(number), kind="scan", status="done")
                began = time.monotonic()
                try:
                    answer = session.post(self.stack.ingress.url() + source.path, timeout=30,
                                          headers={"Authorization": f"Signed {token}"})
                    told = answer.status_code, answer.headers.get("Retry-After")
                except requests.RequestException as error:
                    told = repr(error), None
                self.answers.append((str(number), *told, time.monotonic() - began))

    def last(self):
        return self.answers[-1][1] if self.answers else None

    def stop(self):
        self.enough.set()
        self.join(40)
        return self.answers


@pytest.mark.parametrize("how", ["stop", "kill", "freeze"])
def test_nothing_is_lost_when_kafka_goes_and_comes_back(site, broker, how):
    pids = [site.ingress.process.pid, site.enricher.process.pid]
    callers = [Caller(site, 1_000_000 * (n + 1)) for n in range(4)]
    until(lambda: all(caller.last() == 202 for caller in callers), "202 before")

    getattr(broker, how)()
    until(lambda: all(caller.last() == 503 for caller in callers), "503 while it is away")
    until(lambda: not site.ingress.ready(), "not ready any more")
    assert site.ingress.admin("/healthz").status_code == 200
    count = [len(caller.answers) for caller in callers]
    until(lambda: all(len(caller.answers) > n for caller, n in zip(callers, count)), "more 503")
    for daemon in site.ingress, site.enricher:
        until(lambda: daemon.metric("vulnbus_kafka_up") == 0, f"{daemon.program} says so", 20)

    if how == "freeze":
        broker.thaw()
    else:
        broker.start()
    until(lambda: all(caller.last() == 202 for caller in callers), "202 again", 60)
    until(site.ingress.ready, "ready again", 30)
    until(site.enricher.ready, "the enricher is ready again", 60)
    until(lambda: site.enricher.metric("vulnbus_kafka_up") == 1, "and says so", 10)
    assert [site.ingress.process.pid, site.enricher.process.pid] == pids
    assert site.ingress.process.poll() is None and site.enricher.process.poll() is None

    answers = [answer for caller in callers for answer in caller.stop()]
    assert {status for _, status, _, _ in answers} == {202, 503}
    for number, status, retry_after, took in answers:
        assert took <= ANSWER_WITHIN + SLACK, (number, status, took)
        assert status != 503 or int(retry_after) >= 1

    promised = {number for number, status, _, _ in answers if status == 202}
    site.tap.drain()
    written = {record.value["subject"]["id"] for record in site.tap.records["events"]}
    assert promised <= written
    # And the enricher finishes each that was written, once.
    def names(topic, field):
        return [record.value[field] for record in site.tap.records[topic]]

    until(lambda: site.tap.drain() or
          set(names("events", "id")) == set(names("scans", "event_id")), "all enriched", 60, 0.2)
    assert len(names("scans", "event_id")) == len(set(names("scans", "event_id")))


def test_ended_in_an_outage_it_answers_those_who_wait(site, broker):
    site.notify(site.source, id="1", kind="scan", status="done")
    broker.freeze()
    caller = Caller(site, 5_000_000)
    until(lambda: len(caller.answers) >= 1, "one 503")
    before = len(caller.answers)
    caller.enough.set()
    waiting = Caller(site, 6_000_000)
    waiting.enough.wait(0.3)     # its first call is under way
    waiting.enough.set()
    site.ingress.terminate()
    waiting.join(30)
    assert site.ingress.wait() == 0
    assert {status for _, status, _, _ in waiting.answers} == {503}
    assert before >= 1


def test_a_transaction_that_does_not_end_is_seen(site, broker):
    """The vendor answers when Kafka does no more: whoever asks hears of it from another thread."""
    path = site.source.stub.scan("1")
    site.source.stub.script(path, Reply(delay=0.5, body=json.dumps(site.source.stub.items[path]).encode()))
    site.notify(site.source, id="1", kind="scan", status="done")
    until(lambda: site.source.stub.calls(path), "the vendor is asked")
    broker.freeze()
    until(lambda: site.enricher.metric("vulnbus_kafka_up") == 0, "it is seen", 20)
    assert site.enricher.metric("vulnbus_ready") == 0
    broker.thaw()
    until(lambda: site.enricher.metric("vulnbus_kafka_up") == 1, "and its end", 30)
    until(lambda: site.enricher.metric("vulnbus_events_done_total") == 1, "done", 30)


@pytest.mark.timeout(180)
def test_a_transaction_that_does_not_end_keeps_no_other_configuration_out(site, broker):
    """Another one may be what mends it: new credentials, say."""
    site.enricher.stop()
    site.settings["enricher"] = {"transaction_timeout": "2s"}
    site.write()
    site.enricher.start()
    path = site.source.stub.scan("1")
    site.source.stub.script(path, Reply(delay=0.5, body=json.dumps(site.source.stub.items[path]).encode()))
    name = site.notify(site.source, id="1", kind="scan", status="done")
    until(lambda: site.source.stub.calls(path), "the vendor is asked")
    broker.freeze()
    until(lambda: site.enricher.metric("vulnbus_kafka_up") == 0, "it is stuck", 20)
    site.sources.append(Source("another"))
    site.write()
    site.enricher.process.send_signal(signal.SIGHUP)
    until(lambda: any(line["message"] == "configuration reloaded" for line in site.enricher.lines()),
          "it is reloaded all the same", 90)
    broker.thaw()
    site.tap.one("scans", 60, event_id=name)
    until(site.enricher.ready, "it is well again", 60)
    site.source.stub.scan("2")
    site.tap.one("scans", 60, event_id=site.notify(site.source, id="2", kind="scan", status="done"))
    assert len(site.tap.find("scans", event_id=name)) == 1


def test_both_start_without_kafka_and_are_ready_when_it_comes(broker, tmp_path):
    broker.stop()
    source = Source()
    stack = Stack(broker, tmp_path / "early", [source],
                  {"ingress": {"answer_within": f"{ANSWER_WITHIN:g}s"}})
    stack.expect_errors()
    stack.source = source
    try:
        stack.ingress.start(ready=False)
        stack.enricher.start(ready=False)
        answer = stack.post(source, source.token(id="1", kind="scan", status="done"))
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
        assert not stack.ingress.ready() and not stack.enricher.ready()
        broker.start()
        until(stack.ingress.ready, "the ingress is ready", 60)
        until(stack.enricher.ready, "the enricher is ready", 60)
        source.stub.scan("2")
        name = stack.notify(source, id="2", kind="scan", status="done")
        stack.tap.one("scans", event_id=name)
    finally:
        stack.close()
