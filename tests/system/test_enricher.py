# SPDX-License-Identifier: Apache-2.0
"""The enricher and a vendor's API that refuses, delays, lies, changes its mind or breaks off."""

import time

import msgpack
import pytest
from confluent_kafka import Producer

from daemons import Daemon, Source
from reader import raw_bytes
from vendor import SEVERITIES, Csv, Reply, Text, Vendor
from waiting import until

FILE = Csv(40)


@pytest.fixture(scope="module")
def shop(module_stack):
    """Two instances of the vendor, one pair of daemons, quick retries that never give up here."""
    made = module_stack([Source("acme-vdr"), Source("other-vdr", "delve")],
                        {"enricher": {"batch_rows": 10}})
    made.source, made.other = made.sources
    made.numbers = iter(range(1000, 10**6))
    return made.start()


@pytest.fixture(scope="module")
def hasty(module_stack):
    """Gives up after a second."""
    made = module_stack([Source("acme-vdr")], {"enricher": {"give_up_after": "1s"}})
    made.enricher.expect_errors("gave up|give up|giving up|dead letter")
    made.source = made.sources[0]
    made.numbers = iter(range(1000, 10**6))
    return made.start()


def scan(made, number=None, source=None, **claims):
    number = number or str(next(made.numbers))
    return made.notify(source or made.source, id=number, kind="scan", status="done", **claims)


def export(made, file=FILE, **more):
    number = str(next(made.numbers))
    exported = made.source.stub.export(number, file, **more)
    return number, exported, lambda: made.notify(
        made.source, id=number, kind="export", status="done")


def rows_of(made, name, generation=1):
    made.tap.drain()
    return [row.value for row in made.tap.find("export-rows", event_id=name)
            if row.value["generation"] == generation]


# --- what the API says is a result ---

@pytest.mark.parametrize("status, detail", [(403, "forbidden"), (404, "gone")])
def test_a_scan_that_is_forbidden_or_gone_is_a_result(shop, status, detail):
    number = str(next(shop.numbers))
    path = f"/api/v2/scans/{number}"
    shop.source.stub.always(path, Reply(status))
    name = scan(shop, number)
    record = shop.tap.one("scans", event_id=name)
    assert record.value["detail"] == detail
    assert record.value["scan"]["id"] == number
    assert len(shop.source.stub.calls(path)) == 1


@pytest.mark.parametrize("status, detail", [(403, "forbidden"), (404, "gone")])
@pytest.mark.parametrize("kind, place", [("site", "websites"), ("servers", "servers")])
def test_an_asset_that_is_forbidden_or_gone_is_a_result(shop, status, detail, kind, place):
    number = str(next(shop.numbers))
    shop.source.stub.scan(number)
    shop.source.stub.always(f"/api/v2/{place}/a{number}", Reply(status))
    name = scan(shop, number, assetId=f"a{number}", assetType=kind)
    value = shop.tap.one("scans", event_id=name).value
    assert value["asset_detail"] == detail
    assert "detail" not in value
    assert (value["scan"]["status"], value["scan"]["status_word"]) == ("completed", "DONE")


@pytest.mark.parametrize("status, detail", [(403, "forbidden"), (404, "gone")])
def test_an_export_that_is_forbidden_or_gone_is_a_result(shop, status, detail):
    number, _, notify = export(shop)
    shop.source.stub.always(f"/api/v2/exports/{number}", Reply(status))
    value = shop.tap.one("exports", event_id=notify()).value
    assert value["detail"] == detail
    assert value["rows"] == 0


@pytest.mark.parametrize("word, status", [
    ("DONE", "completed"), ("FAILED", "failed"), ("CANCEL", "canceled"),
    ("PROGRESS", "started"), ("PICKED", "started"), ("NEW", "started")])
def test_the_word_of_the_api_is_normalised_and_kept(shop, word, status):
    number = str(next(shop.numbers))
    shop.source.stub.scan(number, word)
    value = shop.tap.one("scans", event_id=scan(shop, number)).value
    assert (value["scan"]["status"], value["scan"]["status_word"]) == (status, word)


# --- trying again ---

