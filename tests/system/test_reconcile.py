# SPDX-License-Identifier: Apache-2.0
"""Exports asked for through vulnbus: whatever becomes of the webhook, each ends in one manifest or
one dead letter that says so."""

import os
import pty
import subprocess

import pytest

from daemons import BUILD, Source, run
from vendor import Csv, Reply
from waiting import until

ROWS = 40


@pytest.fixture
def site(stack):
    source = Source(settings={"api": {"reconcile_every": "1s"}})
    made = stack([source], {"enricher": {"give_up_after": "1m"}})
    made.source = source
    return made


def ask(site, *arguments):
    return run("vulnbus", "-c", site.config, "export", "--no-wait", *arguments, site.source.name)


def follow(site, *arguments):
    return run("vulnbus", "-c", site.config, "export", *arguments, site.source.name)


def names(number, status="done"):
    return f"acme-vdr:export:{number}:0:requested", f"acme-vdr:export:{number}:0:{status}"


def ended(site, request):
    until(lambda: site.enricher.metric("vulnbus_events_waiting") == 0, "nothing waits", 30)
    site.tap.drain()
    return [record.value for record in site.tap.records["events"]
            if record.value["id"] != request]


def test_an_export_whose_webhook_never_comes_is_found_at_the_api(site):
    exported = site.source.stub.export("212", Csv(ROWS), pending=2)
    site.start()
    done = ask(site, "--query", '{"tag": {"id": 7}}')
    assert (done.returncode, done.stdout) == (0, "acme-vdr: export 212 is asked for\n"), done.stderr
    assert site.source.stub.asked == [{
        "fileFormat": "csv", "kind": "export", "query": {"tag": {"id": 7}},
        "webhook": {"url": f"https://hooks.example.com{site.source.path}"}}]
    request, found = names(212)
    manifest = site.tap.one("exports", event_id=found).value
    assert (manifest["rows"], manifest["generation"]) == (ROWS, 1)
    assert exported.pending == 0
    events = ended(site, request)
    assert [event["id"] for event in events] == [found]
    assert events[0]["proof"] == "api" and events[0]["kind"] == "export.completed"
    requested = site.tap.one("events", id=request).value
    assert (requested["kind"], requested["proof"]) == ("export.requested", "api")
    assert site.enricher.metric("vulnbus_reconciled_total", source="acme-vdr") == 1
    # A webhook that comes after all is the same event.
    site.notify(site.source, id="212", kind="export", status="done")
    until(lambda: site.enricher.metric("vulnbus_events_taken_total", outcome="duplicate") == 1,
          "it is known")
    site.tap.drain()
    assert len(site.tap.records["exports"]) == 1 and not site.tap.records["dead-letters"]


def test_an_export_whose_webhook_comes_makes_no_second_event(site):
    site.source.settings["api"]["reconcile_every"] = "3s"
    site.write()
    site.source.stub.export("212", Csv(ROWS))
    site.start()
    assert ask(site).returncode == 0
    request, found = names(212)
    site.notify(site.source, id="212", kind="export", status="done")
    assert site.tap.one("exports", event_id=found).value["rows"] == ROWS
    events = ended(site, request)
    assert [(event["id"], event["proof"]) for event in events] == [(found, "jws-es512")]
    assert site.enricher.metric("vulnbus_reconciled_total") == 0


@pytest.mark.parametrize("word,status", [("failed", "failed"), ("cancel", "canceled")])
def test_an_export_that_fails_without_a_webhook_ends_in_a_manifest_that_says_so(site, word, status):
    site.source.stub.export("212", None, status=word)
    site.start()
    assert ask(site).returncode == 0
    manifest = site.tap.one("exports", event_id=names(212, word)[1]).value
    assert manifest["export"]["status"] == status and manifest["rows"] == 0


@pytest.mark.parametrize("code,detail", [(404, "gone"), (403, "forbidden")])
def test_an_export_that_is_not_there_any_more_ends_in_a_manifest_that_says_so(site, code, detail):
    site.source.stub.always("/api/v2/exports/212", Reply(code))
    site.start()
    assert ask(site).returncode == 0
    assert site.tap.one("exports", event_id=names(212, detail)[1]).value["detail"] == detail


def test_an_export_that_never_ends_is_a_dead_letter(site):
    site.settings["enricher"]["give_up_after"] = "3s"
    site.write()
    site.source.stub.export("212", None, status="pending")
    site.start()
    assert ask(site).returncode == 0
    letter = site.tap.one("dead-letters", event_id=names(212)[0]).value
    assert "no webhook came" in letter["reason"] and letter["http_status"] == 200
    assert ended(site, names(212)[0]) == []


