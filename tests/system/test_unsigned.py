# SPDX-License-Identifier: Apache-2.0
"""Vendors that sign nothing: the path is the proof, the body the document, the API the facts."""

import json
import secrets

import pytest
import requests

from daemons import Source, Stack, run
from http_raw import Connection, exchange, request
from reader import raw_bytes
from vendor import Reply, Vendor
from waiting import until

KIB = 1024

# "Receive event notifications with webhooks", its example.
TRIGGER = {"type": "new_issues",
           "issues": {"csp_no_policy_v2": {"active": {"count": 26}, "departed": {"count": 3},
                                           "resolved": {"count": 2}},
                      "domain_missing_https_v2": {"active": {"count": 15}}},
           "selected": "by_severity", "severity": "low"}
SINCE = "/history/events/?date_from=2022-08-09"   # created_at, a day earlier


def scorecard(**more):
    """A rule's webhook; by default one that was never sent before."""
    return {"trigger": TRIGGER, "created_at": "2022-08-10T19:49:46.029Z",
            "execution_id": f"ee08b90e-98fe-45e1-9261-{secrets.token_hex(6)}",
            "scorecard_id": "8e21f4aa-ee49-5f6d-be70-366b95ecc586", "domain": "example.com",
            **more}


def probely(event_type, content, **more):
    return {"id": secrets.token_urlsafe(9), "event_type": event_type,
            "object_type": event_type.partition("_")[0], "content": content,
            "occurred_at": "2024-09-11T15:51:56.221238Z",
            "webhooks": [{"id": "w1", "api_version": "v1", "status": "scheduled", "retries": 0}],
            **more}


@pytest.fixture(scope="module")
def shop(module_stack):
    made = module_stack(
        [Source("ssc", "securityscorecard", Vendor(word="Token")),
         Source("web", "probely", Vendor(word="JWT")), Source("acme-vdr")],
        {"ingress": {"max_body": "64KiB"}})
    made.ssc, made.web, made.vdr = made.sources
    made.ssc.stub.items = {
        "/companies/example.com": {
            "name": "Example", "domain": "example.com", "grade": "B", "score": 85,
            "industry": "technology", "size": "size_51_to_200", "last30day_score_change": -3},
        "/companies/example.com/factors": {"total": 1, "entries": [
            {"name": "dns_health", "score": 95, "grade": "A", "issue_summary": [
                {"type": "spf_record_missing", "count": 2, "severity": "medium",
                 "detail_url": "https://api.securityscorecard.io/companies/example.com/issues/x"}]}]},
        "/companies/example.com" + SINCE: {"entries": [
            {"id": 4711, "date": "2022-08-10T00:00:00.000Z", "event_type": "issues",
             "group_status": "active", "issue_count": 26, "total_score_impact": -1.5,
             "issue_type": "csp_no_policy_v2", "severity": "low",
             "factor": "application_security"}]}}
    return made.start()