@pytest.mark.parametrize("replies", [
    [Reply(500)], [Reply(502), Reply(503), Reply(504)], [Reply(200, body=b"<html>sorry</html>")],
    [Reply(200, body=b'{"id": "1", "sta')], [Reply(200, body=b"")], [Reply(429)], [Reply(408)]],
    ids=["500", "502-503-504", "html", "cut", "empty", "429-bare", "408"])
def test_what_may_pass_is_tried_again(shop, replies):
    number = str(next(shop.numbers))
    path = shop.source.stub.scan(number)
    shop.source.stub.script(path, *replies)
    value = shop.tap.one("scans", event_id=scan(shop, number)).value
    assert value["scan"]["status_word"] == "DONE"
    assert len(shop.source.stub.calls(path)) == len(replies) + 1


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(shop, status):
    number = str(next(shop.numbers))
    path = shop.source.stub.scan(number)
    shop.source.stub.script(path, Reply(status, {"Retry-After": "3"}))
    name = scan(shop, number)
    quick = scan(shop)          # and holds nobody else up: this one is gone, and a result
    shop.tap.one("scans", 2.5, event_id=quick)
    shop.tap.one("scans", event_id=name)
    first, second = shop.source.stub.calls(path)
    assert 3.0 <= second.time - first.time < 8.0


def test_an_answer_that_does_not_come_is_tried_again(stack):
    source = Source(settings={"api": {"timeout": "1s"}})
    made = stack([source]).start()
    path = source.stub.scan("1")
    source.stub.script(path, Reply(delay=8))
    name = made.notify(source, id="1", kind="scan", status="done")
    assert made.tap.one("scans", event_id=name).value["scan"]["status_word"] == "DONE"
    first, second = source.stub.calls(path)
    assert second.time - first.time < 6


def test_a_vendor_that_is_away_is_asked_again_also_after_a_restart(stack):
    source = Source()
    made = stack([source]).start()
    source.stub.scan("1")
    source.stub.down()
    name = made.notify(source, id="1", kind="scan", status="done")
    until(lambda: made.enricher.admin("/healthz").status_code == 200, "alive")
    made.tap.one("events", id=name)
    made.enricher.stop()
    made.enricher.start()
    source.stub.up()
    made.tap.one("scans", event_id=name)


def test_giving_up_makes_a_dead_letter_that_says_why(hasty):
    number = str(next(hasty.numbers))
    path = f"/api/v2/scans/{number}"
    hasty.source.stub.always(path, Reply(500))
    name = scan(hasty, number)
    event = hasty.tap.one("events", id=name)
    letter = hasty.tap.one("dead-letters", event_id=name)
    value = letter.value
    assert value["http_status"] == 500
    assert value["attempts"] >= 2
    assert value["attempts"] == len(hasty.source.stub.calls(path))
    assert value["reason"] and value["stage"]
    assert value["stage"] != "normalise"
    assert value["event"]["subject"] == {"type": "scan", "id": number}
    assert letter.headers["vulnbus-origin-topic"] == event.topic
    assert letter.headers["vulnbus-origin-partition"] == str(event.partition)
    assert letter.headers["vulnbus-origin-offset"] == str(event.offset)
    assert letter.key == event.key
    hasty.tap.drain()
    assert not hasty.tap.find("scans", event_id=name)
    # It is done with: the same notification again does not start anew.
    hasty.source.stub.usual(path)
    hasty.source.stub.scan(number)
    scan(hasty, number)
    after = scan(hasty)
    hasty.tap.one("scans", event_id=after)
    hasty.tap.drain()
    assert not hasty.tap.find("scans", event_id=name)


@pytest.mark.parametrize("reply", [Reply(200, body=b"<html></html>"), Reply(400), Reply(418)],
                         ids=["html", "400", "418"])
def test_an_api_that_never_makes_sense_ends_in_a_dead_letter(hasty, reply):
    number = str(next(hasty.numbers))
    hasty.source.stub.always(f"/api/v2/scans/{number}", reply)
    value = hasty.tap.one("dead-letters", event_id=scan(hasty, number)).value
    assert value["reason"]


# --- exports ---

