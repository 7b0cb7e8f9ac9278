# SPDX-License-Identifier: Apache-2.0
"""The topic `ocsf`: what real webhooks become, held against the schema of OCSF 1.8.0. Every record
of it that a Tap reads is validated there (reader.check); here is what each says."""

import copy
import json
import secrets
from pathlib import Path

import pytest
from confluent_kafka.admin import ConfigResource, ResourceType

import ocsf
from daemons import Source, run
from kafka import ROOT, admin
from reader import schema, wrong_free_parts, wrong_projection
from test_refused_records import limit
from test_unsigned import probely, scorecard, told
from vendor import Text, Vendor
from waiting import until

GOLDENS = sorted(Path(ROOT / "tests/unit/vendors").glob("*/*.ocsf.json"))
ON = {"topics": {"ocsf": True}}


# --- the validator ---

def golden(name):
    return json.loads((ROOT / "tests/unit/vendors" / f"{name}.ocsf.json").read_text())


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: f"{path.parent.name}/{path.name[:-10]}")
def test_what_the_unit_tests_expect_is_ocsf(path):
    assert wrong_projection(json.loads(path.read_text())) == []


CLASSES = {
    6007: "taegis-vdr/scan-done", 2002: "probely/finding-detected",
    2007: "probely/finding-severity-text", 3004: "probely/target-verified",
    0: "taegis-vdr/export-done",
}
REQUIRED = {6007: ["scan"], 2002: ["finding_info", "vulnerabilities"],
            2007: ["finding_info", "application"], 3004: ["entity"], 0: []}


def mutations():
    """(what was done to it, the document)"""
    for uid, name in CLASSES.items():
        whole = golden(name)
        assert whole["class_uid"] == uid
        for member in [*REQUIRED[uid], "activity_id", "category_uid", "class_uid", "metadata",
                       "severity_id", "time", "type_uid"]:
            yield f"{uid} without {member}", {k: v for k, v in whole.items() if k != member}
        for other in {*CLASSES, 4001, 1} - {uid}:
            yield f"{uid} as {other}", {**whole, "class_uid": other}
        for member, value in {
                "type_uid": whole["type_uid"] + 1, "activity_id": 98, "severity_id": 7,
                "severity": "Awful", "category_uid": 1, "category_name": "Cuisine",
                "time": "2020-08-27T14:43:12Z", "unheard": "of", "class_name": "Gossip",
                "status_code": None, "unmapped": "text", "observables": {}}.items():
            yield f"{uid} with {member} {value}", {**whole, member: value}
        for member in ("version", "product"):
            less = copy.deepcopy(whole)
            del less["metadata"][member]
            yield f"{uid} without metadata.{member}", less
        for member, value in {"version": "1.7.0", "uid": 1, "cut": ["x"]}.items():
            more = copy.deepcopy(whole)
            more["metadata"][member] = value
            yield f"{uid} with metadata.{member} {value}", more
    for place, key, value in [
            (["scan"], "type_id", None), (["scan"], "uid", None), (["scan"], "type_id", "1")]:
        yield f"6007 {place} {key} {value}", changed(CLASSES[6007], place, key, value)
    for place, key, value in [
            (["vulnerabilities", 0], "cwe", None), (["vulnerabilities", 0, "cwe"], "uid", None),
            (["vulnerabilities", 0], "cve", {"uid": "CVE-2024-1"}), (["finding_info"], "uid", None),
            (["resources", 0], "uid", None), (["resources", 0], "role_id", 17)]:
        yield f"2002 {place} {key} {value}", changed(CLASSES[2002], place, key, value)
    yield "2007 application", changed(CLASSES[2007], ["application"], "uid", None)
    yield "3004 entity", {**golden(CLASSES[3004]), "entity": {"type_id": 99, "type": "Target"}}


def changed(name, place, key, value):
    document = at = golden(name)
    for step in place:
        at = at[step]
    del document["unmapped"]   # it has a place for anything
    if value is None:
        del at[key]
    else:
        at[key] = value
    return document


@pytest.mark.parametrize("document", [pytest.param(document, id=name)
                                      for name, document in mutations()])