def tell(made, source, body, **headers):
    """One webhook call as the vendor makes it."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return made.session.post(made.ingress.url() + source.path, data=data, timeout=30,
                             headers={"Content-Type": "application/json", **headers})


def told(made, source, body):
    answer = tell(made, source, body)
    assert (answer.status_code, answer.content) == (202, b""), (answer.status_code, body)
    return f"{source.name}:{body.get('execution_id') or body['id']}"


def ask(made, source, headers=(), body=b"", **more):
    return exchange(made.ingress.address(), request(source.path, headers, body, **more))


# --- SecurityScorecard, end to end ---

def test_the_documented_example_becomes_an_event_and_a_scorecard(shop):
    name = told(shop, shop.ssc, scorecard())
    event = shop.tap.one("events", id=name)
    assert event.key == "ssc/scorecard/example.com"
    assert event.headers["ce_type"] == "vulnbus.scorecard.changed"
    assert event.headers["ce_time"] == "2022-08-10T19:49:46.029Z"
    assert event.value["proof"] == "secret-path"
    assert event.value["vendor"] == "securityscorecard"
    assert event.value["attributes"]["trigger_type"] == "new_issues"
    assert {"type": "domain_missing_https_v2", "active": 15} in event.value["attributes"]["issues"]
    record = shop.tap.one("scorecards", event_id=name)
    assert record.key == event.key
    assert (record.value["scorecard"]["grade"], record.value["scorecard"]["score"]) == ("B", 85)
    assert record.value["factors"][0]["issues"] == [
        {"type": "spf_record_missing", "count": 2, "severity": "medium",
         "severity_word": "medium"}]
    assert record.value["changes"][0]["occurred_ms"] == 1660089600000
    assert record.value["change_count"] == 1


def test_two_retries_are_one_scorecard(shop):
    body = scorecard(domain="retried.example")
    stub = shop.ssc.stub
    stub.items["/companies/retried.example"] = {"grade": "C", "score": 70}
    name = told(shop, shop.ssc, body)
    for retries in (1, 2):
        assert told(shop, shop.ssc, {**body, "retries": retries}) == name
    shop.tap.wait("events", 3, id=name)
    # In the same partition behind the retries: when this one is through, they are.
    after = told(shop, shop.ssc, scorecard(domain="retried.example"))
    shop.tap.one("scorecards", event_id=after)
    shop.tap.drain()
    assert len(shop.tap.find("scorecards", event_id=name)) == 1
    assert len(stub.calls("/companies/retried.example")) == 2


@pytest.mark.parametrize("status, detail", [(403, "forbidden"), (404, "gone")])
def test_a_scorecard_one_may_not_see_is_a_result(shop, status, detail):
    domain = f"{detail}.example"
    shop.ssc.stub.always(f"/companies/{domain}", Reply(status))
    value = shop.tap.one(
        "scorecards", event_id=told(shop, shop.ssc, scorecard(domain=domain))).value
    assert value["detail"] == detail
    assert value["scorecard"]["domain"] == domain
    assert not shop.ssc.stub.calls(f"/companies/{domain}/factors")


def test_a_score_that_is_being_calculated_is_left_out(shop):
    shop.ssc.stub.items["/companies/new.example"] = {"grade": "?", "domain": "new.example"}
    value = shop.tap.one(
        "scorecards", event_id=told(shop, shop.ssc, scorecard(domain="new.example"))).value
    assert value["scorecard"]["grade"] == "?"
    assert "score" not in value["scorecard"]


def test_an_unknown_trigger_keeps_its_word(shop):
    name = told(shop, shop.ssc, scorecard(trigger={"type": "grade_raise", "unheard": "of"}))
    value = shop.tap.one("events", id=name).value
    assert (value["kind"], value["attributes"]["trigger_type"]) == (
        "scorecard.changed", "grade_raise")


# --- Probely, end to end ---

@pytest.mark.parametrize("form", [lambda content: content, json.dumps], ids=["object", "text"])
def test_a_scan_is_enriched_whatever_form_its_content_has(shop, form):
    number = secrets.token_hex(4)
    shop.web.stub.items[f"/scans/{number}/"] = {
        "id": number, "status": "completed", "created": "2024-09-11T15:00:00.5Z",
        "started": "2024-09-11T15:00:01Z", "completed": "2024-09-11T15:51:56.221238",
        "scan_profile": "normal", "lows": 4, "mediums": 3, "highs": 2, "criticals": None,
        "target": {"id": "tgt", "type": "single", "site": {
            "host": "www.example.com", "url": "https://www.example.com/?key=k"}}}
    name = told(shop, shop.web, probely("scan_completed", form(
        {"id": number, "status": "completed", "target": {"id": "tgt"}})))
    event = shop.tap.one("events", id=name)
    assert event.key == f"web/scan/{number}"
    assert event.value["proof"] == "secret-path"
    value = shop.tap.one("scans", event_id=name).value
    assert value["scan"]["status"] == "completed"
    assert value["scan"]["counts"] == {"high": 2, "medium": 3, "low": 4}
    assert value["asset"] == {"id": "tgt", "type": "single", "hostname": "www.example.com",
                              "url": "https://www.example.com/"}


def test_a_finding_is_keyed_by_target_and_finding(shop):
    path = "/targets/t%2F1/findings/28/"
    shop.web.stub.items[path] = {"id": 28, "severity": 30, "state": "notfixed",
                                 "definition": {"id": "d1", "name": "SQL injection"}}
    name = told(shop, shop.web, probely("finding_detected", {"id": 28, "target": {"id": "t/1"}}))
    record = shop.tap.one("findings", event_id=name)
    assert record.key == "web/finding/t/1.28"
    assert (record.value["finding"]["severity"], record.value["finding"]["severity_word"]) == (
        "high", "30")
    assert len(shop.web.stub.calls(path)) == 1


def test_a_target_is_recorded_and_its_deletion_takes_the_record_away(shop):
    number = secrets.token_hex(4)
    shop.web.stub.items[f"/targets/{number}/"] = {
        "id": number, "type": "single", "risk": 20,
        "site": {"url": "https://www.example.com", "host": "www.example.com", "verified": True}}
    name = told(shop, shop.web, probely("target_verified", {"id": number}))
    record = shop.tap.one("targets", event_id=name)
    assert record.value["target"]["risk"] == "medium"
    told(shop, shop.web, probely("target_deleted", {"id": number}))

    def deleted():
        shop.tap.drain()
        return [each for each in shop.tap.records["targets"] if each.key == record.key][1:]
    gone, = until(deleted, "the deletion")
    assert gone.value is None
    assert gone.partition == record.partition


@pytest.mark.parametrize("event_type", ["user_created", "user_deleted"])
def test_a_user_is_an_event_and_nothing_more(shop, event_type):
    def done():
        return shop.enricher.metric("vulnbus_events_done_total", source="web")

    before, calls = done(), len(shop.web.stub.seen)
    name = told(shop, shop.web, probely(
        event_type, {"id": "u1", "email": "jane@example.com", "name": "Jane"}))
    event = shop.tap.one("events", id=name)
    assert event.value["subject"] == {"type": "user", "id": "u1"}
    until(lambda: done() > before, "the event is done with")
    shop.tap.drain()
    assert not any(shop.tap.find(short, event_id=name) for short in shop.tap.records)
    assert len(shop.web.stub.seen) == calls


def test_an_unknown_event_type_is_not_lost(shop):
    name = told(shop, shop.web, probely("scan_paused", {"id": "s1", "gossip": "not passed on"}))
    value = shop.tap.one("dead-letters", event_id=name).value
    assert value["stage"] == "normalise"
    assert value["event"]["subject"] == {"type": "scan", "id": "s1"}
    assert value["event"]["attributes"] == {"event_type": "scan_paused"}


def test_the_same_event_twice_is_enriched_once(shop):
    number = secrets.token_hex(4)
    path = f"/scans/{number}/"
    shop.web.stub.items[path] = {"id": number, "status": "started"}
    body = probely("scan_started", {"id": number})
    name = told(shop, shop.web, body)
    told(shop, shop.web, body)
    after = told(shop, shop.web, probely("scan_started", {"id": number}))
    shop.tap.one("scans", event_id=after)
    shop.tap.drain()
    assert len(shop.tap.find("scans", event_id=name)) == 1
    assert len(shop.web.stub.calls(path)) == 2


def test_an_html_page_of_a_proxy_is_survived(shop):
    number = secrets.token_hex(4)
    path = f"/scans/{number}/"
    shop.web.stub.items[path] = {"id": number, "status": "failed"}
    page = b"<!DOCTYPE html><title>502 | Cloudflare</title>"
    shop.web.stub.script(path, Reply(502, {"Content-Type": "text/html"}, page),
                         Reply(200, {"Content-Type": "text/html"}, page))
    name = told(shop, shop.web, probely("scan_failed", {"id": number}))
    assert shop.tap.one("scans", event_id=name).value["scan"]["status"] == "failed"


# --- the answers ---

def test_a_wrong_secret_is_404_like_an_unknown_source(shop):
    for path in (f"/hooks/ssc/{'0' * 32}", f"/hooks/ssc/{shop.web.secret}",
                 f"/hooks/nobody/{shop.ssc.secret}"):
        answer = requests.post(shop.ingress.url() + path, json=scorecard(), timeout=30)
        assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize("body", [
    b"", b"text", b"{", b"null", b"[]", b'"text"', b"{}", b"{} {}", b'{"id":"1","id":"1"}',
    b'{"id": "\xff"}', b"[" * 5000],
    ids=["empty", "text", "cut", "null", "list", "string", "nothing-in-it", "two", "name-twice",
         "no-utf-8", "deep"])
def test_a_body_that_is_no_document_is_400(shop, body):
    for source in (shop.ssc, shop.web):
        answer = tell(shop, source, body)
        assert (answer.status_code, answer.content) == (400, b"")


@pytest.mark.parametrize("missing", ["execution_id", "domain", "trigger", "scorecard_id",
                                     "created_at"])
def test_a_scorecard_without_what_is_documented_is_400(shop, missing):
    body = scorecard()
    del body[missing]
    assert tell(shop, shop.ssc, body).status_code == 400


@pytest.mark.parametrize("missing", ["id", "event_type"])
def test_a_probely_event_without_what_is_documented_is_400(shop, missing):
    body = probely("scan_started", {"id": "s1"})
    del body[missing]
    assert tell(shop, shop.web, body).status_code == 400


def test_a_body_over_the_ceiling_is_413(shop):
    length = ask(shop, shop.ssc, [f"Content-Length: {64 * KIB + 1}"])
    assert length.status == 413
    with Connection(shop.ingress.address()) as connection:
        connection.send(request(shop.ssc.path, ["Transfer-Encoding: chunked"]))
        for _ in range(9):
            connection.send(b"2000\r\n" + b" " * 8 * KIB + b"\r\n")
        connection.send(b"0\r\n\r\n")
        assert connection.answer().status == 413


def test_a_body_of_just_the_ceiling_is_taken(shop):
    body = json.dumps(scorecard()).encode()
    padded = body + b" " * (64 * KIB - len(body))
    assert tell(shop, shop.ssc, padded).status_code == 202


def test_a_chunked_body_is_put_together(shop):
    body = scorecard()
    data = json.dumps(body).encode()
    with Connection(shop.ingress.address()) as connection:
        connection.send(request(shop.ssc.path, ["Transfer-Encoding: chunked"]))
        for byte in data:
            connection.send(b"1\r\n%c\r\n" % byte)
        connection.send(b"0\r\n\r\n")
        assert connection.answer().status == 202
    shop.tap.one("events", id=f"ssc:{body['execution_id']}")


@pytest.mark.parametrize("header, status", [
    ("Content-Type: application/json; charset=utf-8", 202),
    ("content-type: Application/JSON", 202),
    ("Content-Type: application/vnd.ssc+json;v=1", 202),
    ("X-Nothing: said of the type", 202),
    ("Content-Encoding: identity", 202),
    ("Content-Type: text/plain", 415),
    ("Content-Type: application/jsonp", 415),
    ("Content-Type: +json", 415),
    ("Content-Type: text/html; application/json", 415),
    ("Content-Type: application/x-www-form-urlencoded", 415),
    ("Content-Type: multipart/form-data; boundary=x", 415),
    ("Content-Type: application/json\r\nContent-Type: text/plain", 415),
    ("Content-Encoding: gzip", 415),
    ("Content-Encoding: br", 415),
    ("Content-Encoding: identity, gzip", 415),
    ("Content-Encoding: gzip\r\nContent-Encoding: identity", 415)])
def test_only_plain_json_is_read(shop, header, status):
    body = json.dumps(scorecard()).encode()
    assert ask(shop, shop.ssc, [header], body).status == status


def test_the_type_does_not_matter_before_the_secret_and_the_method(shop):
    wrong = request(f"/hooks/ssc/{'0' * 32}", ["Content-Type: text/plain"], b"x")
    assert exchange(shop.ingress.address(), wrong).status == 404
    answer = ask(shop, shop.ssc, ["Content-Type: text/plain"], method="PUT")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_signing_source_beside_them_is_as_strict_as_ever(shop):
    body = {"id": "1", "kind": "scan", "status": "done"}
    assert tell(shop, shop.vdr, body).status_code == 401
    name = shop.notify(shop.vdr, **body)
    assert shop.tap.one("events", id=name).value["proof"] == "jws-es512"


def test_many_at_once_on_one_connection_are_kept_apart(shop):
    bodies = [scorecard(domain=f"d{number}.example") for number in range(20)]
    with Connection(shop.ingress.address()) as connection:
        connection.send(b"".join(request(shop.ssc.path, [], json.dumps(body).encode())
                                 for body in bodies))
        assert [connection.answer().status for _ in bodies] == [202] * len(bodies)
    for body in bodies:
        event = shop.tap.one("events", id=f"ssc:{body['execution_id']}")
        assert event.value["subject"]["id"] == body["domain"]


# --- what must not leave ---

def test_nothing_secret_reaches_a_topic_a_log_or_a_metric(stack):
    marks = {}

    def mark(name):
        marks[name] = f"mark-{name}-{secrets.token_hex(6)}"
        return marks[name]

    made = stack([Source("ssc", "securityscorecard", Vendor(word="Token")),
                  Source("web", "probely", Vendor(word="JWT")), Source("acme-vdr")]).start()
    ssc, web, vdr = made.sources
    vdr.stub.scan("9", description=mark("scan-description"), links={"edit": mark("scan-link")})
    vdr.stub.server("5", hostname="db.example.com", description=mark("asset-description"),
                    contactInformation=mark("contact"), tags=[mark("tag")],
                    url=f"https://u:{mark('asset-password')}@db.example.com/")
    signed = made.notify(vdr, id="9", kind="scan", status="done", assetId="5",
                         assetType="server", email=mark("claim"), sub=mark("subject"))
    site = {
        "url": f"https://user:{mark('url-password')}@www.example.com/?q={mark('query')}",
        "host": "www.example.com", "name": mark("site-name"), "desc": mark("site-desc"),
        "has_basic_auth": True, "verified": True, "otp_secret": mark("otp"),
        "basic_auth": {"username": mark("basic-user"), "password": mark("basic-password")},
        "headers": [{"name": "Authorization", "value": mark("header")}],
        "cookies": [{"name": "sid", "value": mark("cookie")}],
        "form_login": [{"name": "password", "value": mark("form")}],
        "verification_token": mark("verification"), "verification_method": "dns",
        "verification_last_error": mark("verification-error")}
    target = {"id": "t1", "type": "single", "site": site, "login_video": mark("target-video"),
              "changed_by": {"email": mark("target-email"), "name": mark("target-user")}}
    web.stub.items = {
        "/targets/t1/": target,
        "/scans/s1/": {"id": "s1", "status": "completed", "target": target,
                       "login_video": mark("scan-video"), "user_data": mark("user-data"),
                       "changed_by": {"email": mark("scan-email")}},
        "/targets/t1/findings/7/": {
            "id": 7, "severity": 40, "target": target, "evidence": mark("evidence"),
            "extra": mark("extra"), "comment": mark("comment"), "value": mark("value"),
            "params": {"q": mark("params")}, "parameter": "q", "fix": mark("fix"),
            "url": f"https://www.example.com/a?token={mark('finding-query')}#f",
            "requests": [{"request": mark("request"), "response": mark("response")}],
            "assignee": {"email": mark("assignee"), "name": mark("assignee-name")},
            "labels": [{"name": mark("label")}], "approver_name": mark("approver")}}
    ssc.stub.items = {
        "/companies/example.com": {"name": "Example", "grade": "A", "score": 99,
                                   "grade_url": mark("grade-url"), "notes": mark("notes")},
        "/companies/example.com/factors": {"entries": [
            {"name": "dns_health", "score": 1, "issue_summary": [
                {"type": "t", "count": 1, "detail_url": mark("factor-url")}]}]},
        "/companies/example.com" + SINCE: [
            {"id": 1, "event_type": "breach", "detail_url": mark("change-url"),
             "breach_incidents": [{"title": mark("title"), "summary": mark("summary")}]}]}
    user = {"id": "u1", "email": mark("user-email"), "name": mark("user-name")}
    names = [told(made, web, probely(event_type, content, webhooks=[{"url": mark(event_type)}]))
             for event_type, content in (
                 ("target_created", target), ("user_created", user),
                 ("scan_completed", {**web.stub.items["/scans/s1/"]}),
                 ("finding_detected", json.dumps(web.stub.items["/targets/t1/findings/7/"])),
                 ("surprise", {"id": "x", "password": mark("unknown")}))]
    chain = [{"url": f"https://hooks.example.com/{mark('chained')}", "response": mark("answer")}]
    names.append(told(made, ssc, scorecard(
        webhooks=chain, trigger={**TRIGGER, "more": mark("trigger")})))
    tell(made, web, b'{"id": "' + mark("broken").encode())
    for short, at in (("targets", 0), ("scans", 2), ("findings", 3), ("scorecards", 5)):
        made.tap.one(short, event_id=names[at])
    made.tap.one("dead-letters", event_id=names[4])
    assert made.tap.one("scans", event_id=signed).value["asset"]["hostname"] == "db.example.com"
    secret = {"hook-ssc": ssc.secret, "hook-web": web.secret, "token-ssc": ssc.stub.token,
              "token-web": web.stub.token, "hook-vdr": vdr.secret,
              "token-vdr": vdr.stub.token, **marks}
    places = {"topics": raw_bytes(made.broker.bootstrap, made.prefix),
              "ingress.log": made.ingress.log.read_bytes(),
              "enricher.log": made.enricher.log.read_bytes(),
              "ingress metrics": made.ingress.admin("/metrics").content,
              "enricher metrics": made.enricher.admin("/metrics").content,
              "print-config": run("vulnbus", "print-config", "-c", made.config).stdout.encode()}
    assert b"acme-vdr" in places["print-config"]
    assert b"www.example.com" in places["topics"]
    found = [(name, place) for name, value in secret.items()
             for place, data in places.items() if value.encode() in data]
    assert not found


# --- who may call at all ---

@pytest.mark.parametrize("forwarded, code", [
    (["192.0.2.9"], 202),
    (["192.0.2.9", "127.0.0.5"], 202),         # a second proxy of ours, with a line of its own
    (["198.51.100.7", "127.0.0.5"], 404),
    (["192.0.2.9", "198.51.100.7", "127.0.0.5, 127.0.0.6"], 404),
    (["2001:db8::5"], 202),
    (["198.51.100.7, 192.0.2.9"], 202),
    (["198.51.100.7", "192.0.2.9"], 202),      # each proxy appends, some by a line of their own
    (["192.0.2.9, 198.51.100.7"], 404),        # what stands left may be made up
    (["192.0.2.9", "198.51.100.7"], 404),
    (["198.51.100.7"], 404),
    (["junk"], 404),
    ([], 404),
])
def test_a_source_may_expect_its_webhooks_from_some_addresses_only(picky, forwarded, code):
    answers = []
    for path in (picky.sources[0].path, picky.sources[0].path + "x"):
        answer = exchange(picky.ingress.address(), request(
            path, ["Content-Type: application/json",
                   *(f"X-Forwarded-For: {line}" for line in forwarded)],
            json.dumps(scorecard()).encode()))
        answer.headers.pop("date", None)
        answers.append(answer)
    assert [answer.status for answer in answers] == [code, 404]
    if code == 404:
        assert answers[0] == answers[1]     # nobody learns that the secret was right


@pytest.fixture(scope="module")
def picky(module_stack):
    source = Source("ssc", "securityscorecard", Vendor(word="Token"), settings={
        "hook": {"allow_from": ["192.0.2.0/24", "2001:db8::/32"]}})
    return module_stack([source], {"ingress": {"trusted_proxies": ["127.0.0.0/8"]}}).start(
        enricher=False)


# "App Actions": the calls carry secrets in a header; what it holds is not documented.
APP_SECRET = secrets.token_hex(16)


@pytest.fixture(scope="module")
def app(module_stack):
    source = Source("ssc", "securityscorecard", Vendor(word="Token"), settings={
        "hook": {"app_secret": APP_SECRET}})
    return module_stack([source], {"ingress": {"bad_signatures_per_minute": 1000}}).start(
        enricher=False)


@pytest.mark.parametrize("headers, code", [
    ([APP_SECRET], 202),
    ([json.dumps({"key": "x", "secret": APP_SECRET})], 202),
    ([APP_SECRET + "x"], 401),
    ([APP_SECRET[:-1]], 401),
    ([json.dumps([APP_SECRET])], 401),
    ([json.dumps({APP_SECRET: "x"})], 401),
    ([json.dumps({"secret": {"deeper": APP_SECRET}})], 401),
    (["{"], 401),
    ([""], 401),
    ([], 401),
    ([APP_SECRET, APP_SECRET], 401),
])
def test_a_secret_in_a_header_proves_more_than_the_path(app, headers, code):
    document = scorecard()
    answer = exchange(app.ingress.address(), request(
        app.sources[0].path, ["Content-Type: application/json",
                              *(f"X-SSC-App-Secrets: {value}" for value in headers)],
        json.dumps(document).encode()))
    assert answer.status == code
    name = f"ssc:{document['execution_id']}"
    if code == 202:
        assert app.tap.one("events", id=name).value["proof"] == "app-secret"
    else:
        app.tap.drain()
        assert not app.tap.find("events", id=name)


def test_guesses_of_that_secret_are_bounded(stack):
    source = Source("ssc", "securityscorecard", Vendor(word="Token"), settings={
        "hook": {"app_secret": APP_SECRET}})
    made = stack([source], {"ingress": {"bad_signatures_per_minute": 3}}).start(enricher=False)
    codes = [requests.post(made.ingress.url() + source.path, json=scorecard(), timeout=10,
                           headers={"X-SSC-App-Secrets": guess}).status_code
             for guess in ["a", "b", "c", "d", APP_SECRET]]
    assert codes == [401, 401, 401, 429, 429]


def test_a_vendor_that_sends_no_such_secret_is_not_configured_with_one(tmp_path, broker):
    source = Source("web", "probely", settings={"hook": {"app_secret": APP_SECRET}})
    made = Stack(broker, tmp_path / "stack", [source])
    checked = run("vulnbus", "check-config", "-c", made.config)
    assert checked.returncode == 78
    assert "probely sends no hook.app_secret" in checked.stderr
    assert APP_SECRET not in checked.stderr + checked.stdout
