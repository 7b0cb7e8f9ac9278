# SPDX-License-Identifier: Apache-2.0
"""What the vendors' documents show, and where they contradict each other: each example body as it is
printed, and each answer in the form that is documented for it."""

import json
import secrets
import time

import pytest

from daemons import Source
from signing import HEADER
from test_unsigned import SINCE, scorecard, tell, told
from vendor import Reply, Text, Vendor
from waiting import until

DAY_S = 86400
ORIGIN = ("id", "event_id", "source", "vendor", "kind", "fetched_ms")


@pytest.fixture(scope="module")
def shop(module_stack):
    """Each vendor, and Delve with the longest window there is; no budget of calls slows this."""
    made = module_stack([
        Source("acme-vdr"),
        Source("old-delve", "delve", settings={"signature": {"max_age": "30d"}}),
        Source("ssc", "securityscorecard", Vendor(word="Token"),
               settings={"api": {"calls_per_hour": 1_000_000}}),
        Source("web", "probely", Vendor(word="JWT")),
        Source("shut-ssc", "securityscorecard", Vendor(word="Token")),
        Source("shut-web", "probely", Vendor(word="JWT")),
        Source("bare-web", "probely", Vendor(word="JWT"),
               settings={"api": {"paths": {"scan": "/scans/{id}"}}})],
        {"enricher": {"retry_from": "20ms", "poll_to": "50ms"}})
    (made.vdr, made.delve, made.ssc, made.web, made.shut_ssc, made.shut_web,
     made.bare) = made.sources
    return made.start()


def check_event(made, name, source, kind, subject, occurred_ms, attributes, proof="secret-path",
                nth=1, **more):
    """The event says this, and nothing else."""
    record = made.tap.wait("events", nth, id=name)[nth - 1]
    expected = {"id": name, "source": source.name, "vendor": source.vendor, "kind": kind,
                "subject": dict(zip(("type", "id"), subject)), "occurred_ms": occurred_ms,
                "received_ms": record.value["received_ms"], "proof": proof,
                "attributes": attributes, **more}
    if occurred_ms is None:
        del expected["occurred_ms"]
    assert record.value == expected
    assert record.key == f"{source.name}/{'/'.join(subject)}"
    assert record.headers["ce_type"] == f"vulnbus.{kind}"
    return record


def said(made, short, name):
    """All that a record says beyond where it comes from."""
    value = made.tap.one(short, event_id=name).value
    assert not made.tap.find("dead-letters", event_id=name)
    return {key: value[key] for key in value if key not in ORIGIN}


def check_refused(made, name, status):
    """The API's word is final: one call, one dead letter that quotes it."""
    value = made.tap.one("dead-letters", event_id=name).value
    assert (value["stage"], value["http_status"], value["reason"], value["attempts"]) == (
        "fetch", status, f"HTTP {status}", 1)


# --- Taegis VDR and Delve: the webhooks ---

SCAN_DONE = ('{"assetId": "1", "assetType": "site", "attemptNumber": 1, "id": "39836", '
             '"isAdHoc": true, "kind": "scan", "status": "done"}')
SCAN_FAILED = ('{"assetId": "1", "assetType": "site", "attemptNumber": 2, "id": "39836", '
               '"isAdHoc": true, "kind": "scan", "status": "failed"}')
EXPORT_DONE = '{"id": "212", "kind": "export", "status": "done"}'
# "Using Delve Webhooks": what its printed token holds.
DELVE_CLAIMS = b'{"id":"214","kind":"export","status":"done","iat":1598539392}'


def signed(made, source, text, **more):
    """A notification with the documented body, signed now; the second of that."""
    iat = int(time.time())
    token = source.stub.signer.token({**json.loads(text), "iat": iat, **more})
    answer = made.post(source, token, text.encode())
    assert (answer.status_code, answer.content) == (202, b"")
    return iat


@pytest.mark.parametrize("name", ["acme-vdr", "old-delve"])
@pytest.mark.parametrize("text, attempt, status, kind", [
    (SCAN_DONE, 1, "done", "scan.completed"), (SCAN_FAILED, 2, "failed", "scan.failed")],
    ids=["success", "failure"])
def test_a_scans_documented_webhook_becomes_this_event(shop, name, text, attempt, status, kind):
    source = next(each for each in shop.sources if each.name == name)
    source.stub.scan("39836", status.upper())
    source.stub.website("1")
    iat = signed(shop, source, text)
    event = f"{name}:scan:39836:{attempt}:{status}"
    check_event(shop, event, source, kind, ("scan", "39836"), iat * 1000,
                {"asset_id": "1", "asset_type": "site", "is_ad_hoc": True, "status": status},
                "jws-es512", attempt=attempt)
    assert said(shop, "scans", event) == {
        "scan": {"id": "39836", "status": kind.partition(".")[2], "status_word": status.upper(),
                 "notified_status": kind.partition(".")[2], "requested_ms": 1598536800000,
                 "attempt": attempt, "is_ad_hoc": True},
        "asset": {"id": "1", "type": "site", "hostname": "www1.example.com",
                  "url": "https://www1.example.com/", "is_active": True}}


@pytest.mark.parametrize("name", ["acme-vdr", "old-delve"])
def test_an_exports_documented_webhook_becomes_this_event(shop, name):
    source = next(each for each in shop.sources if each.name == name)
    file = Text(b"severity\r\ninfo\r\n")
    source.stub.export("212", file)
    iat = signed(shop, source, EXPORT_DONE)
    event = f"{name}:export:212:0:done"
    check_event(shop, event, source, "export.completed", ("export", "212"), iat * 1000,
                {"status": "done"}, "jws-es512")
    assert said(shop, "exports", event) == {
        "export": {"id": "212", "status": "completed", "status_word": "done"},
        "rows": 1, "bytes": file.sums[0], "sha256": file.sums[1], "columns": ["severity"],
        "generation": 1}


def post_delves(made, source, iat, x_signature="'ES512 /api/webhook.key"):
    """The token as it is printed: this header, these claims, no body that counts."""
    claims = DELVE_CLAIMS.replace(b"1598539392", b"%d" % iat)
    token = source.stub.signer.compact(HEADER, claims).decode()
    return made.post(source, token, b"", **{"X-Signature": x_signature}).status_code


@pytest.mark.parametrize("name, days", [("acme-vdr", 1), ("old-delve", 30)])
@pytest.mark.parametrize("x_signature", ["'ES512 /api/webhook.key", "ES512 /api/webhook.key"],
                         ids=["stray-apostrophe", "meant"])