def test_a_pending_export_is_asked_for_until_it_is_done(shop):
    number, _, notify = export(shop, pending=4)
    value = shop.tap.one("exports", event_id=notify()).value
    assert (value["rows"], value["bytes"], value["sha256"]) == (40, *FILE.sums)
    assert len(shop.source.stub.calls(f"/api/v2/exports/{number}")) >= 5


def test_an_export_that_failed_has_a_manifest_that_says_so(shop):
    number, _, notify = export(shop, status="failed", pending=1)
    value = shop.tap.one("exports", event_id=notify()).value
    assert value["export"] == {"id": number, "status": "failed", "status_word": "failed"}
    assert value["rows"] == 0
    assert rows_of(shop, value["event_id"]) == []


@pytest.mark.parametrize("data", [
    b"severity,description\r\ncritical,one\r\nmedium,two\r\n",
    b"severity,description\ncritical,one\nmedium,two\n",
    b"severity,description\r\ncritical,one\r\nmedium,no newline at the end",
    b"\xef\xbb\xbfseverity,description\r\ncritical,one\r\n",
    b'\xef\xbb\xbf"severity","description"\r\n"critical","one"\r\n',
    b'severity,description\r\nwarning,"a ""quoted"", word"\r\n',
    b'severity,description\r\ninfo,"two\r\nlines"\r\ninfo,"two\nothers"\r\n',
    b'severity,description\ninfo,"\n\n"\ninfo,""\ninfo,\n',
    b'severity,description\ninfo,"last, without a newline"',
    "severity,description\nmedium,à Montréal \U0001f980\n".encode(),
    b"description,severity\n" + b"x" * 50_000 + b",critical\n",
    b"only\r\none\r\ncolumn\r\n",
    b"severity,description\r\n",
], ids=["crlf", "lf", "no-end", "bom", "bom-quoted", "quotes", "newlines", "empty-fields",
        "quoted-end", "unicode", "long", "one-column", "no-rows"])
@pytest.mark.parametrize("sized", [True, False], ids=["sized", "chunked"])
def test_every_csv_of_rfc_4180_is_read(shop, data, sized):
    file = Text(data)
    number, _, notify = export(shop, file, sized=sized)
    name = notify()
    value = shop.tap.one("exports", event_id=name).value
    assert (value["rows"], value["bytes"], value["sha256"]) == (file.rows, *file.sums)
    assert value["columns"] == file.columns
    rows = rows_of(shop, name)
    assert [row["fields"] for row in rows] == [file.fields(n + 1) for n in range(file.rows)]
    for row in rows:
        word = row["fields"].get("severity")
        assert row.get("severity") == (SEVERITIES[word] if word else None)


@pytest.mark.parametrize("ends", [[0], [1], [700], [1, 700, 1500, 2000]], ids=str)
@pytest.mark.parametrize("sized", [True, False], ids=["sized", "chunked"])
def test_a_file_that_breaks_off_is_read_again_and_no_row_is_twice(shop, ends, sized):
    number, _, notify = export(shop, truncate=list(ends), sized=sized)
    name = notify()
    value = shop.tap.one("exports", event_id=name).value
    assert (value["rows"], value["bytes"], value["sha256"]) == (40, *FILE.sums)
    assert value["generation"] == 1
    rows = rows_of(shop, name)
    assert [row["row"] for row in rows] == list(range(1, 41))
    assert [row["fields"] for row in rows] == [FILE.fields(n) for n in range(1, 41)]
    assert len(shop.source.stub.calls(f"/files/{number}.csv")) == len(ends) + 1


def test_a_file_that_changed_in_between_starts_a_new_generation(shop):
    """Rows of the first sending are there already; the second sending has another beginning."""
    lines = [b"severity,description\n"] + [b"info,first %d\n" % n for n in range(1, 101)]
    first = Text(b"".join(lines))
    second = Text(b"".join(lines).replace(b"info,first", b"medium,second"))
    number, exported, notify = export(shop, first, sized=True)
    exported.gate.open_to(0)
    exported.truncate = [len(b"".join(lines[:60]))]
    name = notify()
    until(lambda: shop.source.stub.calls(f"/files/{number}.csv"), "asked for the file")
    exported.gate.open_to(None)
    shop.tap.wait("export-rows", 10, event_id=name)
    exported.file = second
    value = shop.tap.one("exports", event_id=name).value
    assert value["generation"] >= 2
    assert (value["rows"], value["bytes"], value["sha256"]) == (100, *second.sums)
    rows = rows_of(shop, name, value["generation"])
    assert [row["row"] for row in rows] == list(range(1, 101))
    assert [row["fields"] for row in rows] == [second.fields(n) for n in range(1, 101)]
    assert all(row["id"] == f"{name}/row/{value['generation']}/{row['row']}" for row in rows)


