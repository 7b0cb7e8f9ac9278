# SPDX-License-Identifier: Apache-2.0
"""One trace from the vendor's call to the record: W3C Trace Context, and the Distributed Tracing
Extension of CloudEvents."""

import datetime
import json
import secrets

import msgpack
import pytest
from confluent_kafka import Consumer, TopicPartition

from daemons import Source, run
from http_raw import Connection
from test_unsigned import probely
from vendor import Csv, Reply, Vendor
from waiting import until

BAD = ["", "x", "00-{id}-{span}", "00-{id}-{span}-01-more", "ff-{id}-{span}-01",
       "00-{zeros}-{span}-01", "00-{id}-0000000000000000-01", "00-{upper}-{span}-01",
       "00_{id}-{span}-01", "00-{id}-{span}-0x"]


class Trace:
    def __init__(self):
        self.id = "a" + secrets.token_hex(16)[1:]
        self.span = "b" + secrets.token_hex(8)[1:]
        self.text = f"00-{self.id}-{self.span}-01"


def id_of(traceparent):
    return traceparent.split("-")[1]


def span_of(traceparent):
    return traceparent.split("-")[2]


def verbose(made):
    made.ingress.arguments = made.enricher.arguments = ["-v"]
    made.source = made.sources[0]
    made.numbers = iter(range(1000, 10**6))
    return made.start()


@pytest.fixture(scope="module")
def shop(module_stack):
    return verbose(module_stack([Source()]))


def notify(made, number, headers, kind="scan"):
    claims = {"id": number, "kind": kind, "status": "done"}
    answer = made.post(made.source, made.source.token(**claims), json.dumps(claims), **headers)
    assert answer.status_code == 202, answer.text
    return f"{made.source.name}:{kind}:{number}:0:done"


def lines_of(daemon, trace_id):
    return [line for line in daemon.lines() if line.get("trace.id") == trace_id]


def messages(daemon, trace_id):
    return {line["message"] for line in lines_of(daemon, trace_id)}


def states(made, name):
    """What the state topic says of an event."""
    topic = f"{made.prefix}.state.v1"
    consumer = Consumer({"bootstrap.servers": made.broker.bootstrap, "group.id": "looks",
                         "enable.auto.commit": False, "enable.partition.eof": True,
                         "auto.offset.reset": "earliest", "log_level": 0})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(3)])
    found, ended = [], set()

    def read():
        for message in consumer.consume(500, 0.1):
            if message.error():
                ended.add(message.partition())
            elif message.key() == name.encode():
                found.append(msgpack.unpackb(message.value(), unicode_errors="replace"))
        return len(ended) == 3
    until(read, f"the end of {topic}")
    consumer.close()
    return found


def test_one_trace_leads_from_the_webhook_to_the_record_in_both_logs(shop):
    number = str(next(shop.numbers))
    path = shop.source.stub.scan(number, assetId="1")
    given = Trace()
    name = notify(shop, number, {"traceparent": given.text, "tracestate": "vendor=secret"})
    event, record = shop.tap.one("events", id=name), shop.tap.one("scans", event_id=name)
    [call] = shop.source.stub.calls(path)
    hops = [event.headers["traceparent"], call.traceparent, record.headers["traceparent"]]
    assert [id_of(hop) for hop in hops] == [given.id] * 3
    # A hop is a span: nobody's twice, the vendor's at none.
    assert len({given.span, *map(span_of, hops)}) == 4
    # What it began with is the same all the way, span and all.
    assert event.headers["ce_traceparent"] == record.headers["ce_traceparent"] == given.text
    assert call.tracestate == ""
    assert not {name for headers in (event.headers, record.headers) for name in headers
                if "tracestate" in name}
    assert "accepted" in messages(shop.ingress, given.id)
    until(lambda: {"event taken in", "event done"} <= messages(shop.enricher, given.id),
          "the enricher's lines")
    assert {line["event.id"] for line in lines_of(shop.enricher, given.id)} == {name}


@pytest.mark.parametrize("form", [None, *BAD])
def test_without_a_good_one_a_trace_is_made_and_kept(shop, form):
    number = str(next(shop.numbers))
    path = shop.source.stub.scan(number)
    given = Trace()
    headers = {} if form is None else {"traceparent": form.format(
        id=given.id, span=given.span, zeros="0" * 32, upper=given.id.upper())}
    name = notify(shop, number, headers)
    event, record = shop.tap.one("events", id=name), shop.tap.one("scans", event_id=name)
    made = id_of(event.headers["traceparent"])
    assert made != given.id
    [call] = shop.source.stub.calls(path)
    assert id_of(call.traceparent) == id_of(record.headers["traceparent"]) == made
    # The ingress is where it began: one hop so far, and so the two are equal.
    assert event.headers["ce_traceparent"] == event.headers["traceparent"]
    assert record.headers["ce_traceparent"] == event.headers["traceparent"]
    assert record.headers["traceparent"] != event.headers["traceparent"]
    assert "accepted" in messages(shop.ingress, made)
    until(lambda: "event done" in messages(shop.enricher, made), "the enricher's line")


def test_a_later_version_is_read_as_far_as_it_is_known(shop):
    given = Trace()
    name = notify(shop, str(next(shop.numbers)),
                  {"traceparent": f"42-{given.id}-{given.span}-05-and-more"})
    assert shop.tap.one("events", id=name).headers["ce_traceparent"] == given.text


