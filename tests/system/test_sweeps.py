# SPDX-License-Identifier: Apache-2.0
"""What a vendor's API lists and no webhook told: found once, and enriched once."""

import datetime
import secrets

import pytest

from daemons import Daemon, Source, run
from reader import raw_bytes
from test_unsigned import probely, scorecard, tell, told
from vendor import Reply, Vendor
from waiting import until

EVENTS, SCANS = "/events/", "/scans/"
FIRST = "/events/?ordering=-occurred_at&length=20&page=1"


def when(**ago):
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**ago)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.fixture
def site(stack):
    web = Source("web", "probely", Vendor(word="JWT"), settings={"api": {"reconcile_every": "1s"}})
    web.stub.lists = {EVENTS: [], SCANS: []}
    made = stack([web])
    made.web = web
    return made


def finding(site, number, **more):
    """A finding that the API knows, and the event that tells of it."""
    site.web.stub.items[f"/targets/t{number % 7}/findings/{number}/"] = {
        "id": number, "severity": 30, "state": "notfixed"}
    return probely("finding_detected", {"id": number, "target": {"id": f"t{number % 7}"}},
                   occurred_at=when(seconds=5), **more)


def scan(site, status="completed", **more):
    number = secrets.token_hex(6)
    document = {"id": number, "status": status, "target": {"id": "t1"},
                "completed": when(seconds=5), **more}
    site.web.stub.items[f"/scans/{number}/"] = document
    return document


def swept(site, times=2, path=SCANS):
    """Waits until so many more sweeps of all three partitions are over."""
    pages = len(site.web.stub.pages(path)) + 3 * times
    until(lambda: len(site.web.stub.pages(path)) >= pages, "swept", 30)


def announced(site):
    site.tap.drain()
    return sorted(each.value["id"] for each in site.tap.records["events"]
                  if each.value["proof"] == "api")


def once(site, topic, names):
    """Each of the events has one record there, and nothing else has."""
    until(lambda: (site.tap.drain() or len(site.tap.records[topic]) >= len(names)),
          f"{len(names)} on {topic}", 30)
    assert sorted(each.value["event_id"] for each in site.tap.records[topic]) == sorted(names)


def test_a_withheld_webhook_is_found_once_and_enriched_once(site):
    site.start()
    given = [finding(site, number) for number in range(12)]
    withheld = [finding(site, number) for number in range(100, 112)]
    withheld[0]["webhooks"] = [{"id": "w1", "status": "succeeded"},
                               {"id": "w2", "status": "failed", "retries": 12}]
    names = [told(site, site.web, body) for body in given]
    site.web.stub.lists[EVENTS] += given + withheld
    missed = sorted(f"web:{body['id']}" for body in withheld)
    once(site, "findings", names + missed)
    swept(site)
    assert announced(site) == missed
    found = site.tap.one("events", id=f"web:{withheld[0]['id']}").value
    assert (found["kind"], found["attributes"]["delivery"]) == ("finding.detected", "failed")
    assert site.enricher.metric("vulnbus_reconciled_total", source="web") == 12
    # Whatever comes after all is known by then.
    for body in withheld:
        told(site, site.web, body)
    until(lambda: site.enricher.metric("vulnbus_events_taken_total", outcome="duplicate") == 12,
          "known")
    site.enricher.kill()
    site.enricher.start()
    swept(site)
    assert announced(site) == missed
    once(site, "findings", names + missed)
    assert site.enricher.metric("vulnbus_events_waiting") == 0


def test_what_waits_on_the_topic_is_not_found_a_second_time(site):
    site.start()
    swept(site, 1)
    site.enricher.kill()
    bodies = [finding(site, number) for number in range(1500)]
    names = [told(site, site.web, body) for body in bodies]
    site.web.stub.lists[EVENTS] += bodies
    site.enricher.start()
    swept(site)
    once(site, "findings", names)
    swept(site)
    assert announced(site) == []


def test_all_pages_are_read_and_only_as_far_as_needed(site):
    old = [{**finding(site, number), "occurred_at": when(days=2)} for number in range(500, 700)]
    site.web.stub.lists[EVENTS] += old
    site.start()
    withheld = [finding(site, number) for number in range(230)]
    site.web.stub.lists[EVENTS] += withheld
    missed = sorted(f"web:{body['id']}" for body in withheld)
    once(site, "findings", missed)
    swept(site)
    assert announced(site) == missed
    asked = {seen.path.rpartition("page=")[2] for seen in site.web.stub.pages(EVENTS)}
    assert asked == {str(page) for page in range(1, 14)}


