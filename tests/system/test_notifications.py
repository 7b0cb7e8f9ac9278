# SPDX-License-Identifier: Apache-2.0
"""The main road: a signed webhook becomes an event, and the event a record with what the API says."""

import json
import time

import pytest

from daemons import Source
from reader import milliseconds
from vendor import SEVERITIES, Csv

# The three notifications as the vendor documents them.
SCAN_DONE = {"assetId": "1", "assetType": "site", "attemptNumber": 1, "id": "39836",
             "isAdHoc": True, "kind": "scan", "status": "done"}
SCAN_FAILED = {"assetId": "1", "assetType": "site", "attemptNumber": 2, "id": "39837",
               "isAdHoc": True, "kind": "scan", "status": "failed"}
EXPORT_DONE = {"id": "212", "kind": "export", "status": "done"}

VENDORS = ["taegis-vdr", "delve"]


def furnish(source):
    """The simulated instance knows what the notifications speak of."""
    source.stub.scan("39836")
    source.stub.scan("39837", "FAILED")
    source.stub.website("1")
    source.stub.server("7")
    source.stub.export("212", Csv(500))
    return source


@pytest.fixture(scope="module", params=["msgpack", "json"])
def shop(request, module_stack):
    """Both vendors at once, for each format of values."""
    sources = [furnish(Source(f"acme-{vendor}", vendor)) for vendor in VENDORS]
    made = module_stack(sources, {"topics": {"format": request.param}})
    made.content_type = {"msgpack": "application/vnd.msgpack",
                         "json": "application/json"}[request.param]
    return made.start()


@pytest.fixture(params=VENDORS)
def source(request, shop):
    return next(each for each in shop.sources if each.vendor == request.param)


def send(shop, source, claims, iat, token=None, body=None):
    before = int(time.time() * 1000)
    answer = shop.post(source, token or source.stub.signer.token({**claims, "iat": iat}),
                       json.dumps(claims) if body is None else body)
    assert (answer.status_code, answer.content) == (202, b"")
    return before, int(time.time() * 1000)


def check_event(shop, source, claims, iat, kind, between):
    """The event is exactly what the design's table says, and nothing else."""
    attempt = claims.get("attemptNumber", 0)
    name = f"{source.name}:{claims['kind']}:{claims['id']}:{attempt}:{claims['status']}"
    record = shop.tap.wait("events", id=name)[-1]
    attributes = {"asset_id": claims.get("assetId"), "asset_type": claims.get("assetType"),
                  "is_ad_hoc": claims.get("isAdHoc"), "status": claims["status"]}
    expected = {
        "id": name,
        "source": source.name,
        "vendor": source.vendor,
        "kind": kind,
        "subject": {"type": claims["kind"], "id": claims["id"]},
        "occurred_ms": iat * 1000,
        "received_ms": record.value["received_ms"],
        "proof": "jws-es512",
        "attributes": {key: value for key, value in attributes.items() if value is not None},
    }
    if attempt:
        expected["attempt"] = attempt
    assert record.value == expected
    assert between[0] <= record.value["received_ms"] <= between[1]
    assert record.key == f"{source.name}/{claims['kind']}/{claims['id']}"
    assert record.headers["content-type"] == shop.content_type
    assert record.headers["ce_type"] == f"vulnbus.{kind}"
    assert record.headers["ce_source"] == source.stub.url
    assert record.headers["ce_subject"] == f"{claims['kind']}/{claims['id']}"
    assert milliseconds(record.headers["ce_time"]) == iat * 1000
    return record


def check_origin(event, record, kind, name):
    """An enriched record says which event it comes of, and goes the same way."""
    value = record.value
    assert value["event_id"] == event.value["id"]
    assert value["id"] == f"{event.value['id']}/{name}"
    assert (value["source"], value["vendor"]) == (event.value["source"], event.value["vendor"])
    assert value["kind"] == kind
    assert value["fetched_ms"] >= event.value["received_ms"]
    assert record.key == event.key
    assert record.headers["ce_source"] == event.headers["ce_source"]
    assert record.headers["content-type"] == event.headers["content-type"]


@pytest.mark.parametrize("claims, kind, status, word", [
    (SCAN_DONE, "scan.completed", "completed", "DONE"),
    (SCAN_FAILED, "scan.failed", "failed", "FAILED"),
], ids=["done", "failed"])
def test_a_scan_becomes_an_event_and_a_record_with_scan_and_asset(
        shop, source, claims, kind, status, word):
    iat = int(time.time()) - 60
    between = send(shop, source, claims, iat)
    event = check_event(shop, source, claims, iat, kind, between)
    record = shop.tap.one("scans", event_id=event.value["id"])
    check_origin(event, record, kind, "scan")
    assert record.headers["ce_type"] == "vulnbus.scan.enriched"
    scan, asset = record.value["scan"], record.value["asset"]
    assert (scan["id"], scan["status"], scan["status_word"]) == (claims["id"], status, word)
    assert asset["id"] == "1"
    assert asset["hostname"] == "www1.example.com"
    assert "detail" not in record.value and "asset_detail" not in record.value