def test_the_printed_token_of_the_delve_article_is_understood(shop, name, days, x_signature):
    """Where a window is kept, as the article recommends; its own token is of 2020."""
    source = next(each for each in shop.sources if each.name == name)
    source.stub.export("214", Text(b"severity\ncritical\n"))
    event = f"{name}:export:214:0:done"
    before = len(shop.tap.find("events", id=event))
    assert post_delves(shop, source, 1598539392, x_signature) == 401
    iat = int(time.time()) - days * DAY_S
    assert post_delves(shop, source, iat - 60, x_signature) == 401
    assert post_delves(shop, source, iat + 600, x_signature) == 202
    check_event(shop, event, source, "export.completed", ("export", "214"), (iat + 600) * 1000,
                {"status": "done"}, "jws-es512", nth=before + 1)
    assert said(shop, "exports", event)["rows"] == 1


def test_where_body_and_claims_differ_the_claims_win(shop):
    """Each is a documented body: the failure is sent, the export is signed."""
    shop.vdr.stub.export("213", Text(b"severity\n"))
    token = shop.vdr.token(**{**json.loads(EXPORT_DONE), "id": "213"})
    other = SCAN_FAILED.replace("39836", "39999")
    assert shop.post(shop.vdr, token, other.encode()).status_code == 202
    assert said(shop, "exports", "acme-vdr:export:213:0:done")["rows"] == 0
    shop.tap.drain()
    assert not [each for each in shop.tap.records["events"] if "39999" in each.value["id"]]


def test_a_scan_that_fails_twice_and_then_succeeds_is_three_events_and_three_records(shop):
    path, names = "/api/v2/scans/777", []
    for attempt, status, word in ((1, "failed", "FAILED"), (2, "failed", "FAILED"),
                                  (3, "done", "DONE")):
        shop.vdr.stub.scan("777", word)
        signed(shop, shop.vdr, SCAN_DONE, id="777", attemptNumber=attempt, status=status)
        names.append(f"acme-vdr:scan:777:{attempt}:{status}")
        shop.tap.one("scans", event_id=names[-1])
    shop.tap.drain()
    events = [each for each in shop.tap.records["events"] if each.key == "acme-vdr/scan/777"]
    records = [shop.tap.one("scans", event_id=name) for name in names]
    assert [event.value["id"] for event in events] == names
    assert [event.value["attempt"] for event in events] == [1, 2, 3]
    assert [event.value["kind"] for event in events] == [
        "scan.failed", "scan.failed", "scan.completed"]
    assert [(each.value["scan"]["attempt"], each.value["scan"]["status"]) for each in records] == [
        (1, "failed"), (2, "failed"), (3, "completed")]
    assert len({each.partition for each in records}) == 1
    assert len(shop.vdr.stub.calls(path)) == 3


def test_ids_may_be_integers(shop):
    shop.vdr.stub.scan("4711", "DONE")
    shop.vdr.stub.website("12")
    iat = signed(shop, shop.vdr, SCAN_DONE, id=4711, assetId=12)
    name = "acme-vdr:scan:4711:1:done"
    check_event(shop, name, shop.vdr, "scan.completed", ("scan", "4711"), iat * 1000,
                {"asset_id": "12", "asset_type": "site", "is_ad_hoc": True, "status": "done"},
                "jws-es512", attempt=1)
    assert said(shop, "scans", name)["asset"]["hostname"] == "www12.example.com"
    assert len(shop.vdr.stub.calls("/api/v2/scans/4711")) == 1


@pytest.mark.parametrize("word, place", [
    ("site", "websites"), ("sites", "websites"), ("website", "websites"),
    ("websites", "websites"), ("server", "servers"), ("servers", "servers"), ("cloud", None)])
def test_an_asset_is_looked_up_where_its_type_says(shop, word, place):
    number, asset = f"88{len(word)}{word}", f"as-{word}"
    shop.vdr.stub.scan(number)
    shop.vdr.stub.website(asset, hostname=f"{asset}.websites.example")
    shop.vdr.stub.server(asset, hostname=f"{asset}.servers.example")
    signed(shop, shop.vdr, SCAN_DONE, id=number, assetId=asset, assetType=word)
    found = said(shop, "scans", f"acme-vdr:scan:{number}:1:done")["asset"]
    assert (found["id"], found["type"]) == (asset, word)
    assert found.get("hostname") == (place and f"{asset}.{place}.example")
    assert {seen.path for seen in list(shop.vdr.stub.seen) if seen.path.endswith(asset)} == (
        {f"/api/v2/{place}/{asset}"} if place else set())


# --- Taegis VDR and Delve: the API ---

STATES = {"new": "started", "done": "completed", "cancel": "canceled", "progress": "started",
          "picked": "started", "failed": "failed"}


@pytest.mark.parametrize("word", [*STATES, *map(str.upper, STATES)])
def test_a_scans_status_is_read_in_either_case_and_kept_as_it_came(shop, word):
    number = f"9{word}"
    shop.vdr.stub.scan(number, word)
    signed(shop, shop.vdr, SCAN_DONE, id=number)
    scan = said(shop, "scans", f"acme-vdr:scan:{number}:1:done")["scan"]
    assert (scan["status"], scan["status_word"], scan["notified_status"]) == (
        STATES[word.lower()], word, "completed")


@pytest.mark.parametrize("location", [
    "files/{n}.csv", "/files/{n}.csv", "{url}/files/{n}.csv"],
    ids=["relative", "leading-slash", "whole"])
@pytest.mark.parametrize("done", ["done", "DONE"])
def test_a_file_is_fetched_from_where_the_export_says(shop, location, done):
    stub, number = shop.vdr.stub, f"3{secrets.token_hex(4)}"
    file = Text(b"severity\nmedium\ninfo\n")
    stub.export(number, file)
    stub.script(f"/api/v2/exports/{number}",
                Reply(body=b'{"id":"%b","status":"pending","fileLocation":null}' % number.encode()),
                Reply(body=json.dumps({"id": number, "status": done, "fileLocation":
                                       location.format(n=number, url=stub.url)}).encode()))
    signed(shop, shop.vdr, EXPORT_DONE, id=number)
    assert said(shop, "exports", f"acme-vdr:export:{number}:0:done") == {
        "export": {"id": number, "status": "completed", "status_word": done}, "rows": 2,
        "bytes": file.sums[0], "sha256": file.sums[1], "columns": ["severity"], "generation": 1}
    call, = stub.calls(f"/files/{number}.csv")
    assert call.authorization == f"Bearer {stub.token}"
    assert len(stub.calls(f"/api/v2/exports/{number}")) == 2


@pytest.mark.parametrize("word", ["failed", "FAILED"])
def test_an_export_that_failed_says_so_in_either_case(shop, word):
    number = f"4{word}"
    shop.vdr.stub.export(number, status=word)
    signed(shop, shop.vdr, EXPORT_DONE, id=number)
    assert said(shop, "exports", f"acme-vdr:export:{number}:0:done") == {
        "export": {"id": number, "status": "failed", "status_word": word}, "rows": 0, "bytes": 0}