def test_a_mutated_document_is_refused(document):
    assert ocsf.errors(document) != []


@pytest.mark.parametrize("uid, member", [(uid, member) for uid in REQUIRED for member in REQUIRED[uid]])
def test_our_schema_knows_what_a_class_needs(uid, member):
    """schemas/ocsf.json, without which readers would have to ask OCSF's."""
    whole = golden(CLASSES[uid])
    assert schema("ocsf").is_valid(whole)
    assert not schema("ocsf").is_valid({name: each for name, each in whole.items() if name != member})


@pytest.mark.parametrize("name, place, value", [
    ("taegis-vdr/scan-done", ["unmapped", "scan"], 1), ("taegis-vdr/scan-done", ["unmapped"], "x"),
    ("taegis-vdr/scan-done", ["unmapped", "asset"], {"id": 1}),
    ("taegis-vdr/export-done", ["unmapped", "rows"], -1),
    ("probely/target-verified", ["entity", "data"], {}),
    ("probely/target-verified", ["entity", "data", "secret"], "x")])
def test_what_ocsf_leaves_open_is_as_in_the_record(name, place, value):
    document = at = golden(name)
    assert not wrong_free_parts(document) and not ocsf.errors(document)
    for step in place[:-1]:
        at = at.setdefault(step, {})
    at[place[-1]] = value
    assert wrong_free_parts(document)


@pytest.mark.parametrize("name", CLASSES.values())
def test_what_no_record_has_is_not_left_over(name):
    document = golden(name)
    document.setdefault("unmapped", {})["unheard"] = "of"
    assert not ocsf.errors(document) and wrong_free_parts(document)


# --- real webhooks ---

@pytest.fixture(scope="module")
def shop(module_stack):
    made = module_stack(
        [Source("acme-vdr"), Source("other-vdr", "delve"),
         Source("web", "probely", Vendor(word="JWT")),
         Source("ssc", "securityscorecard", Vendor(word="Token"))], ON)
    made.vdr, made.delve, made.web, made.ssc = made.sources
    return made.start()


def projections(made, event):
    made.tap.drain()
    return [record for record in made.tap.records["ocsf"]
            if record.value["metadata"]["original_event_uid"] == event]


def projection(made, event):
    found, = until(lambda: projections(made, event), f"{event} as OCSF", 30, 0.1)
    return found


def take(value, *members):
    """What differs from run to run is checked here, and not looked at again."""
    return {name: each for name, each in value.items() if name not in members}


def check_head(made, source, event, record, short):
    """What a projection has of its record and its event."""
    told_of = made.tap.one("events", id=event)
    found = projection(made, event)
    [origin] = [each for each in made.tap.records[short]
                if each.headers["ce_id"] == f"{event}/{record}"]
    metadata = found.value["metadata"]
    assert found.key == origin.key and found.partition == origin.partition
    assert found.timestamp == origin.timestamp
    assert found.headers["ce_type"] == f"vulnbus.ocsf.{record}"
    assert {**origin.headers, "traceparent": ""} == {
        **found.headers, "traceparent": "", "ce_id": f"{event}/{record}",
        "ce_type": f"vulnbus.{record}.enriched", "content-type": "application/vnd.msgpack",
        "ce_dataschema": f"urn:vulnbus:schema:{record}:v1"}
    assert take(metadata, "product") == {
        "version": "1.8.0", "uid": f"{event}/{record}/ocsf", "original_event_uid": event,
        "event_code": told_of.value["kind"], "source": source.name,
        "original_time": told_of.headers["ce_time"], "logged_time": told_of.value["received_ms"],
        "processed_time": origin.timestamp}
    assert metadata["product"]["url_string"] == source.stub.url
    assert found.value["time"] == told_of.value["occurred_ms"]
    return take(found.value, "metadata", "time"), (
        metadata["product"]["name"], metadata["product"]["vendor_name"])


def scanned(made, source, number, word="DONE", **claims):
    source.stub.scan(number, word)
    return made.notify(source, id=number, kind="scan", **{"status": "done", **claims})