def test_a_scan_that_ended_is_found_even_if_no_event_is_listed(site):
    site.web.stub.always(FIRST, Reply(
        403, body=b'{"detail":"You do not have permission to perform this action."}'))
    site.start()
    known = scan(site)
    name = told(site, site.web, probely("scan_completed", known))
    ended = [scan(site), scan(site, "failed"), scan(site, "canceled"),
             scan(site, "completed_with_errors")]
    site.web.stub.lists[SCANS] += [known, *ended, scan(site, "started")]
    words = ["completed", "failed", "canceled", "completed"]
    missed = sorted(f"web:scan:{each['id']}:{word}" for each, word in zip(ended, words))
    once(site, "scans", [name, *missed])
    site.enricher.kill()
    site.enricher.start()
    swept(site)
    assert announced(site) == missed
    record = site.tap.one("scans", event_id=f"web:scan:{ended[1]['id']}:failed").value
    assert (record["kind"], record["scan"]["status"]) == ("scan.failed", "failed")
    assert "the vendor does not show what it lists" in site.enricher.log.read_text()


def test_a_scan_whose_event_was_missed_is_found_once_in_both_lists(site):
    site.start()
    ended = [scan(site) for _ in range(6)]
    events = [probely("scan_completed", each, occurred_at=when(seconds=5)) for each in ended]
    site.web.stub.lists = {EVENTS: events, SCANS: ended}
    once(site, "scans", [f"web:{event['id']}" for event in events])
    swept(site)
    assert announced(site) == sorted(f"web:{event['id']}" for event in events)
    once(site, "scans", [f"web:{event['id']}" for event in events])


def test_a_list_in_another_order_is_said_and_not_taken_for_empty(site):
    """An API that does not know `ordering`: the oldest events come first."""
    site.web.settings["api"]["paths"] = {"events": "/events/?length=20&page={page}"}
    site.write()
    site.web.stub.lists[EVENTS] += [
        {**finding(site, number), "occurred_at": when(hours=100 - number)} for number in range(60)]
    site.start()
    until(lambda: "the events are not listed newest first" in site.enricher.log.read_text(), "said")
    assert announced(site) == []


@pytest.mark.parametrize("reply", [
    Reply(500, body=b"<html>Cloudflare</html>", headers={"Content-Type": "text/html"}),
    Reply(429, headers={"Retry-After": "1"}),
    Reply(200, body=b"<html>"),
    Reply(400, body=b'{"ordering":["unknown"]}'),
], ids=["500", "429", "page", "400"])
def test_a_vendor_that_fails_is_asked_again(site, reply):
    site.web.stub.always(FIRST, reply)
    site.start()
    withheld = finding(site, 1)
    site.web.stub.lists[EVENTS].append(withheld)
    until(lambda: len(site.web.stub.pages(EVENTS)) >= 5, "asked again", 30)
    assert "reconciliation postponed" in site.enricher.log.read_text()
    assert site.enricher.metric("vulnbus_events_waiting") == 0
    site.web.stub.usual(FIRST)
    once(site, "findings", [f"web:{withheld['id']}"])
    site.tap.drain()
    assert not site.tap.records["dead-letters"]


def test_a_refused_token_is_tried_again_and_another_is_taken(site):
    site.web.stub.allows = lambda text: text == "JWT another"
    site.start()
    withheld = finding(site, 1)
    site.web.stub.lists[EVENTS].append(withheld)
    until(lambda: "HTTP 401" in site.enricher.log.read_text(), "refused")
    site.write_token(site.web, "another")
    once(site, "findings", [f"web:{withheld['id']}"])


def test_it_can_be_turned_off_and_on_again(site):
    site.web.settings["api"]["reconcile"] = False
    site.write()
    withheld = finding(site, 1)
    site.web.stub.lists[EVENTS].append(withheld)
    site.start()
    other = finding(site, 2)
    once(site, "findings", [told(site, site.web, other)])
    assert not site.web.stub.pages(EVENTS)
    site.web.settings["api"]["reconcile"] = True
    site.write()
    site.enricher.hang_up()
    once(site, "findings", [f"web:{withheld['id']}", f"web:{other['id']}"])
    site.web.settings["api"]["reconcile"] = False
    site.write()
    site.enricher.hang_up()
    late = finding(site, 3)
    site.web.stub.lists[EVENTS].append(late)
    once(site, "findings", [f"web:{each['id']}" for each in (withheld, other)])


def test_two_enrichers_that_share_the_partitions_find_it_once(site, tmp_path):
    site.start()
    swept(site, 1)
    second = tmp_path / "two.yaml"
    second.write_text(site.config.read_text().replace("instance_id: one", "instance_id: two"))
    two = Daemon("vulnbus-enricher", second, tmp_path / "two.log")
    two.start()
    try:
        withheld = [finding(site, number) for number in range(40)]
        site.web.stub.lists[EVENTS] += withheld
        missed = sorted(f"web:{body['id']}" for body in withheld)
        once(site, "findings", missed)
        swept(site)
    finally:
        two.stop()
    swept(site)
    assert announced(site) == missed
    once(site, "findings", missed)