COLUMNS = ("address,ip,location,severity,description,cve_number,remedy,references,report_id,"
           "vulnerability_id,score_cvss,score_cps,group_description,group_differentiator,"
           "os_family,os_name")
SEVERITIES = {"critical": "critical", "medium": "medium", "warning": "low", "info": "info",
              "high": None, "low": None}   # the last two are no words of theirs


@pytest.mark.parametrize("bom", ["", "\ufeff"], ids=["plain", "bom"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_an_exports_columns_and_severities_are_those_that_are_known(shop, bom, end):
    number = f"5{len(bom)}{len(end)}"
    lines = [f'http://www.example.com/,192.0.2.1,dmz,{word},"a, ""b""",CVE-2024-1,patch,'
             f'https://example.com/,7,8,9.8,1.5,group,diff,Linux,Debian' for word in SEVERITIES]
    file = Text((bom + end.join([COLUMNS, *lines]) + end).encode())
    shop.vdr.stub.export(number, file)
    signed(shop, shop.vdr, EXPORT_DONE, id=number)
    name = f"acme-vdr:export:{number}:0:done"
    manifest = said(shop, "exports", name)
    assert (manifest["columns"], manifest["rows"]) == (COLUMNS.split(","), 6)
    shop.tap.drain()
    rows = [each.value for each in shop.tap.find("export-rows", event_id=name)]
    assert [row.get("severity") for row in rows] == list(SEVERITIES.values())
    assert [row["fields"]["severity"] for row in rows] == list(SEVERITIES)
    assert rows[0]["fields"] == {
        "address": "http://www.example.com/", "ip": "192.0.2.1", "location": "dmz",
        "severity": "critical", "description": 'a, "b"', "cve_number": "CVE-2024-1",
        "remedy": "patch", "references": "https://example.com/", "report_id": "7",
        "vulnerability_id": "8", "score_cvss": "9.8", "score_cps": "1.5",
        "group_description": "group", "group_differentiator": "diff", "os_family": "Linux",
        "os_name": "Debian"}


@pytest.mark.parametrize("place", ["/api/v2/exports/{n}", "/files/{n}.csv"], ids=["export", "file"])
def test_an_exports_rate_limit_is_waited_for(shop, place):
    number = f"6{len(place)}"
    path = place.format(n=number)
    shop.vdr.stub.export(number, Text(b"severity\ninfo\n"))
    shop.vdr.stub.script(path, Reply(429, {"Retry-After": "1"}, b'{"error":"slow down"}'))
    signed(shop, shop.vdr, EXPORT_DONE, id=number)
    assert said(shop, "exports", f"acme-vdr:export:{number}:0:done")["rows"] == 1
    first, second = shop.vdr.stub.calls(path)
    assert 1.0 <= second.time - first.time < 5


# --- SecurityScorecard: the webhooks ---

GUIDE = """{"trigger":{"type":"new_issues",
  "issues":{"csp_no_policy_v2":{"active":{"count":26},"departed":{"count":3},"resolved":{"count":2}},
   "domain_missing_https_v2":{"active":{"count":15}}},
  "selected":"by_severity","severity":"low"},
 "created_at":"2022-08-10T19:49:46.029Z",
 "execution_id":"ee08b90e-98fe-45e1-9261-91eb0a80275d",
 "scorecard_id":"8e21f4aa-ee49-5f6d-be70-366b95ecc586","domain":"example.com"}"""
CREATED_MS = 1660160986029
ISSUES = {"issues": [{"type": "csp_no_policy_v2", "active": 26, "departed": 3, "resolved": 2},
                     {"type": "domain_missing_https_v2", "active": 15}], "issue_type_count": 2}
SCORECARD_ID = "8e21f4aa-ee49-5f6d-be70-366b95ecc586"
ATTRIBUTES = {"trigger_type": "new_issues", "trigger_selected": "by_severity",
              "trigger_severity": "low", "scorecard_id": SCORECARD_ID, **ISSUES}

# What the platform says of a change inside ("valid_fake_event").
PLATFORM = {
    "platform_score_date": 42030679,
    "current": {"score": 90, "factors": {"network_security": 80, "dns_health": 95,
                                         "endpoint_security": 88, "patching_cadence": 85}},
    "previous": {"score": 10, "factors": {"network_security": 80, "dns_health": 95,
                                          "endpoint_security": 88, "patching_cadence": 85}},
    "domain": "example.com",
    "issues": {"csp_no_policy": {"active": {"count": 15}, "departed": {"count": 3},
                                 "resolved": {"count": 2}},
               "domain_missing_https": {"active": {"count": 5}}},
    "breach": {"root_cause": "hacked", "records_lost": 10000, "date_discovered": 0,
               "type_of_breach": ""}}


def company(made, domain=None, factors=(), changes=(), **more):
    """A scorecard that the API knows, and its domain."""
    domain = domain or f"d{secrets.token_hex(5)}.example"
    path, items = f"/companies/{domain}", made.ssc.stub.items
    items[path] = {"name": "Example", "domain": domain, "grade": "B", "score": 85,
                   "industry": "technology", "size": "size_51_to_200",
                   "grade_url": "https://s3.amazonaws.com/B.svg", "uuid": SCORECARD_ID,
                   "is_custom": False, "is_entity": False, "is_un_published": False,
                   "created_at": "2014-05-31T00:00:00.000Z", "disputed": False, **more}
    items[f"{path}/factors"] = {"entries": list(factors), "total": len(factors)}
    items[path + SINCE] = {"entries": list(changes)}
    return domain


def graded(domain, **more):
    return {"domain": domain, "id": SCORECARD_ID, "name": "Example", "grade": "B", "score": 85,
            "industry": "technology", "size": "size_51_to_200", **more}


def test_the_guides_example_and_its_retries_become_these_events_and_one_record(shop):
    company(shop, "example.com", last30day_score_change=-3)
    body = json.loads(GUIDE)
    assert tell(shop, shop.ssc, GUIDE.encode()).status_code == 202
    name = "ssc:ee08b90e-98fe-45e1-9261-91eb0a80275d"
    for retries in (1, 5):
        told(shop, shop.ssc, {**body, "retries": retries})
    for nth, more in enumerate(({}, {"retries": 1}, {"retries": 5}), 1):
        check_event(shop, name, shop.ssc, "scorecard.changed", ("scorecard", "example.com"),
                    CREATED_MS, {**ATTRIBUTES, **more}, nth=nth)
    after = told(shop, shop.ssc, scorecard(domain="example.com"))
    shop.tap.one("scorecards", event_id=after)
    shop.tap.drain()
    assert said(shop, "scorecards", name) == {
        "scorecard": graded("example.com", score_change_30_days=-3), "trigger_type": "new_issues",
        "factors": [], "factor_count": 0, "changes": [], "change_count": 0}


def moved(body):
    """As the field table has it: the issues under `context`."""
    trigger = dict(body["trigger"])
    return {**body, "context": {"issues": trigger.pop("issues")}, "trigger": trigger}


CALLED = [{"url": "https://hooks.example.com/first", "response": {"status": 200, "body": "thanks"}},
          {"url": "https://hooks.example.com/second", "response": "x" * 20_000}]
FORMS = {
    "context.issues": moved,
    "webhooks": lambda body: {**body, "webhooks": CALLED},
    "retries-and-webhooks": lambda body: {**body, "webhooks": CALLED, "retries": 2},
    "unknown-fields": lambda body: {
        **body, "customer": {"a": [1, 2.5, None]}, "trigger": {**body["trigger"], "portfolio": "p",
                                                              "filters": [{"any": True}]}},
    "unknown-issue-fields": lambda body: {**body, "trigger": {**body["trigger"], "issues": {
        name: {**counts, "reopened": {"count": 9}, "note": "n"}
        for name, counts in body["trigger"]["issues"].items()}}},
}


@pytest.mark.parametrize("form", FORMS)
def test_the_example_in_another_form_says_the_same(shop, form):
    body = FORMS[form](scorecard(domain=company(shop)))
    name = told(shop, shop.ssc, body)
    more = {"retries": 2} if "retries" in body else {}
    check_event(shop, name, shop.ssc, "scorecard.changed", ("scorecard", body["domain"]),
                CREATED_MS, {**ATTRIBUTES, **more})
    assert said(shop, "scorecards", name)["scorecard"] == graded(body["domain"])


@pytest.mark.parametrize("statuses", [["active"], ["departed"], ["resolved"], []], ids=str)
def test_each_count_of_an_issue_is_optional(shop, statuses):
    counts = {status: {"count": 7} for status in statuses}
    body = scorecard(domain=company(shop), trigger={"type": "new_issues", "issues": {"t": counts}})
    check_event(shop, told(shop, shop.ssc, body), shop.ssc, "scorecard.changed",
                ("scorecard", body["domain"]), CREATED_MS,
                {"trigger_type": "new_issues", "scorecard_id": SCORECARD_ID, "issue_type_count": 1,
                 "issues": [{"type": "t", **dict.fromkeys(statuses, 7)}]})


@pytest.mark.parametrize("word", [
    "grade_drop", "grade_raise", "factor_grade_drop", "factor_grade_raise", "score_drop_threshold",
    "score_rise_threshold", "factor_score_drop_threshold", "factor_score_rise_threshold",
    "security_breach", "something_new"])
def test_a_trigger_without_documented_fields_keeps_its_word_and_no_more(shop, word):
    body = scorecard(domain=company(shop), trigger={
        "type": word, "grade": "any", "threshold": "70", "factor": ["dns_health"],
        "current": PLATFORM["current"], "breach": PLATFORM["breach"]})
    name = told(shop, shop.ssc, body)
    check_event(shop, name, shop.ssc, "scorecard.changed", ("scorecard", body["domain"]),
                CREATED_MS, {"trigger_type": word, "scorecard_id": SCORECARD_ID})
    assert said(shop, "scorecards", name) == {
        "scorecard": graded(body["domain"]), "trigger_type": word,
        "factors": [], "factor_count": 0, "changes": [], "change_count": 0}


def test_the_platforms_own_event_is_no_webhook(shop):
    assert tell(shop, shop.ssc, PLATFORM).status_code == 400


# --- SecurityScorecard: the API ---

@pytest.mark.parametrize("more, expected", [
    ({"last30day_score_change": -3}, {"score_change_30_days": -3}),
    ({"last30days_score_change": 4}, {"score_change_30_days": 4}),
    ({"last30days_score_change": 0}, {"score_change_30_days": 0}),
    ({"last30day_score_change": None}, {}),
    ({"score": None, "grade": "?"}, {"score": None, "grade": "?"}),
    ({"size": "unknown"}, {"size": "unknown"}),
    ({"provisional": True, "unheard": {"of": 1}}, {}),
], ids=lambda more: "-".join(more) or "nothing")
def test_a_scorecard_is_read_in_each_of_its_forms(shop, more, expected):
    domain = company(shop, **more)
    name = told(shop, shop.ssc, scorecard(domain=domain))
    value = graded(domain, **expected)
    assert said(shop, "scorecards", name)["scorecard"] == {
        key: value[key] for key in value if value[key] is not None}


def test_a_score_that_is_undefined_is_left_out(shop):
    domain = company(shop, grade="?")
    del shop.ssc.stub.items[f"/companies/{domain}"]["score"]
    expected = graded(domain, grade="?")
    del expected["score"]
    name = told(shop, shop.ssc, scorecard(domain=domain))
    assert said(shop, "scorecards", name)["scorecard"] == expected


def error(status, message):
    """An error in the documented form."""
    return Reply(status, body=json.dumps(
        {"error": {"message": message, "statusCode": status}}).encode())


REFUSALS = {403: ("forbidden", "company must be added to a portfolio first"),
            404: ("gone", "company doesn't have a scorecard yet")}


@pytest.mark.parametrize("status", REFUSALS)
def test_a_scorecard_that_is_refused_is_a_result(shop, status):
    domain = company(shop)
    detail, message = REFUSALS[status]
    shop.ssc.stub.always(f"/companies/{domain}", error(status, message))
    name = told(shop, shop.ssc, scorecard(domain=domain))
    assert said(shop, "scorecards", name) == {
        "scorecard": {"domain": domain, "id": SCORECARD_ID}, "trigger_type": "new_issues",
        "detail": detail}
    assert not shop.ssc.stub.calls(f"/companies/{domain}/factors")


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("part, place", [("factors", "/factors"), ("changes", SINCE)])
def test_a_part_of_a_scorecard_that_is_refused_is_a_result(shop, status, part, place):
    domain = company(shop)
    detail, message = REFUSALS[status]
    shop.ssc.stub.always(f"/companies/{domain}{place}", error(status, message))
    value = said(shop, "scorecards", told(shop, shop.ssc, scorecard(domain=domain)))
    assert value[f"{part}_detail"] == detail
    assert part not in value
    assert value["scorecard"] == graded(domain)


@pytest.mark.parametrize("status", [400, 405, 409, 413, 422])
def test_a_scorecard_that_can_never_be_had_is_a_dead_letter(shop, status):
    domain = company(shop)
    shop.ssc.stub.always(f"/companies/{domain}", error(status, f"http error {status}: No"))
    check_refused(shop, told(shop, shop.ssc, scorecard(domain=domain)), status)
    assert len(shop.ssc.stub.calls(f"/companies/{domain}")) == 1


@pytest.mark.parametrize("place", ["", "/factors", SINCE], ids=["company", "factors", "changes"])
def test_a_scorecard_is_asked_for_again_after_a_passing_error(shop, place):
    domain = company(shop)
    path = f"/companies/{domain}{place}"
    shop.ssc.stub.script(path, *(error(status, f"http error {status}: later")
                                 for status in (500, 502, 503, 504)))
    value = said(shop, "scorecards", told(shop, shop.ssc, scorecard(domain=domain)))
    assert (value["scorecard"], value["factor_count"]) == (graded(domain), 0)
    assert len(shop.ssc.stub.calls(path)) == 5


def test_a_scorecards_rate_limit_is_waited_for(shop):
    domain = company(shop)
    path = f"/companies/{domain}"
    limit = error(429, "http error 429: Too Many Requests")
    limit.headers["Retry-After"] = "1"
    shop.ssc.stub.script(path, limit)
    name = told(shop, shop.ssc, scorecard(domain=domain))
    assert said(shop, "scorecards", name)["scorecard"] == graded(domain)
    first, second = shop.ssc.stub.calls(path)
    assert 1.0 <= second.time - first.time < 5


FACTORS = ["application_security", "cubit_score", "dns_health", "endpoint_security",
           "hacker_chatter", "ip_reputation", "leaked_information", "network_security",
           "patching_cadence", "social_engineering"]


def test_all_factors_come_as_entries_with_each_severity(shop):
    words = ["low", "medium", "high", "critical", "info", "positive"]
    summary = [{"type": f"type_{word}", "count": at, "severity": word, "total_score_impact": 0.5,
                "detail_url": "https://api.securityscorecard.io/x"} for at, word in enumerate(words)]
    domain = company(shop, factors=[
        {"name": name, "score": 90 + at, "grade": "A", "issue_summary": summary if at == 0 else []}
        for at, name in enumerate(FACTORS)])
    value = said(shop, "scorecards", told(shop, shop.ssc, scorecard(domain=domain)))
    issues = [{"type": f"type_{word}", "count": at, "severity": word, "severity_word": word}
              for at, word in enumerate(words)]
    del issues[-1]["severity"]     # a good signal is no severity
    assert value["factors"] == [
        {"name": name, "score": 90 + at, "grade": "A", "issues": issues if at == 0 else [],
         "issue_type_count": 6 if at == 0 else 0} for at, name in enumerate(FACTORS)]
    assert value["factor_count"] == 10


CHANGES = [
    {"id": 1, "date": "2022-08-10T00:00:00.000Z", "event_type": "issues", "group_status": "resolved",
     "issue_count": 2, "total_score_impact": 1.25, "issue_type": "csp_no_policy_v2",
     "severity": "low", "factor": "application_security",
     "detail_url": "https://api.securityscorecard.io/companies/example.com/history/events/20220810/x"},
    {"id": 2, "date": "2022-08-10T00:00:00.000Z", "event_type": "breach", "total_score_impact": -9,
     "breach_data": {"root_cause": "hacked", "records_lost": 10000, "date_discovered": 0,
                     "type_of_breach": ""},
     "breach_incidents": [{"measurement_id": "m", "title": "t", "confirmed": True}]},
    {"id": 3, "date": "2022-08-09T12:00:00Z", "event_type": "recalibration",
     "total_score_impact": 0},
    {"id": 4, "date": "2022-08-09T12:00:00Z", "event_type": "additional"}]
TOLD = [
    {"id": 1, "occurred_ms": 1660089600000, "type": "issues", "status_word": "resolved",
     "issue_count": 2, "score_impact": 1.25, "issue_type": "csp_no_policy_v2",
     "factor": "application_security", "severity": "low", "severity_word": "low"},
    {"id": 2, "occurred_ms": 1660089600000, "type": "breach", "score_impact": -9},
    {"id": 3, "occurred_ms": 1660046400000, "type": "recalibration", "score_impact": 0},
    {"id": 4, "occurred_ms": 1660046400000, "type": "additional"}]


@pytest.mark.parametrize("form", [lambda entries: {"entries": entries}, list],
                         ids=["entries", "list"])
def test_a_history_of_issues_breaches_and_recalibrations_is_told(shop, form):
    domain = company(shop)
    shop.ssc.stub.items[f"/companies/{domain}{SINCE}"] = form(CHANGES)
    value = said(shop, "scorecards", told(shop, shop.ssc, scorecard(domain=domain)))
    assert (value["changes"], value["change_count"]) == (TOLD, 4)


# --- Probely: the webhooks ---

TYPES = ["user_created", "user_deleted", "target_created", "target_deleted", "target_verified",
         "target_verification_failed", "scan_started", "scan_canceled", "scan_completed",
         "scan_failed", "finding_detected", "finding_fixed"]
AT = "2024-09-11T15:51:56.221238Z"
AT_MS = 1726069916221
SHORT = [{"id": "wXyZ", "api_version": "v1", "status": "rescheduled",
          "next_try": "2024-09-11T16:51:56Z", "retries": 3}]
FULL = [{"id": "wXyZ", "name": "bridge", "url": "https://bridge.example.com/p/secret/",
         "check_cert": True, "api_version": "v1", "created": AT, "changed": AT,
         "created_by": {"id": "u9", "email": "jane@example.com", "name": "Jane"},
         "changed_by": {"id": "u9", "email": "jane@example.com", "name": "Jane"}}]
SITE = {"id": "s1", "name": "Shop", "desc": "", "url": "https://www.example.com",
        "host": "www.example.com", "has_form_login": False, "has_basic_auth": True,
        "basic_auth": {"username": "u", "password": "p"}, "headers": [], "cookies": [],
        "verified": True, "verification_method": "dns",
        "verification_date": "2024-09-11T15:00:00.5Z", "verification_last_error": ""}


def content_of(event_type, number):
    """The object of an event, as the API has it, and as it is in a webhook."""
    target = {"id": f"t{number}", "name": "Shop", "site": SITE, "type": "single", "labels": []}
    return {
        "user": {"id": number, "email": "jane@example.com", "name": "Jane", "title": "seceng",
                 "is_billing_admin": False, "active": True, "is_apiuser": False},
        "target": {**target, "id": number, "risk": 20, "criticals": 0, "highs": 1, "mediums": 2,
                   "lows": 3, "changed": AT, "scan_profile": "normal"},
        "scan": {"id": number, "target": target, "status": "completed", "started": AT,
                 "completed": "2024-09-11T15:51:56.2212387", "scan_profile": "normal", "lows": 4,
                 "mediums": 3, "highs": 2, "criticals": None, "created": "2024-09-11T15:51:56Z",
                 "incremental": False},
        "finding": {"id": number, "target": target, "scans": ["a"], "labels": [], "severity": 30,
                    "definition": {"id": "d1", "name": "SQL injection", "cwe_id": "CWE-89"},
                    "url": "https://www.example.com/a?b=c", "path": "/a", "method": "get",
                    "insertion_point": "parameter", "parameter": "q", "params": {"q": ["1"]},
                    "state": "notfixed", "cvss_score": 8.8, "cvss_vector": "AV:N/AC:L",
                    "last_found": AT, "retesting": False, "new": True, "changed": AT},
    }[event_type.partition("_")[0]]


ASSET = {"type": "single", "hostname": "www.example.com", "url": "https://www.example.com"}
FOUND = {
    "target": lambda number: {"target": {
        "id": number, **ASSET, "is_verified": True, "verification_method": "dns",
        "verified_ms": 1726066800500, "risk": "medium", "risk_word": "20",
        "counts": {"critical": 0, "high": 1, "medium": 2, "low": 3}, "changed_ms": AT_MS}},
    "scan": lambda number: {"scan": {
        "id": number, "status": "completed", "status_word": "completed",
        "notified_status": "completed", "requested_ms": 1726069916000, "started_ms": AT_MS,
        "completed_ms": AT_MS, "is_incremental": False, "profile": "normal",
        "counts": {"high": 2, "medium": 3, "low": 4}}, "asset": {"id": f"t{number}", **ASSET}},
    "finding": lambda number: {"finding": {
        "id": number, "severity": "high", "severity_word": "30", "definition_id": "d1",
        "title": "SQL injection", "cwe_id": "CWE-89", "url": "https://www.example.com/a",
        "status_word": "notfixed", "method": "get", "insertion_point": "parameter",
        "parameter": "q", "cvss_vector": "AV:N/AC:L", "cvss_score": 8.8, "is_new": True,
        "is_retesting": False, "last_found_ms": AT_MS, "changed_ms": AT_MS},
        "asset": {"id": f"t{number}", **ASSET}},
}
ATTRIBUTES_OF = {
    "user": lambda number: {}, "target": lambda number: {},
    "scan": lambda number: {"target_id": f"t{number}", "status": "completed"},
    "finding": lambda number: {"target_id": f"t{number}", "finding_id": number},
}


def path_of(kind, number):
    return {"scan": f"/scans/{number}/", "target": f"/targets/{number}/",
            "finding": f"/targets/t{number}/findings/{number}/"}[kind]


def event_of(event_type, content, **more):
    kind = event_type.partition("_")[0]
    return {"id": f"jMXUw-BE_{secrets.token_hex(4)}", "event_type": event_type,
            "object_type": kind, "content": content, "occurred_at": AT, "webhooks": SHORT, **more}


def furnish(made, kind, number=None, **more):
    """An object that the API knows; its id, and what it says of it."""
    number = number or secrets.token_hex(5)
    document = {**content_of(kind, number), **more}
    made.web.stub.items[path_of(kind, number)] = document
    return number, document


def subject_of(kind, number):
    return (kind, f"t{number}.{number}" if kind == "finding" else number)


@pytest.mark.parametrize("form", [lambda content: content, json.dumps], ids=["object", "text"])
@pytest.mark.parametrize("event_type", TYPES)
def test_each_event_type_becomes_this_event_and_this_record(shop, event_type, form):
    kind, _, what = event_type.partition("_")
    number = secrets.token_hex(5)
    content = content_of(event_type, number)
    if kind != "user":
        furnish(shop, kind, number)
    name = told(shop, shop.web, event_of(event_type, form(content)))
    check_event(shop, name, shop.web, f"{kind}.{what}", subject_of(kind, number), AT_MS,
                {"event_type": event_type, **ATTRIBUTES_OF[kind](number)})
    if kind == "user" or event_type == "target_deleted":
        return
    assert said(shop, f"{kind}s", name) == FOUND[kind](number)
    assert [seen.authorization for seen in shop.web.stub.calls(path_of(kind, number))] == [
        f"JWT {shop.web.stub.token}"]


def test_a_deleted_target_and_a_user_are_not_asked_for(shop):
    number = secrets.token_hex(5)
    key = f"web/target/{number}"
    told(shop, shop.web, event_of("user_created", content_of("user", number)))
    told(shop, shop.web, event_of("target_deleted", content_of("target", number)))

    def deleted():
        shop.tap.drain()
        return [each for each in shop.tap.records["targets"] if each.key == key]
    gone, = until(deleted, "the deletion")
    assert (gone.value, gone.headers["ce_type"], gone.headers["ce_subject"]) == (
        None, "vulnbus.target.enriched", f"target/{number}")
    assert not [seen for seen in list(shop.web.stub.seen) if number in seen.path]


# Digits of a fraction, and the milliseconds of them.
FRACTIONS = {0: 0, 1: 800, 3: 820, 6: 820, 7: 820, 9: 820}


@pytest.mark.parametrize("zone", ["Z", ""], ids=["Z", "none"])
@pytest.mark.parametrize("digits", FRACTIONS)
def test_a_time_is_read_with_any_fraction_and_under_either_spelling(shop, digits, zone):
    fraction = "." + "820830212"[:digits] if digits else ""
    for spelling in ("occurred_at", "ocurred_at"):
        body = event_of("user_created", {"id": "u1"})
        del body["occurred_at"]
        body[spelling] = f"2023-08-09T13:27:43{fraction}{zone}"
        check_event(shop, told(shop, shop.web, body), shop.web, "user.created", ("user", "u1"),
                    1691587663000 + FRACTIONS[digits], {"event_type": "user_created"})


@pytest.mark.parametrize("text, ms", [
    ("2023-08-09T13:27:43.8208302", 1691587663820), ("2024-07-29T15:51:28.071Z", 1722268288071),
    ("2024-09-11T15:51:56.221238Z", 1726069916221)])
def test_the_documented_times_are_read(shop, text, ms):
    name = told(shop, shop.web, event_of("user_deleted", {"id": "u1"}, occurred_at=text))
    check_event(shop, name, shop.web, "user.deleted", ("user", "u1"), ms,
                {"event_type": "user_deleted"})


@pytest.mark.parametrize("hooks", [SHORT, FULL, SHORT + FULL, [], None],
                         ids=["short", "full", "both", "empty", "null"])
def test_webhooks_of_any_form_change_nothing(shop, hooks):
    name = told(shop, shop.web, event_of("user_created", {"id": "u1"}, webhooks=hooks))
    check_event(shop, name, shop.web, "user.created", ("user", "u1"), AT_MS,
                {"event_type": "user_created"})


@pytest.mark.parametrize("kind", ["target", "scan", "finding"])
@pytest.mark.parametrize("as_text", [False, True], ids=["object", "text"])
def test_ids_may_be_integers_or_texts(shop, kind, as_text):
    for number in (secrets.randbelow(10**9) + 10**9, f"id-_{secrets.token_hex(4)}"):
        furnish(shop, kind, str(number))
        content = {**content_of(kind, str(number)), "id": number}
        body = event_of({"target": "target_verified", "scan": "scan_completed",
                         "finding": "finding_fixed"}[kind],
                        json.dumps(content) if as_text else content)
        if isinstance(number, int):
            body["id"] = number
        name = told(shop, shop.web, body)
        check_event(shop, name, shop.web, f"{kind}.{body['event_type'].partition('_')[2]}",
                    subject_of(kind, str(number)), AT_MS,
                    {"event_type": body["event_type"], **ATTRIBUTES_OF[kind](str(number))})
        assert said(shop, f"{kind}s", name) == FOUND[kind](str(number))


@pytest.mark.parametrize("kind", ["scan", "finding"])
@pytest.mark.parametrize("target", [{"id": "t9"}, "t9", {"id": 9}, 9],
                         ids=["object", "id", "object-integer", "integer"])
def test_a_target_may_be_an_object_or_an_id(shop, kind, target):
    number = secrets.token_hex(5)
    number_of_target = str(target["id"] if isinstance(target, dict) else target)
    path = path_of(kind, number).replace(f"/t{number}/", f"/{number_of_target}/")
    shop.web.stub.items[path] = {**content_of(kind, number), "target": target}
    event_type = {"scan": "scan_started", "finding": "finding_detected"}[kind]
    name = told(shop, shop.web, event_of(event_type, {"id": number, "target": target}))
    subject = (kind, f"{number_of_target}.{number}" if kind == "finding" else number)
    more = {"finding_id": number} if kind == "finding" else {}
    check_event(shop, name, shop.web, event_type.replace("_", "."), subject, AT_MS,
                {"event_type": event_type, "target_id": number_of_target, **more})
    assert said(shop, f"{kind}s", name)["asset"] == {"id": number_of_target}
    assert len(shop.web.stub.calls(path)) == 1


def test_an_event_without_a_documented_type_or_object_is_a_dead_letter(shop):
    """Of its own object, or else of itself; nothing of the content goes along."""
    unknown = event_of("target_archived", {"id": "t1", "site": SITE})
    user = event_of("apiuser_created", {"id": 7, "email": "jane@example.com"}, object_type="user")
    nothing = event_of("scan_completed", None)
    broken = event_of("finding_fixed", '{"id": 28, "target"')
    for body, subject, reason in (
            (unknown, {"type": "target", "id": "t1"}, "event_type: not documented"),
            (user, {"type": "user", "id": "7"}, "event_type: not documented"),
            (nothing, {"type": "event", "id": nothing["id"]},
             "content: does not say which object"),
            (broken, {"type": "event", "id": broken["id"]},
             "content: does not say which object")):
        value = shop.tap.one("dead-letters", event_id=told(shop, shop.web, body)).value
        assert (value["stage"], value["reason"]) == ("normalise", reason)
        assert value["event"]["subject"] == subject
        assert value["event"]["attributes"] == {"event_type": body["event_type"]}


# --- Probely: the API ---

def notify(made, kind, number):
    event_type = {"target": "target_created", "scan": "scan_completed",
                  "finding": "finding_detected"}[kind]
    return told(made, made.web, event_of(event_type, content_of(kind, number)))


def found(made, kind, **more):
    """What becomes of an object that the API says this of."""
    number, _ = furnish(made, kind, **more)
    return number, said(made, f"{kind}s", notify(made, kind, number))


@pytest.mark.parametrize("profile", [
    "normal", {"id": "normal", "name": "Normal", "description": "d", "builtin": True}],
    ids=["word", "object"])
def test_a_scan_profile_is_a_word_or_an_object(shop, profile):
    for kind in ("scan", "target"):
        number, value = found(shop, kind, scan_profile=profile)
        assert value == FOUND[kind](number)


@pytest.mark.parametrize("risk, expected", [
    (None, {}), (0, {"risk_word": "0"}), (10, {"risk": "low", "risk_word": "10"}),
    (20, {"risk": "medium", "risk_word": "20"}), (30, {"risk": "high", "risk_word": "30"}),
    (40, {"risk": "critical", "risk_word": "40"})], ids=str)
def test_a_targets_risk_is_in_tens_or_null(shop, risk, expected):
    _, value = found(shop, "target", risk=risk)
    assert {key: value["target"][key] for key in value["target"] if "risk" in key} == expected


@pytest.mark.parametrize("severity, expected", [
    (10, {"severity": "low", "severity_word": "10"}),
    (20, {"severity": "medium", "severity_word": "20"}),
    (30, {"severity": "high", "severity_word": "30"}),
    (40, {"severity": "critical", "severity_word": "40"}), (None, {})], ids=str)
def test_a_findings_severity_is_in_tens(shop, severity, expected):
    _, value = found(shop, "finding", severity=severity)
    assert {key: value["finding"][key] for key in value["finding"]
            if "severity" in key} == expected


@pytest.mark.parametrize("params", [{"q": ["1"]}, "q=1", None, {}], ids=str)
def test_a_findings_params_are_of_no_matter(shop, params):
    number, value = found(shop, "finding", params=params)
    assert value == FOUND["finding"](number)


@pytest.mark.parametrize("state", ["notfixed", "invalid", "accepted", "fixed", "retesting"])
def test_a_findings_state_is_kept(shop, state):
    assert found(shop, "finding", state=state)[1]["finding"]["status_word"] == state


@pytest.mark.parametrize("place", ["cookie", "header", "url_path_folder", ""])
def test_a_findings_insertion_point_may_be_empty(shop, place):
    finding = found(shop, "finding", insertion_point=place)[1]["finding"]
    assert finding.get("insertion_point", "") == place


@pytest.mark.parametrize("word, status", [
    ("canceled", "canceled"), ("canceling", "started"), ("completed", "completed"),
    ("completed_with_errors", "completed"), ("failed", "failed"), ("paused", "started"),
    ("pausing", "started"), ("queued", "started"), ("resuming", "started"),
    ("started", "started"), ("under_review", "started"), ("finishing_up", "started")])
def test_a_scans_status_is_normalised_and_kept(shop, word, status):
    scan = found(shop, "scan", status=word)[1]["scan"]
    assert (scan["status"], scan["status_word"]) == (status, word)


def detail(text):
    return json.dumps({"detail": text}).encode()


GONE = {"forbidden": Reply(403, body=detail("You do not have permission to perform this action.")),
        "gone": Reply(404, body=detail("Not found.")),
        "gone-of-ids": Reply(404, body=b'{"detail":"Not Found","is_id_404_validation":true,'
                                       b'"invalid_ids":["x"]}')}


@pytest.mark.parametrize("kind", ["target", "scan", "finding"])
@pytest.mark.parametrize("case", GONE)
def test_what_probely_does_not_show_is_a_result(shop, kind, case):
    number, _ = furnish(shop, kind)
    shop.web.stub.always(path_of(kind, number), GONE[case])
    value = said(shop, f"{kind}s", notify(shop, kind, number))
    assert value["detail"] == case.partition("-")[0]
    assert value[kind]["id"] == number
    assert len(shop.web.stub.calls(path_of(kind, number))) == 1


@pytest.mark.parametrize("kind", ["target", "scan", "finding"])
def test_what_probely_calls_a_bad_request_is_a_dead_letter(shop, kind):
    number, _ = furnish(shop, kind)
    shop.web.stub.always(path_of(kind, number), Reply(
        400, body=b'{"id":["Invalid."],"non_field_errors":["Invalid."]}'))
    check_refused(shop, notify(shop, kind, number), 400)
    assert len(shop.web.stub.calls(path_of(kind, number))) == 1


HTML = {"Content-Type": "text/html; charset=UTF-8"}
PAGE = b"<!DOCTYPE html><html><head><title>api.probely.com | Cloudflare</title></head></html>"
PASSING = {"500": Reply(500, body=detail("Unexpected error while handling your request.")),
           "cloudflare-429": Reply(429, HTML, PAGE), "cloudflare-500": Reply(500, HTML, PAGE),
           "cloudflare-502": Reply(502, HTML, PAGE)}


@pytest.mark.parametrize("kind", ["target", "scan", "finding"])
@pytest.mark.parametrize("case", PASSING)
def test_what_passes_at_probely_is_asked_for_again(shop, kind, case):
    number, _ = furnish(shop, kind)
    shop.web.stub.script(path_of(kind, number), PASSING[case], PASSING[case])
    assert said(shop, f"{kind}s", notify(shop, kind, number)) == FOUND[kind](number)
    assert len(shop.web.stub.calls(path_of(kind, number))) == 3


def test_a_rate_limit_of_probely_is_waited_for(shop):
    number, _ = furnish(shop, "scan")
    path = path_of("scan", number)
    shop.web.stub.script(path, Reply(429, {**HTML, "Retry-After": "1"}, PAGE))
    assert said(shop, "scans", notify(shop, "scan", number)) == FOUND["scan"](number)
    first, second = shop.web.stub.calls(path)
    assert 1.0 <= second.time - first.time < 5


@pytest.mark.parametrize("status", [201, 202, 204, 206, 304, 405])
def test_a_status_that_says_nothing_of_a_scan_is_a_dead_letter(shop, status):
    number, document = furnish(shop, "scan")
    body = b"" if status in (204, 304) else json.dumps(document).encode()
    shop.web.stub.always(path_of("scan", number), Reply(status, body=body))
    check_refused(shop, notify(shop, "scan", number), status)


def test_a_scan_that_is_gone_for_good_is_a_result(shop):
    number, _ = furnish(shop, "scan")
    shop.web.stub.always(path_of("scan", number), Reply(410, body=detail("Gone.")))
    value = said(shop, "scans", notify(shop, "scan", number))
    assert (value["detail"], value["scan"]) == ("gone", {
        "id": number, "status": "completed", "status_word": "completed",
        "notified_status": "completed"})


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_path_without_its_slash_is_redirected_to_the_one_with_it(shop, status):
    """As a vendor does whose every path ends in one, were it configured without."""
    number = secrets.token_hex(5)
    stub = shop.bare.stub
    stub.items[f"/scans/{number}/"] = content_of("scan", number)
    stub.always(f"/scans/{number}", Reply(status, {"Location": f"/scans/{number}/"}, b""))
    name = told(shop, shop.bare, event_of("scan_completed", content_of("scan", number)))
    assert said(shop, "scans", name) == FOUND["scan"](number)
    asked = [(seen.path, seen.authorization) for seen in list(stub.seen) if number in seen.path]
    assert asked == [(f"/scans/{number}", f"JWT {stub.token}"),
                     (f"/scans/{number}/", f"JWT {stub.token}")]


# --- all of them ---

@pytest.mark.parametrize("vendor", ["securityscorecard", "probely"])
def test_a_refused_token_in_the_documented_form_waits_for_another(shop, vendor):
    source, reply, body, path, short = {
        "securityscorecard": (shop.shut_ssc, error(401, "http error 401: Unauthorized"),
                              scorecard(), "/companies/example.com", "scorecards"),
        "probely": (shop.shut_web, Reply(401, body=detail(
            "Incorrect authentication credentials.")),
            event_of("target_created", {"id": "t1"}), "/targets/t1/", "targets")}[vendor]
    source.stub.items = {"/targets/t1/": content_of("target", "t1")} if vendor == "probely" else {
        path: {"grade": "A"}, f"{path}/factors": [], path + SINCE: []}
    source.stub.always(path, reply)
    name = told(shop, source, body)
    until(lambda: shop.enricher.metric("vulnbus_source_authorised", source=source.name) == 0
          and source.stub.calls(path), "refused")
    source.stub.usual(path)
    source.stub.token = "another-token-0123456789"
    shop.write_token(source, source.stub.token)
    assert "detail" not in said(shop, short, name)
    first, *_, last = source.stub.calls(path)
    assert first.authorization != last.authorization
    assert last.authorization == f"{source.stub.word} another-token-0123456789"


def test_each_api_is_asked_in_its_own_way(shop):
    """Last, and so for all of the above: the word before each token, how each path ends."""
    for source in (shop.vdr, shop.delve):
        source.stub.scan("1000")
        signed(shop, source, SCAN_DONE, id="1000")
        said(shop, "scans", f"{source.name}:scan:1000:1:done")
    said(shop, "scorecards", told(shop, shop.ssc, scorecard(domain=company(shop))))
    for kind in FOUND:
        found(shop, kind)
    for source, word in ((shop.vdr, "Bearer"), (shop.delve, "Bearer"), (shop.ssc, "Token"),
                         (shop.web, "JWT")):
        asked = {seen.authorization for seen in list(source.stub.seen)
                 if seen.path != source.stub.key_path}
        assert asked == {f"{word} {source.stub.token}"}
    assert [seen.path for seen in list(shop.web.stub.seen) if not seen.path.endswith("/")] == []