def test_a_scan_of_taegis_vdr(shop):
    shop.vdr.stub.server("7")
    event = scanned(shop, shop.vdr, "39836", assetId="7", assetType="server", isAdHoc=True,
                    attemptNumber=1)
    value, product = check_head(shop, shop.vdr, event, "scan", "scans")
    assert product == ("Taegis VDR", "Secureworks")
    assert value == {
        "class_uid": 6007, "class_name": "Scan Activity", "category_uid": 6,
        "category_name": "Application Activity", "activity_id": 2, "activity_name": "Completed",
        "type_uid": 600702, "severity_id": 1, "severity": "Informational", "status_id": 1,
        "status": "Success", "status_code": "DONE",
        "scan": {"uid": "39836", "type_id": 1, "type": "Manual"},
        "observables": [
            {"type_id": 1, "type": "Hostname", "value": "host7.example.com"},
            {"type_id": 2, "type": "IP Address", "value": "192.0.2.7"}],
        "unmapped": {
            "scan": {"notified_status": "completed", "requested_ms": 1598536800000, "attempt": 1,
                     "is_ad_hoc": True},
            "asset": {"id": "7", "type": "server", "hostname": "host7.example.com",
                      "ip": "192.0.2.7", "os_name": "Debian 12", "os_family": "Linux",
                      "is_active": True, "high_cvss": 9.8}}}


def test_a_scan_of_delve_that_failed(shop):
    event = scanned(shop, shop.delve, "5", "FAILED", status="failed")
    value, product = check_head(shop, shop.delve, event, "scan", "scans")
    assert product == ("Delve", "Secureworks")
    assert take(value, "unmapped") == {
        "class_uid": 6007, "class_name": "Scan Activity", "category_uid": 6,
        "category_name": "Application Activity", "activity_id": 6, "activity_name": "Error",
        "type_uid": 600706, "severity_id": 2, "severity": "Low", "status_id": 2,
        "status": "Failure", "status_code": "FAILED",
        "scan": {"uid": "5", "type_id": 0, "type": "Unknown"}}


def test_an_export_is_a_base_event_and_its_rows_are_none(shop):
    file = Text(b"severity,cve_number\r\ncritical,CVE-2024-1\r\nmedium,CVE-2024-2\r\n")
    shop.vdr.stub.export("212", file)
    event = shop.notify(shop.vdr, id="212", kind="export", status="done")
    shop.tap.one("exports", event_id=event)
    value, _ = check_head(shop, shop.vdr, event, "export", "exports")
    length, digest = file.sums
    assert value == {
        "class_uid": 0, "class_name": "Base Event", "category_uid": 0,
        "category_name": "Uncategorized", "activity_id": 99, "activity_name": "export.completed",
        "type_uid": 99, "severity_id": 1, "severity": "Informational", "status_id": 1,
        "status": "Success", "status_code": "done",
        "unmapped": {"export": {"id": "212"}, "rows": 2, "bytes": length, "sha256": digest,
                     "columns": ["severity", "cve_number"], "generation": 1}}
    assert len(shop.tap.find("export-rows", event_id=event)) == 2
    assert len(projections(shop, event)) == 1


SITE = {"host": "www.example.com", "url": "https://www.example.com/?key=k"}


def detected(shop, finding, event_type="finding_detected"):
    shop.web.stub.items["/targets/tgt/findings/28/"] = {
        "id": 28, "severity": 30, "state": "notfixed", "cvss_score": 8.1,
        "url": "https://www.example.com/search?q=1", "created_at": "2024-09-11T15:00:00Z",
        "last_found": "2024-09-11T15:40:00Z", "new": True, "evidence": "not passed on",
        "target": {"id": "tgt", "type": "single", "site": SITE}, **finding}
    event = told(shop, shop.web, probely(event_type, {"id": 28, "target": {"id": "tgt"}}))
    shop.tap.one("findings", event_id=event)
    return event