# --- SecurityScorecard ---

def day(ago):
    return when(days=ago)[:10]


@pytest.fixture
def cards(stack):
    ssc = Source("ssc", "securityscorecard", Vendor(word="Token"),
                 settings={"api": {"reconcile_every": "1s"}})
    made = stack([ssc])
    made.ssc = ssc
    for domain in ("one.example", "two.example"):
        ssc.stub.items[f"/companies/{domain}"] = {"domain": domain, "score": 80, "grade": "B"}
        ssc.stub.items[f"/companies/{domain}/factors"] = {"entries": []}
    return made


def history(made, domain, *ago):
    entries = [{"id": 47 + i, "date": f"{day(each)}T00:00:00.000Z", "event_type": "issues",
                "issue_type": "csp_no_policy_v2", "issue_count": i, "severity": "low"}
               for i, each in enumerate(ago)]
    for back in range(1, 9):
        made.ssc.stub.items[f"/companies/{domain}/history/events/?date_from={day(back)}"] = {
            "entries": entries}


def test_a_day_of_a_scorecards_history_without_a_webhook_is_found_once(cards):
    history(cards, "one.example", 2, 2, 1, 0)
    history(cards, "two.example", 2)
    cards.start()
    names = [told(cards, cards.ssc, scorecard(domain="one.example")),
             # This one was told the day after.
             told(cards, cards.ssc, scorecard(domain="two.example", created_at=when(days=1)))]
    missed = f"ssc:one.example:{day(2)}"
    once(cards, "scorecards", [*names, missed])
    calls = len(cards.ssc.stub.seen)
    until(lambda: len(cards.ssc.stub.seen) >= calls + 6, "asked again", 30)
    assert announced(cards) == [missed]
    event = cards.tap.one("events", id=missed).value
    assert (event["kind"], event["subject"]["id"]) == ("scorecard.changed", "one.example")
    assert event["attributes"]["change_type"] == "issues"
    cards.enricher.kill()
    cards.enricher.start()
    calls = len(cards.ssc.stub.seen)
    until(lambda: len(cards.ssc.stub.seen) >= calls + 6, "asked again", 30)
    once(cards, "scorecards", [*names, missed])


def test_a_scorecard_is_not_asked_about_every_quarter_of_an_hour(cards):
    cards.ssc.settings["api"].pop("reconcile_every")
    cards.settings["enricher"] = {"reconcile_every": "1s"}
    cards.write()
    history(cards, "one.example", 2)
    cards.start()
    name = told(cards, cards.ssc, scorecard(domain="one.example"))
    once(cards, "scorecards", [name])
    until(lambda: cards.enricher.metric("vulnbus_events_waiting") == 0, "done")
    assert len(cards.ssc.stub.seen) == 3


@pytest.mark.parametrize("told_before", [1, 3, 5])
def test_a_day_is_missed_although_the_day_before_it_was_told(cards, told_before):
    history(cards, "one.example", 2)
    cards.start()
    name = told(cards, cards.ssc, scorecard(domain="one.example", created_at=when(days=told_before)))
    missed = [f"ssc:one.example:{day(2)}"] if told_before > 2 else []
    once(cards, "scorecards", [name, *missed])
    calls = len(cards.ssc.stub.seen)
    until(lambda: len(cards.ssc.stub.seen) >= calls + 3, "asked again", 30)
    assert announced(cards) == missed


def test_days_in_a_row_are_all_found(cards):
    history(cards, "one.example", 4, 3, 2)
    cards.settings["enricher"] = {"dedup_window": "5d"}
    cards.write()
    cards.start()
    # Ten minutes are looked at twice: until ten past midnight that is a day more.
    missed = {day(2), when(days=2, minutes=10)[:10]}
    name = told(cards, cards.ssc, scorecard(domain="one.example", created_at=when(days=9)))
    once(cards, "scorecards", [name, *(f"ssc:one.example:{each}" for each in missed)])


def test_what_was_told_while_it_was_off_is_not_found_when_it_is_on(site):
    site.web.settings["api"]["reconcile"] = False
    site.write()
    site.start()
    known = scan(site)
    site.web.stub.lists[SCANS].append(known)
    name = told(site, site.web, probely("scan_completed", known))
    once(site, "scans", [name])
    site.web.settings["api"]["reconcile"] = True
    site.write()
    site.enricher.hang_up()
    swept(site)
    assert announced(site) == []


def test_lists_alone_that_are_refused_do_not_stop_the_events(site):
    site.web.stub.always(FIRST, Reply(401, body=b"{}"))
    site.start()
    name = told(site, site.web, finding(site, 1))
    once(site, "findings", [name])
    until(lambda: len(site.web.stub.pages(EVENTS)) >= 5, "asked again", 30)
    names = [name, told(site, site.web, finding(site, 2))]
    once(site, "findings", names)