# --- the token goes nowhere else ---

def outcome(made, name):
    """The manifest or the dead letter, whichever comes."""
    def either():
        made.tap.drain()
        return made.tap.find("exports", event_id=name) or made.tap.find(
            "dead-letters", event_id=name)
    return until(either, "a manifest or a dead letter", 20, 0.1)[0]


def test_a_whole_url_on_the_same_host_is_followed(shop):
    number, exported, notify = export(shop)
    exported.location = f"{shop.source.stub.url}/files/{number}.csv"
    assert shop.tap.one("exports", event_id=notify()).value["rows"] == 40


@pytest.mark.parametrize("location", [
    "{other}/files/{n}.csv", "//127.0.0.1:{port}/files/{n}.csv",
    "http://127.0.0.1:{own}@127.0.0.1:{port}/files/{n}.csv", "@127.0.0.1:{port}/files/{n}.csv",
    "\\\\127.0.0.1:{port}/files/{n}.csv", "file:///etc/passwd"])
def test_a_file_on_another_host_is_not_fetched_with_the_token(hasty, location):
    other = Vendor()
    number, exported, notify = export(hasty)
    other.token = hasty.source.stub.token
    other.export(number, FILE)
    exported.location = location.format(other=other.url, port=other.url.rpartition(":")[2], n=number,
                                        own=hasty.source.stub.url.rpartition(":")[2])
    outcome(hasty, notify())
    assert [seen.authorization for seen in other.seen if seen.authorization] == []
    assert b"root:" not in raw_bytes(hasty.broker.bootstrap, hasty.prefix)
    other.down()


@pytest.mark.parametrize("there", [200, 404, 401])
def test_a_redirect_to_another_host_loses_the_token(hasty, there):
    """And what that host says of it does not stop the source."""
    other = Vendor()
    number, _, notify = export(hasty)
    path = f"/files/{number}.csv"
    other.always(path, Reply(there, body=b"severity\ninfo\n"))
    hasty.source.stub.always(path, Reply(302, {"Location": other.url + path}))
    outcome(hasty, notify())
    assert [seen.authorization for seen in other.seen if seen.authorization] == []
    hasty.tap.one("scans", event_id=scan(hasty))
    other.down()


def test_a_redirect_on_the_same_host_is_followed(shop):
    number, _, notify = export(shop)
    moved, _, _ = export(shop)
    shop.source.stub.always(f"/files/{number}.csv", Reply(302, {"Location": f"/files/{moved}.csv"}))
    assert shop.tap.one("exports", event_id=notify()).value["rows"] == 40


# --- tokens ---

def test_a_changed_token_file_is_reread(shop):
    shop.source.stub.token = "another-token-0123456789"
    shop.write_token(shop.source, shop.source.stub.token)
    number = str(next(shop.numbers))
    path = shop.source.stub.scan(number)
    value = shop.tap.one("scans", event_id=scan(shop, number)).value
    assert value["scan"]["status_word"] == "DONE"
    assert shop.source.stub.calls(path)[-1].authorization == "Bearer another-token-0123456789"


def test_a_401_stops_this_source_alone_until_its_token_changes(stack):
    source, other = Source("acme-vdr"), Source("other-vdr")
    made = stack([source, other], {"enricher": {"give_up_after": "24h"}}).start()
    made.enricher.expect_errors("401|token|authori|unauthori|stopped|paused")
    for number in range(20):
        source.stub.scan(str(number))
        other.stub.scan(str(number))
    source.stub.token = "the-token-was-revoked-1"
    names = [made.notify(source, id=str(number), kind="scan", status="done")
             for number in range(10)]
    refused = until(lambda: [seen for seen in source.stub.seen if seen.status == 401], "a 401")
    late = [made.notify(source, id=str(number), kind="scan", status="done")
            for number in range(10, 20)]
    others = [made.notify(other, id=str(number), kind="scan", status="done")
              for number in range(20)]
    for name in others:
        made.tap.one("scans", event_id=name)
    # Those already under way may have met it too; then nobody asks any more.
    refused = [seen for seen in source.stub.seen if seen.status == 401]
    assert len(refused) <= 10
    assert not made.tap.find("scans", source=source.name)
    assert not made.tap.records["dead-letters"]

    made.write_token(source, source.stub.token)
    for name in names + late:
        made.tap.one("scans", event_id=name)
    until(made.enricher.ready, "ready again")
    made.tap.drain()
    assert len(made.tap.records["scans"]) == 40