FINDING = {
    "category_uid": 2, "category_name": "Findings", "activity_id": 1, "activity_name": "Create",
    "severity_id": 4, "severity": "High", "status_id": 1, "status": "New",
    "status_code": "notfixed",
    "finding_info": {"uid": "tgt.28", "uid_alt": "28", "title": "SQL injection",
                     "created_time": 1726066800000, "last_seen_time": 1726069200000},
    "resources": [{"uid": "tgt", "role_id": 3, "role": "Affected", "type": "single",
                   "hostname": "www.example.com"}],
    "observables": [
        {"type_id": 6, "type": "URL String", "value": "https://www.example.com/search"},
        {"type_id": 1, "type": "Hostname", "value": "www.example.com"},
        {"type_id": 6, "type": "URL String", "value": "https://www.example.com/"}]}
REST = {"definition_id": "d1", "url": "https://www.example.com/search", "cvss_score": 8.1,
        "is_new": True}


def test_a_finding_with_a_weakness_is_a_vulnerability(shop):
    event = detected(shop, {"definition": {"id": "d1", "name": "SQL injection",
                                           "cwe_id": "CWE-89"}})
    value, product = check_head(shop, shop.web, event, "finding", "findings")
    assert product == ("Probely", "Snyk")
    assert value == {
        **FINDING, "class_uid": 2002, "class_name": "Vulnerability Finding", "type_uid": 200201,
        "vulnerabilities": [{"cwe": {"uid": "CWE-89"}, "severity": "30"}],
        "unmapped": {"finding": REST, "asset": {"url": "https://www.example.com/"}}}


def test_a_finding_without_one_is_about_the_application(shop):
    event = detected(shop, {"definition": {"id": "d1", "name": "SQL injection"}})
    value, _ = check_head(shop, shop.web, event, "finding", "findings")
    assert value == {
        **FINDING, "class_uid": 2007, "class_name": "Application Security Posture Finding",
        "type_uid": 200701,
        "application": {"uid": "tgt", "type": "single", "hostname": "www.example.com",
                        "url": {"url_string": "https://www.example.com/"}},
        "unmapped": {"finding": {**REST, "severity_word": "30"}}}


def test_a_finding_that_is_fixed_is_closed(shop):
    event = detected(shop, {"state": "fixed", "definition": {"cwe_id": "CWE-89"}},
                     "finding_fixed")
    value, _ = check_head(shop, shop.web, event, "finding", "findings")
    assert (value["activity_id"], value["type_uid"]) == (3, 200203)
    assert (value["status_id"], value["status"], value["status_code"]) == (4, "Resolved", "fixed")


def test_a_target_from_its_beginning_to_its_end(shop):
    shop.web.stub.items["/targets/t1/"] = {
        "id": "t1", "type": "single", "risk": 20, "site": {**SITE, "verified": True}}
    for event_type, activity, name, status in [
            ("target_created", 1, "Create", "Success"), ("target_verified", 3, "Update", "Success"),
            ("target_verification_failed", 3, "Update", "Failure")]:
        event = told(shop, shop.web, probely(event_type, {"id": "t1"}))
        shop.tap.one("targets", event_id=event)
        value, _ = check_head(shop, shop.web, event, "target", "targets")
        assert value == {
            "class_uid": 3004, "class_name": "Entity Management", "category_uid": 3,
            "category_name": "Identity & Access Management", "activity_id": activity,
            "activity_name": name, "type_uid": 300400 + activity,
            "severity_id": 1 if status == "Success" else 2,
            "severity": "Informational" if status == "Success" else "Low",
            "status_id": 1 if status == "Success" else 2, "status": status,
            "entity": {"uid": "t1", "type_id": 99, "type": "Target", "name": "www.example.com",
                       "data": {"id": "t1", "type": "single", "hostname": "www.example.com",
                                "url": "https://www.example.com/", "is_verified": True,
                                "risk": "medium", "risk_word": "20", "counts": {}}},
            "observables": [
                {"type_id": 1, "type": "Hostname", "value": "www.example.com"},
                {"type_id": 6, "type": "URL String", "value": "https://www.example.com/"}]}
    event = told(shop, shop.web, probely("target_deleted", {"id": "t1"}))
    # Its record is a key without a value; this has one.
    value, _ = check_head(shop, shop.web, event, "target", "targets")
    assert value == {
        "class_uid": 3004, "class_name": "Entity Management", "category_uid": 3,
        "category_name": "Identity & Access Management", "activity_id": 4,
        "activity_name": "Delete", "type_uid": 300404, "severity_id": 1,
        "severity": "Informational", "status_id": 1, "status": "Success",
        "entity": {"uid": "t1", "type_id": 99, "type": "Target"}}


