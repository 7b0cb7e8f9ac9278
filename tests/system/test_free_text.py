# SPDX-License-Identifier: Apache-2.0
"""What people and scanned sites wrote goes nowhere, unless a source is told to forward it; what is
secret never does."""

import json
import secrets

import pytest

from daemons import Source
from vendor import Vendor

PROSE = [f"prose{number:02}" for number in range(17)]
SITE = {"host": "www.example.com", "url": "https://www.example.com", "verified": True,
        "name": f"shop {PROSE[0]}", "desc": f"{PROSE[1]},\n{PROSE[2]}\tmanager@s3cret.example",
        "basic_auth": {"username": "s3cret", "password": "s3cret"},
        "headers": [{"name": "Authorization", "value": "Bearer s3cret"}],
        "cookies": [{"name": "sid", "value": "s3cret"}],
        "form_login": [{"name": "password", "value": "s3cret"}], "otp_secret": "s3cret",
        "verification_token": "s3cret", "verification_last_error": "s3cret"}
TARGET = {"id": "t1", "type": "single", "site": SITE, "login_video": "https://s3cret.example/",
          "changed_by": {"email": "jane@s3cret.example", "name": "s3cret"}}
FINDING = {"id": 28, "severity": 30, "state": "notfixed", "target": TARGET,
           "requests": [{"request": "GET /s3cret", "response": "Set-Cookie: s3cret"}],
           "extra": "s3cret", "params": {"q": ["s3cret"]},
           "definition": {"id": "d1", "name": "SQL injection", "desc": PROSE[3]},
           "evidence": f"{PROSE[4]} s3cret@example.com", "comment": f"{PROSE[5]}\u0007",
           "review_reason": PROSE[6], "change_reason": PROSE[7], "fix": PROSE[8],
           "value": PROSE[9], "assignee": {"id": "u1", "email": "jane@s3cret.example",
                                           "name": PROSE[10]}}
CHANGE = {"id": 1, "event_type": "breach", "detail_url": "https://s3cret.example/",
          "breach_data": {"root_cause": PROSE[11], "type_of_breach": PROSE[12],
                          "records_lost": 47114711},
          "breach_incidents": [{"title": PROSE[13], "originating_party": "s3cret",
                                "summary": f"{PROSE[14]} {PROSE[15]} s3cret%40example.com"},
                               {"title": PROSE[16]}]}


def probely(event_type, content):
    return {"id": secrets.token_urlsafe(9), "event_type": event_type,
            "object_type": event_type.partition("_")[0], "content": content,
            "occurred_at": "2024-09-11T15:51:56.221238Z"}


def scorecard():
    return {"trigger": {"type": "security_breach"}, "created_at": "2022-08-10T19:49:46.029Z",
            "execution_id": secrets.token_hex(16), "scorecard_id": "8e21f4aa",
            "domain": "example.com"}


def tell(site, source, body):
    answer = site.session.post(site.ingress.url() + source.path, data=json.dumps(body), timeout=30,
                               headers={"Content-Type": "application/json"})
    assert answer.status_code == 202
    return f"{source.name}:{body.get('execution_id') or body['id']}"


@pytest.fixture(params=["default", "off", "on"])
def site(request, stack):
    api = {} if request.param == "default" else {"forward_free_text": request.param == "on"}
    made = stack([Source("web", "probely", Vendor(word="JWT"), settings={"api": api}),
                  Source("ssc", "securityscorecard", Vendor(word="Token"), settings={"api": api})])
    made.is_on = request.param == "on"
    made.web, made.ssc = made.sources
    made.web.stub.items = {"/targets/t1/": TARGET, "/targets/t1/findings/28/": FINDING,
                           "/scans/s1/": {"id": "s1", "status": "completed", "target": TARGET,
                                          "user_data": "s3cret"}}
    made.ssc.stub.items = {
        "/companies/example.com": {"grade": "B", "score": 85},
        "/companies/example.com/factors": {"entries": []},
        "/companies/example.com/history/events/?date_from=2022-08-09": {"entries": [CHANGE]}}
    return made.start()


def test_free_text_is_forwarded_on_demand_and_secrets_never(site):
    target = tell(site, site.web, probely("target_verified", TARGET))
    finding = tell(site, site.web, probely("finding_detected", FINDING))
    scan = tell(site, site.web, probely("scan_completed", {"id": "s1", "target": TARGET}))
    unknown = tell(site, site.web, probely("finding_gossip", FINDING))
    card = tell(site, site.ssc, scorecard())
    site.tap.one("scans", event_id=scan)
    site.tap.one("dead-letters", event_id=unknown)
    records = [site.tap.one("targets", event_id=target), site.tap.one("findings", event_id=finding),
               site.tap.one("scorecards", event_id=card)]
    site.tap.drain()
    everything = json.dumps([record.value for each in site.tap.records.values() for record in each])
    assert "s3cret" not in everything
    found = [word for word in PROSE + ["47114711"] if word in everything]
    if not site.is_on:
        assert not found
        return
    assert found == PROSE + ["47114711"]
    fields = records[1].value["finding"]
    assert (fields["evidence"], fields["comment"]) == (f"{PROSE[4]} [e-mail]", PROSE[5])
    assert records[0].value["target"]["description"] == f"{PROSE[1]},\n{PROSE[2]}\t[e-mail]"
    breach = records[2].value["changes"][0]["breach"]
    assert breach["incidents"][0]["summary"] == f"{PROSE[14]} {PROSE[15]} [e-mail]"
    assert breach["incident_count"] == 2
    # Only what is written for the record itself is forwarded.
    assert "name" not in records[1].value["asset"]