# --- bounds ---

def test_no_more_calls_are_under_way_than_allowed(stack):
    source = Source(settings={"api": {"max_concurrent": 2}})
    made = stack([source]).start()
    for number in range(12):
        path = source.stub.scan(str(number))
        source.stub.script(path, Reply(500, delay=0.4))
    began = time.monotonic()
    for number in range(12):
        made.notify(source, id=str(number), kind="scan", status="done")
    made.tap.wait("scans", 12)
    assert time.monotonic() - began >= 12 / 2 * 0.4


def test_the_hourly_budget_is_kept(stack):
    """A bucket may hold the whole hour's budget at first, and then gets one call a minute."""
    source = Source(settings={"api": {"calls_per_hour": 60}})
    made = stack([source]).start()
    began = time.monotonic()
    for number in range(200):
        made.notify(source, id=str(number), kind="scan", status="done")
    until(lambda: time.monotonic() - began > 4, "four seconds")
    calls = [seen for seen in source.stub.seen if "/scans/" in seen.path]
    assert 1 <= len(calls) <= 61


def test_an_answer_over_its_ceiling_is_no_answer(stack):
    source = Source()
    made = stack([source], {"enricher": {"give_up_after": "1s", "max_reply": "64KiB"}}).start()
    made.enricher.expect_errors("gave up|give up|giving up|dead letter|large")
    source.stub.scan("1", note="x" * 200_000)
    source.stub.scan("2", note="x" * 20_000)
    name = made.notify(source, id="1", kind="scan", status="done")
    assert made.tap.one("dead-letters", event_id=name).value["reason"]
    made.tap.one("scans", event_id=made.notify(source, id="2", kind="scan", status="done"))


def test_one_instance_takes_over_from_another(stack):
    """Scale-out by starting one more: each event is enriched once, whoever does it."""
    source = Source()
    made = stack([source], {"topics": {"partitions": 4}}).start()
    folder = made.folder / "second"
    folder.mkdir()
    config = folder / "vulnbus.yaml"
    config.write_text(made.config.read_text().replace("instance_id: one", "instance_id: two"))
    second = Daemon("vulnbus-enricher", config, folder / "enricher.log")
    for number in range(240):
        source.stub.scan(str(number))
    names = [made.notify(source, id=str(n), kind="scan", status="done") for n in range(80)]
    second.start()
    try:
        names += [made.notify(source, id=str(n), kind="scan", status="done")
                  for n in range(80, 160)]
        made.tap.wait("scans", 160, 60)
        made.enricher.stop()
        names += [made.notify(source, id=str(n), kind="scan", status="done")
                  for n in range(160, 240)]
        made.tap.wait("scans", 240, 60)
    finally:
        second.stop()
    made.tap.drain()
    assert sorted(record.value["event_id"] for record in made.tap.records["scans"]) == sorted(names)


# --- secrets ---

def test_no_secret_is_on_any_topic_in_any_log_or_metric(shop, hasty):
    """Last in this file: looks at everything that the tests above left behind."""
    for made in (shop, hasty):
        secrets = [source.secret for source in made.sources]
        secrets += [source.stub.token for source in made.sources]
        secrets += ["vendor-token-", "another-token-0123456789", "eyJ0eXAiOiJKV1Qi", "eyJhbGciOi"]
        places = {
            "topics": raw_bytes(made.broker.bootstrap, made.prefix).decode("latin-1"),
            "ingress log": made.ingress.log.read_text(),
            "enricher log": made.enricher.log.read_text(),
            "ingress metrics": made.ingress.admin("/metrics").text,
            "enricher metrics": made.enricher.admin("/metrics").text,
        }
        for place, text in places.items():
            assert text
            for secret in secrets:
                assert secret not in text, f"{secret[:12]}... in {place}"