def test_a_filter_that_is_not_obeyed_brings_no_old_scans(site):
    site.web.settings["api"]["paths"] = {
        "scans": "/scans/?ordering=completed&length=50&page={page}"}
    site.write()
    site.web.stub.lists[SCANS].append(scan(site, completed=when(days=300)))
    site.start()
    swept(site)
    assert announced(site) == []


def test_an_event_that_is_listed_twice_is_found_once(site):
    site.start()
    swept(site, 1)
    assert site.enricher.metric("vulnbus_events_in_memory") == 0
    body = finding(site, 1)
    site.web.stub.lists[EVENTS] += [body, body]
    once(site, "findings", [f"web:{body['id']}"])
    swept(site)
    assert announced(site) == [f"web:{body['id']}"]


def test_while_events_may_not_be_taken_in_the_lists_are_asked_less_and_less(site):
    site.settings["enricher"] = {"max_waiting": 3, "retry_from": "500ms", "retry_to": "1h"}
    site.web.settings["api"]["reconcile_every"] = "5s"
    site.write()
    site.start()
    for number in range(80):
        body = finding(site, number)
        site.web.stub.always(f"/targets/t{number % 7}/findings/{number}/", Reply(503))
        told(site, site.web, body)
        if number == 20:
            until(lambda: site.enricher.metric("vulnbus_events_waiting") >= 3, "full")
    site.web.stub.lists[EVENTS] += [
        {**finding(site, number), "occurred_at": when(seconds=20)} for number in range(300, 330)]
    until(lambda: len(site.web.stub.pages(EVENTS)) >= 24, "asked", 60)
    times = [seen.time for seen in site.web.stub.pages(EVENTS)]
    assert times[23] - times[0] > 10
    assert announced(site) == []


def test_scorecards_are_not_reconciled_with_a_memory_too_short_for_it(cards):
    cards.settings["enricher"] = {"dedup_window": "3d"}
    cards.write()
    done = run("vulnbus", "-c", cards.config, "check-config")
    assert done.returncode == 78 and "enricher.dedup_window of 4d" in done.stderr
    cards.ssc.settings["api"]["reconcile"] = False
    cards.write()
    assert run("vulnbus", "-c", cards.config, "check-config").returncode == 0


def test_what_the_api_lists_may_not_be_an_event(site):
    site.start()
    good = finding(site, 1)
    site.web.stub.lists[EVENTS] += [
        {"id": "x", "occurred_at": when(seconds=4)}, probely("unheard_of", {"id": 1},
                                                            occurred_at=when(seconds=4)),
        {**good, "id": "y" * 5000}, good]
    once(site, "findings", [f"web:{good['id']}"])
    assert "an item of the vendor's list is no event" in site.enricher.log.read_text()


def test_nothing_sensitive_of_a_list_gets_anywhere(site):
    site.web.settings["api"]["forward_free_text"] = True
    site.write()
    site.start()
    mark = f"mark-{secrets.token_hex(8)}"
    address = f"{mark}@example.com"
    place = {"id": "t1", "site": {"basic_auth": {"username": mark, "password": mark}, "otp_secret": mark,
                                  "headers": [{"name": "Authorization", "value": mark}],
                                  "cookies": [{"name": "sid", "value": mark}],
                                  "form_login": [{"name": "password", "value": mark}],
                                  "verification_token": mark}}
    found = finding(site, 5, webhooks=[{"url": f"https://hooks.example.com/{mark}",
                                        "created_by": {"email": address}, "status": "failed"}])
    found["content"] |= {"requests": [{"request": mark, "response": mark}], "target": {
        **place, "id": "t5"}, "assignee": {"email": address}}
    site.web.stub.lists[EVENTS] += [
        probely("user_created", {"id": "u1", "email": address, "name": mark},
                occurred_at=when(seconds=5)), found]
    ended = {**scan(site), "target": place, "login_video": mark, "changed_by": {"email": address}}
    site.web.stub.lists[SCANS].append(ended)
    once(site, "scans", [f"web:scan:{ended['id']}:completed"])
    once(site, "findings", [f"web:{found['id']}"])
    assert len(announced(site)) == 3
    for place in (raw_bytes(site.broker.bootstrap, site.prefix), site.enricher.log.read_bytes(),
                  site.enricher.admin("/metrics").content):
        assert mark.encode() not in place


def test_the_configuration_may_move_the_lists(site):
    done = run("vulnbus", "-c", site.config, "check-config")
    assert done.returncode == 0, done.stderr
    site.web.settings["api"]["paths"] = {"event": "/events/"}
    site.write()
    done = run("vulnbus", "-c", site.config, "check-config")
    assert done.returncode == 78 and 'probely has no path "event"' in done.stderr