def test_two_of_them_are_none(shop):
    one, other = Trace(), Trace()
    number = str(next(shop.numbers))
    token = shop.source.token(id=number, kind="scan", status="done")
    with Connection(shop.ingress.address()) as connection:
        connection.send(
            f"POST {shop.source.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
            f"Authorization: Signed {token}\r\ntraceparent: {one.text}\r\n"
            f"traceparent: {other.text}\r\n\r\n".encode())
        assert connection.answer().status == 202
    event = shop.tap.one("events", id=f"{shop.source.name}:scan:{number}:0:done")
    assert id_of(event.headers["traceparent"]) not in (one.id, other.id)


def test_what_is_refused_is_logged_with_its_trace(shop):
    given = Trace()
    token = shop.source.token(id="1", kind="scan", status="done")[:-8] + "AAAAAAAA"
    assert shop.post(shop.source, token, traceparent=given.text,
                     **{"X-Signature": "'HS256 /else'"}).status_code == 401
    assert messages(shop.ingress, given.id) == {
        "refused", "X-Signature names another algorithm or key"}


def test_an_exports_rows_and_manifest_are_of_its_trace(shop):
    number = str(next(shop.numbers))
    shop.source.stub.export(number, Csv(5), pending=2)
    given = Trace()
    name = notify(shop, number, {"traceparent": given.text}, "export")
    records = [*shop.tap.wait("export-rows", 5, event_id=name),
               shop.tap.one("exports", event_id=name)]
    assert {id_of(r.headers["traceparent"]) for r in records} == {given.id}
    assert {r.headers["ce_traceparent"] for r in records} == {given.text}
    calls = [*shop.source.stub.calls(f"/api/v2/exports/{number}"),
             *shop.source.stub.calls(f"/files/{number}.csv")]
    assert {id_of(call.traceparent) for call in calls} == {given.id}
    assert len({call.traceparent for call in calls}) == len(calls) == 4
    assert "event postponed" in messages(shop.enricher, given.id)


def test_retries_over_a_crash_and_the_dead_letter_keep_the_trace(stack):
    made = verbose(stack([Source()], {"enricher": {"give_up_after": "6s"}}))
    given = Trace()
    path = made.source.stub.scan("1")
    made.source.stub.always(path, Reply(503))
    name = notify(made, "1", {"traceparent": given.text})
    until(lambda: len(made.source.stub.calls(path)) >= 2, "two tries")
    until(lambda: len(states(made, name)) >= 2, "the state of a try")
    kept = states(made, name)[-1]
    assert id_of(kept["trace"]) == given.id and kept["origin"] == given.text
    made.enricher.kill()
    before = len(made.source.stub.calls(path))
    made.enricher.start()
    until(lambda: len(made.source.stub.calls(path)) > before + 1, "tries after the crash")
    assert {id_of(call.traceparent) for call in made.source.stub.calls(path)} == {given.id}
    letter = made.tap.one("dead-letters", event_id=name)
    assert letter.headers["traceparent"] == kept["trace"]
    assert letter.headers["ce_traceparent"] == given.text
    assert {"event taken in", "event postponed", "event given up"} <= messages(
        made.enricher, given.id)
    # Replayed, it is still the same notification: the trace goes on.
    made.source.stub.usual(path)
    assert run("vulnbus", "replay", "-c", made.config, "dead-letters",
               "--to-topic", "events").returncode == 0
    record = made.tap.one("scans", event_id=name)
    again = made.tap.wait("events", 2, id=name)[-1]
    assert again.headers["traceparent"] == letter.headers["traceparent"]
    assert id_of(record.headers["traceparent"]) == given.id
    assert again.headers["ce_traceparent"] == record.headers["ce_traceparent"] == given.text


def when(**ago):
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**ago)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_what_reconciliation_finds_has_a_trace_each(stack):
    web = Source("web", "probely", Vendor(word="JWT"), settings={"api": {"reconcile_every": "1s"}})
    found = [probely("finding_detected", {"id": number, "target": {"id": "t1"}},
                     occurred_at=when(seconds=5)) for number in (1, 2)]
    for number in (1, 2):
        web.stub.items[f"/targets/t1/findings/{number}/"] = {"id": number, "severity": 30}
    web.stub.lists = {"/events/": found, "/scans/": []}
    made = verbose(stack([web]))
    traces = set()
    for body in found:
        name = f"web:{body['id']}"
        event = made.tap.one("events", 30, id=name)
        assert event.headers["ce_traceparent"] == event.headers["traceparent"]
        trace = id_of(event.headers["traceparent"])
        assert id_of(made.tap.one("findings", event_id=name).headers["traceparent"]) == trace
        assert "the vendor's API tells what no webhook told" in messages(made.enricher, trace)
        traces.add(trace)
    assert len(traces) == 2
    # The lists are read in traces of their own.
    asked = {id_of(call.traceparent) for call in web.stub.pages("/events/")}
    assert asked and not asked & traces


def test_an_export_asked_for_here_is_of_one_trace(shop):
    number = str(211 + len(shop.source.stub.asked) + 1)
    shop.source.stub.export(number, Csv(1))
    posts = "/api/v2/vulnerability-groups/export"
    made = run("vulnbus", "export", "-c", shop.config, "--no-wait", shop.source.name)
    assert made.returncode == 0, made.stderr
    [call] = shop.source.stub.calls(posts)
    event = shop.tap.one("events", kind="export.requested")
    assert id_of(event.headers["traceparent"]) == id_of(call.traceparent)