# --- more waits than memory may hold ---

def test_what_waits_beyond_max_in_memory_is_read_back_when_it_is_due(stack):
    source = Source()
    made = stack([source], {"enricher": {"max_in_memory": 1, "retry_to": "300ms"}}).start()
    numbers = [str(number) for number in range(1, 31)]
    for number in numbers:
        source.stub.always(f"/api/v2/scans/{number}", Reply(503))
    names = [scan(made, number, source) for number in numbers]
    until(lambda: made.enricher.metric("vulnbus_events_waiting") >= 25, "they wait", 30)
    # Also after a restart, when all that is known of them is in the state topic.
    made.enricher.stop()
    for number in numbers:
        source.stub.usual(source.stub.scan(number))
    made.enricher.start()
    made.tap.wait("scans", len(names), 60)
    made.tap.drain()
    assert sorted(record.value["event_id"] for record in made.tap.records["scans"]) == sorted(names)


# --- records that are no events, and events that are too much ---

def write(made, topic, value, partition=0, **headers):
    """What somebody else might put onto a topic of ours."""
    producer = Producer({"bootstrap.servers": made.broker.bootstrap, "message.max.bytes": 1_000_000})
    producer.produce(f"{made.prefix}.{topic}.v1", value=value, key=b"somebody", partition=partition,
                     headers=[(name.replace("_", "-") if name == "content_type" else name, text)
                              for name, text in headers.items()])
    assert producer.flush(20) == 0


MSGPACK = "application/vnd.msgpack"


@pytest.mark.parametrize("value, headers", [
    (b"\xc1 no msgpack", {"content_type": MSGPACK, "ce_id": "junk:1"}),
    (b"{}", {"content_type": "application/json", "ce_id": "junk:2"}),
    (b"no JSON", {"content_type": "application/json"}),
    (b"", {}),
    (msgpack.packb({"id": "x", "source": "acme-vdr", "filler": "x" * 995_000}),
     {"content_type": MSGPACK, "ce_id": "junk:3"}),
], ids=["garbage", "no fields", "no id", "empty", "too large"])
def test_a_record_that_is_no_event_ends_as_one_dead_letter_and_stops_nobody(stack, value, headers):
    source = Source()
    made = stack([source]).start()
    write(made, "events", value, **headers)
    name = scan(made, source.stub.scan("77").rsplit("/", 1)[1], source)
    made.tap.one("scans", 30, event_id=name)
    letter = made.tap.wait("dead-letters", 1, 30)[0]
    assert letter.value["stage"] == "consume"
    assert letter.headers["vulnbus-origin-topic"] == f"{made.prefix}.events.v1"
    assert letter.headers["vulnbus-origin-offset"] == "0"
    made.enricher.stop()
    made.enricher.start()
    made.tap.drain()
    assert len(made.tap.records["dead-letters"]) == 1


def test_a_state_record_nobody_understands_ends_as_one_dead_letter(stack):
    source = Source()
    made = stack([source]).start()
    made.enricher.stop()
    write(made, "state", b"\xc1 no state")
    made.enricher.start()
    letter = made.tap.wait("dead-letters", 1, 30)[0]
    assert letter.headers["vulnbus-origin-topic"] == f"{made.prefix}.state.v1"
    name = scan(made, source.stub.scan("78").rsplit("/", 1)[1], source)
    made.tap.one("scans", 30, event_id=name)
    made.enricher.stop()
    made.enricher.start()
    made.tap.drain()
    assert len(made.tap.records["dead-letters"]) == 1


def test_a_retry_after_beyond_all_measure_is_no_hot_loop(stack):
    source = Source()
    made = stack([source], {"enricher": {"give_up_after": "2s"}}).start()
    path = source.stub.scan("79")
    source.stub.always(path, Reply(503, {"Retry-After": "9223372036854775"}))
    name = scan(made, "79", source)
    made.tap.one("dead-letters", 30, event_id=name)
    assert len(source.stub.calls(path)) <= 3