def test_an_export_becomes_an_event_its_rows_and_a_manifest(shop, source):
    iat = int(time.time())
    between = send(shop, source, EXPORT_DONE, iat)
    event = check_event(shop, source, EXPORT_DONE, iat, "export.completed", between)
    file = source.stub.exports["212"].file
    manifest = shop.tap.one("exports", event_id=event.value["id"])
    check_origin(event, manifest, "export.completed", "export")
    assert manifest.headers["ce_type"] == "vulnbus.export.enriched"
    value = manifest.value
    assert (value["export"]["id"], value["export"]["status_word"]) == ("212", "done")
    assert value["export"]["status"] == "completed"
    assert (value["rows"], value["bytes"], value["sha256"]) == (500, *file.sums)
    assert value["columns"] == file.columns
    assert value["generation"] == 1

    shop.tap.drain()
    rows = shop.tap.find("export-rows", event_id=event.value["id"])
    assert [row.value["row"] for row in rows] == list(range(1, 501))
    assert len({row.partition for row in rows}) == 1
    for row in rows:
        number, fields = row.value["row"], file.fields(row.value["row"])
        check_origin(event, row, "export.completed", f"row/1/{number}")
        assert row.value["export_id"] == "212"
        assert row.value["generation"] == 1
        assert row.value["fields"] == fields
        assert row.value["severity"] == SEVERITIES[fields["severity"]]


def test_a_token_of_another_library_is_as_good(shop, source):
    claims = {**SCAN_DONE, "id": "50001", "assetId": "7", "assetType": "server"}
    source.stub.scan("50001")
    iat = int(time.time())
    token = source.stub.signer.token_of_jwcrypto({**claims, "iat": iat})
    between = send(shop, source, claims, iat, token)
    event = check_event(shop, source, claims, iat, "scan.completed", between)
    record = shop.tap.one("scans", event_id=event.value["id"])
    assert record.value["asset"]["hostname"] == "host7.example.com"


@pytest.mark.parametrize("body", [
    b"", b"no JSON at all", b"\x00\xff\xfe",
    json.dumps({**SCAN_DONE, "id": "666", "status": "failed", "kind": "export"}).encode(),
], ids=["empty", "text", "binary", "another-notification"])
def test_the_signed_claims_count_and_the_body_does_not(shop, source, body):
    number = f"6000{len(body)}"
    claims = {**SCAN_DONE, "id": number}
    source.stub.scan(number)
    iat = int(time.time())
    between = send(shop, source, claims, iat, body=body)
    check_event(shop, source, claims, iat, "scan.completed", between)
    shop.tap.one("scans", event_id=f"{source.name}:scan:{number}:1:done")
    assert not any("666" in record.value["id"] for record in shop.tap.records["events"])


def test_a_redelivery_has_the_same_id_and_is_enriched_once(shop, source):
    claims = {**SCAN_DONE, "id": "70001"}
    source.stub.scan("70001")
    iat = int(time.time())
    name = f"{source.name}:scan:70001:1:done"
    send(shop, source, claims, iat - 30)
    shop.tap.one("scans", event_id=name)
    send(shop, source, claims, iat)
    send(shop, source, claims, iat)
    # A later event of the same key: it is taken after them, from the same partition.
    send(shop, source, {**claims, "attemptNumber": 2}, iat)
    shop.tap.one("scans", event_id=f"{source.name}:scan:70001:2:done")
    shop.tap.drain()
    events = shop.tap.find("events", id=name)
    assert [event.value["occurred_ms"] for event in events] == [
        (iat - 30) * 1000, iat * 1000, iat * 1000]
    assert len({event.partition for event in events}) == 1
    assert len(shop.tap.find("scans", event_id=name)) == 1


def test_a_notification_without_what_is_optional_is_taken(shop, source):
    source.stub.scan("80001")
    iat = int(time.time())
    claims = {"id": "80001", "kind": "scan", "status": "done"}
    between = send(shop, source, claims, iat)
    event = check_event(shop, source, claims, iat, "scan.completed", between)
    record = shop.tap.one("scans", event_id=event.value["id"])
    assert record.value["scan"]["id"] == "80001"


def test_an_id_of_strange_characters_stays_one_path_segment(shop, source):
    """Ids enter paths percent-encoded whole: no way to another endpoint."""
    claims = {"id": "../exports/212?x=1#y", "kind": "scan", "status": "done"}
    send(shop, source, claims, int(time.time()))
    record = shop.tap.wait("scans", source=source.name, detail="gone")[-1]
    assert record.value["scan"]["id"] == claims["id"]
    calls = [seen.path for seen in source.stub.seen if "%2F" in seen.path.upper()]
    assert calls and all(path.startswith("/api/v2/scans/") for path in calls)
    assert not any("x=1" in seen.path for seen in source.stub.seen)


def test_the_connector_document_names_the_hook_three_times(shop, source):
    path = f"/connectors/{source.name}/{source.secret}/delve.json"
    answer = shop.session.get(shop.ingress.url() + path, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    hook = {"url": f"https://hooks.example.com/hooks/{source.name}/{source.secret}"}
    assert answer.json() == {"scanSuccessWebhook": hook, "scanFailureWebhook": hook,
                             "exportCompleteWebhook": hook}


def test_the_connector_document_needs_the_secret(shop, source):
    wrong = f"/connectors/{source.name}/{'0' * 32}/delve.json"
    nobody = f"/connectors/nobody/{source.secret}/delve.json"
    answers = [shop.session.get(shop.ingress.url() + path, timeout=10) for path in (wrong, nobody)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content