def company(shop, domain, entries):
    shop.ssc.stub.items |= {
        f"/companies/{domain}": {"name": "Example", "grade": "B", "score": 85},
        f"/companies/{domain}/factors": {"entries": [{"name": "dns_health", "score": 95,
                                                      "grade": "A"}]},
        f"/companies/{domain}/history/events/?date_from=2022-08-09": {"entries": entries}}
    return told(shop, shop.ssc, scorecard(domain=domain))


def test_a_scorecard_is_a_base_event(shop):
    event = company(shop, "example.com", [{"id": 4711, "event_type": "issues", "severity": "low"}])
    shop.tap.one("scorecards", event_id=event)
    value, product = check_head(shop, shop.ssc, event, "scorecard", "scorecards")
    assert product == ("SecurityScorecard", "SecurityScorecard")
    assert value == {
        "class_uid": 0, "class_name": "Base Event", "category_uid": 0,
        "category_name": "Uncategorized", "activity_id": 99, "activity_name": "scorecard.changed",
        "type_uid": 99, "severity_id": 1, "severity": "Informational",
        "observables": [{"type_id": 1, "type": "Hostname", "value": "example.com"}],
        "unmapped": {
            "scorecard": {"domain": "example.com", "id": "8e21f4aa-ee49-5f6d-be70-366b95ecc586",
                          "name": "Example", "grade": "B", "score": 85.0},
            "trigger_type": "new_issues", "factor_count": 1, "change_count": 1,
            "factors": [{"name": "dns_health", "score": 95.0, "grade": "A",
                         "issue_type_count": 0, "issues": []}],
            "changes": [{"id": 4711, "type": "issues", "severity": "low",
                         "severity_word": "low"}]}}


def test_users_and_dead_letters_are_not_projected(shop):
    def done():
        return shop.enricher.metric("vulnbus_events_done_total", source="web")

    before = done()
    user = told(shop, shop.web, probely("user_created", {"id": "u1"}))
    until(lambda: done() > before, "the event is done with")
    letter = told(shop, shop.web, probely("scan_paused", {"id": "s1"}))
    shop.tap.one("dead-letters", event_id=letter)
    assert not projections(shop, user) and not projections(shop, letter)


def test_a_replayed_event_is_projected_once_more(shop):
    event = scanned(shop, shop.vdr, "17")
    first = projection(shop, event)
    made = run("vulnbus", "replay", "-c", shop.config, "events", "--id", event)
    assert made.returncode == 0 and "replayed 1 records" in made.stdout, made.stderr
    again = until(lambda: projections(shop, event)[1:], "the second projection", 30, 0.1)[0]
    assert again.headers["ce_id"] == first.headers["ce_id"]
    assert take(again.value, "metadata") == take(first.value, "metadata")


# --- the tool ---

def test_tail_finds_projections_by_what_they_say(shop):
    event = scanned(shop, shop.delve, "18")
    projection(shop, event)
    for filters in (["--id", event], ["--id", f"{event}/scan/ocsf"],
                    ["--source", "other-vdr", "--kind", "scan.completed"]):
        made = run("vulnbus", "-c", shop.config, "tail", "--json", *filters, "ocsf")
        assert made.returncode == 0, made.stderr
        events = [json.loads(line)["value"]["metadata"]["original_event_uid"]
                  for line in made.stdout.splitlines()]
        assert event in events and (events == [event] or filters[0] == "--source")
    made = run("vulnbus", "-c", shop.config, "tail", "--json", "--source", "nobody", "ocsf")
    assert (made.returncode, made.stdout) == (0, "")
    made = run("vulnbus", "-c", shop.config, "tail", "--id", event)   # all topics
    assert "vulnbus.ocsf.scan" in made.stdout and "600702" in made.stdout
    made = run("vulnbus", "replay", "-c", shop.config, "--dry-run", "--source", "other-vdr",
               "--id", event, "ocsf")
    assert "other-vdr" in made.stdout and "scan.completed" in made.stdout, made.stdout