def test_what_waits_for_its_webhook_survives_a_kill(site):
    site.source.settings["api"]["reconcile_every"] = "4s"
    site.write()
    site.source.stub.export("212", Csv(ROWS))
    site.start()
    assert ask(site).returncode == 0
    until(lambda: site.enricher.metric("vulnbus_events_waiting") == 1, "it waits")
    site.enricher.kill()
    site.enricher.start()
    assert site.tap.one("exports", event_id=names(212)[1]).value["rows"] == ROWS


def test_an_export_asked_for_elsewhere_can_be_expected(site):
    site.source.stub.export("99", Csv(ROWS))
    site.start()
    done = ask(site, "--id", "99")
    assert (done.returncode, done.stdout) == (0, "acme-vdr: export 99 is expected\n")
    assert not site.source.stub.asked
    assert site.tap.one("exports", event_id=names(99)[1]).value["rows"] == ROWS


@pytest.mark.parametrize("reply,code,said", [
    (Reply(500), 69, "HTTP 500"),
    (Reply(401), 69, "HTTP 401"),
    (Reply(201, body=b"<html>"), 76, "the vendor's reply"),
    (Reply(201, body=b'{"id": null}'), 76, "names no id"),
    (Reply(201, body=b'{"id": "\\u001b[31m"}'), 76, "names no id"),
])
def test_a_refusal_is_said_and_nothing_is_noted(site, reply, code, said):
    site.source.stub.asked_reply = reply
    site.start(enricher=False)
    done = ask(site)
    assert done.returncode == code and said in done.stderr and done.stdout == ""
    site.tap.drain()
    assert not site.tap.records["events"]


@pytest.mark.parametrize("arguments,code,said", [
    (["nobody"], 78, "no source is called nobody"),
    ([], 64, "one source"),
    (["--query", "[1]", "acme-vdr"], 64, "not a JSON object"),
    (["--id", "1" * 200, "acme-vdr"], 64, "too long"),
])
def test_wrong_calls(site, arguments, code, said):
    done = run("vulnbus", "-c", site.config, "export", *arguments)
    assert done.returncode == code and said in done.stderr


# --- followed to its end ---

def test_an_export_is_followed_until_its_manifest_is_there(site):
    exported = site.source.stub.export("212", Csv(ROWS), pending=2)
    site.start()
    done = follow(site)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("acme-vdr: export 212 is asked for\n"
                           f"acme-vdr: export 212: completed, {ROWS} rows, "
                           f"{sum(map(len, exported.file.chunks()))} bytes, generation 1\n")
    assert "\r" not in done.stderr     # nobody's terminal


def test_a_terminal_sees_how_far_it_is(site):
    site.source.stub.export("212", Csv(ROWS), pending=2)
    site.start()
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [BUILD / "vulnbus", "-c", site.config, "export", site.source.name],
        stdout=subprocess.PIPE, stderr=theirs, text=True, timeout=60)
    os.close(theirs)
    seen = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 0 and "\r" not in done.stdout
    assert "\r\x1b[Kacme-vdr: export 212: 0 s, 0 rows" in seen
    assert seen.endswith("\r\x1b[K")     # the line is taken back


@pytest.mark.parametrize("word", ["failed", "cancel"])
def test_how_it_ends_is_the_exit_status(site, word):
    site.source.stub.export("212", None, status=word)
    site.start()
    done = follow(site)
    status = {"failed": "failed", "cancel": "canceled"}[word]
    assert (done.returncode, done.stdout.splitlines()[1]) == \
        (1, f"acme-vdr: export 212: {status}")


@pytest.mark.parametrize("code,detail", [(404, "gone"), (403, "forbidden")])
def test_what_is_not_there_any_more_is_no_success(site, code, detail):
    site.source.stub.always("/api/v2/exports/212", Reply(code))
    site.start()
    done = follow(site)
    assert (done.returncode, done.stdout.splitlines()[1]) == \
        (1, f"acme-vdr: export 212: {detail}")


def test_what_is_given_up_is_said_with_its_reason(site):
    site.settings["enricher"]["give_up_after"] = "3s"
    site.write()
    site.source.stub.export("212", None, status="pending")
    site.start()
    done = follow(site)
    assert done.returncode == 1
    assert "export 212: given up: " in done.stdout and "no webhook came" in done.stdout


def test_one_that_has_ended_already_is_found(site):
    site.source.stub.export("212", Csv(ROWS))
    site.start()
    assert follow(site).returncode == 0
    again = follow(site, "--id", "212")
    assert again.returncode == 0 and f"completed, {ROWS} rows" in again.stdout


def test_while_kafka_is_away_the_vendor_is_not_asked(site):
    site.write()
    site.config.write_text(site.config.read_text().replace(site.broker.bootstrap, "127.0.0.1:1"))
    done = follow(site)
    assert done.returncode == 69 and "Kafka" in done.stderr
    assert not site.source.stub.asked