def test_the_topic_is_made_like_the_others(shop):
    resource = ConfigResource(ResourceType.TOPIC, shop.tap.topic("ocsf"))
    client = admin(shop.broker.bootstrap)
    values = client.describe_configs([resource])[resource].result(10)
    assert values["cleanup.policy"].value == "delete"
    assert int(values["retention.ms"].value) == 90 * 86400 * 1000
    made = run("vulnbus", "-c", shop.config, "topics")
    assert made.returncode == 0 and shop.tap.topic("ocsf") in made.stdout


def test_off_there_is_no_topic_and_no_record(stack):
    made = stack([Source()]).start()
    event = scanned(made, made.sources[0], "1")
    made.tap.one("scans", event_id=event)
    known = admin(made.broker.bootstrap).list_topics(timeout=10).topics
    assert made.tap.topic("scans") in known and made.tap.topic("ocsf") not in known
    listed = run("vulnbus", "-c", made.config, "topics")
    assert listed.returncode == 0 and "ocsf" not in listed.stdout
    assert run("vulnbus", "-c", made.config, "topics", "--diff").stdout == ""
    tail = run("vulnbus", "-c", made.config, "tail", "ocsf")
    assert tail.returncode != 0 and "does not exist" in tail.stderr
    assert run("vulnbus", "-c", made.config, "tail").returncode == 0


# --- with its record, or not at all ---

def test_killed_at_many_moments_each_record_has_one_projection(stack):
    made = stack([Source()], ON).start()
    made.enricher.expect_errors("transaction|coordinator|fenc|producer|broker")
    source, events = made.sources[0], []
    for turn in range(8):
        before = made.tap.length("ocsf")
        events += [scanned(made, source, str(turn * 40 + n)) for n in range(40)]
        if turn % 2:   # in the middle of what it is writing
            until(lambda: made.tap.length("ocsf") > before, "some are projected", 60)
        made.enricher.kill()
        made.enricher.start()
    made.tap.wait("scans", len(events), 90)
    made.tap.drain()
    scans = [record.value["event_id"] for record in made.tap.records["scans"]]
    projected = [record.value["metadata"]["original_event_uid"]
                 for record in made.tap.records["ocsf"]]
    assert sorted(scans) == sorted(projected) == sorted(events)


def test_refused_by_kafka_there_is_neither_record_nor_projection(stack):
    made = stack([Source()], {**ON, "enricher": {"give_up_after": "10m"}}).start()
    made.source = made.sources[0]
    limit(made, "ocsf", 2000)
    made.source.stub.website("2", url=f"https://{secrets.token_hex(1000)}")
    event = scanned(made, made.source, "1", assetId="2", assetType="site")
    letter = made.tap.one("dead-letters", event_id=event).value
    assert "refuses its record" in letter["reason"] and "ocsf" in letter["reason"]
    other = scanned(made, made.source, "7")
    made.tap.one("scans", event_id=other)
    projection(made, other)
    assert not made.tap.find("scans", event_id=event) and not projections(made, event)


def test_what_is_too_large_is_cut_and_says_so(stack):
    made = stack([Source("ssc", "securityscorecard", Vendor(word="Token"))],
                 {**ON, "kafka": {"properties": {"message.max.bytes": "20000"}}}).start()
    made.ssc = made.sources[0]
    word = "w" * 128
    event = company(made, "long.example", [
        {"id": number, "event_type": word, "group_status": word, "issue_type": word,
         "factor": word} for number in range(50)])
    value = projection(made, event).value
    assert value["metadata"]["is_truncated"] is True
    assert value["unmapped"]["cut"] == ["changes"]
    assert value["unmapped"]["change_count"] == 50
    assert 10 < len(value["unmapped"]["changes"]) < 50
    short = company(made, "short.example", [])
    assert "is_truncated" not in projection(made, short).value["metadata"]
