# SPDX-License-Identifier: Apache-2.0
"""api_oauth2: the API is shown access tokens that a refresh token gives, and new refresh tokens
are kept."""

import itertools
import json
import stat
import threading
import time
from urllib.parse import parse_qsl

import pytest

from daemons import Source, Stack, run
from reader import raw_bytes
from vendor import Reply, Vendor
from waiting import until

PATH = "/auth/oauth2/token"
CLIENT = {"client_id": "client & co", "client_secret": "marker-client-secret+/="}
INVALID = Reply(400, body=b'{"error":"invalid_grant","error_description":"marker-of-theirs"}')


class Tokens:
    """A token endpoint: a refresh token is used up by use, access tokens expire."""

    def __init__(self, stub, first="marker-refresh-first"):
        self.field = "refresh_token"  # what it calls the refresh token
        self.rotates = True
        self.lifetime = None
        self.replies = []             # the next ones; after them the usual
        self.before = lambda: None    # called with each request, before it is looked at
        self.forms, self.times, self.headers = [], [], []
        self.refresh = first          # the one that is good
        self.access = {}              # token -> when it expires
        self._count = itertools.count(1)
        stub.posts[PATH] = self.answer
        stub.allows = self.allows

    def answer(self, body, headers):
        form = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
        self.forms.append(form)
        self.times.append(time.monotonic())
        self.headers.append(dict(headers))
        self.before()
        if self.replies:
            return self.replies.pop(0)
        expected = {"grant_type": "refresh_token", self.field: self.refresh, **CLIENT}
        return self.give() if form == expected else INVALID

    def give(self, **more):
        number = next(self._count)
        token = f"marker-access-{number}"
        self.access[token] = time.monotonic() + (self.lifetime or 3600)
        reply = {"access_token": token, "token_type": "bearer", **more}
        if self.lifetime:
            reply["expires_in"] = self.lifetime
        if self.rotates:
            self.refresh = f"marker-refresh-{number}"
            reply["refresh_token"] = self.refresh
        return Reply(body=json.dumps(reply).encode())

    def allows(self, text):
        word, _, token = text.partition(" ")
        return word == "Bearer" and time.monotonic() < self.access.get(token, 0)


@pytest.fixture
def site(stack, tmp_path):
    folder = tmp_path / "oauth2"
    folder.mkdir()
    file = folder / "refresh-token"
    file.write_text("marker-refresh-first\n")
    file.chmod(0o640)
    secret = tmp_path / "client-secret"
    secret.write_text(CLIENT["client_secret"] + "\n")
    source = Source(settings={"api": {"token": None}, "api_oauth2": {
        "refresh_token_file": str(file), "client_id": CLIENT["client_id"],
        "client_secret": f"${{file:{secret}}}"}})
    made = stack([source], {"enricher": {"retry_to": "3s", "give_up_after": "1s"}})
    made.source, made.stub, made.file, made.folder = source, source.stub, file, folder
    made.tokens = Tokens(source.stub)
    return made


def scan(site, number):
    site.stub.scan(number)
    return site.notify(site.source, id=number, kind="scan", status="done")


def replace(file, text):
    new = file.with_name("new")
    new.write_text(text + "\n")
    new.rename(file)


def says(site, text):
    return text.encode() in site.enricher.log.read_bytes()


def nothing_is_given_up(site):
    site.tap.drain()
    assert not site.tap.records["dead-letters"]


# --- the request ---

def test_the_standard_form_gives_an_access_token(site):
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    site.tap.one("scans", event_id=scan(site, "2"))
    assert len(site.tokens.forms) == 1
    headers = site.tokens.headers[0]
    assert headers["Accept"] == "application/json" and "Authorization" not in headers
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert [seen.authorization for seen in site.stub.calls("/api/v2/scans/1")] == [
        "Bearer marker-access-1"]
    assert site.enricher.metric("vulnbus_token_requests_total", outcome="given") == 1


def test_the_form_of_the_vendors_connector_is_tried_second_and_remembered(site):
    site.tokens.field = "code"
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    assert ["code" in form for form in site.tokens.forms] == [False, True]
    site.tokens.access.clear()
    site.tap.one("scans", event_id=scan(site, "2"))
    assert ["code" in form for form in site.tokens.forms] == [False, True, True]


def test_a_client_without_a_secret_sends_none(site):
    del site.source.settings["api_oauth2"]["client_secret"]
    site.write()
    site.tokens.replies = [site.tokens.give()]
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    assert list(site.tokens.forms[0]) == ["grant_type", "refresh_token", "client_id"]


def test_many_events_that_wait_cause_one_request(site):
    gate = threading.Event()
    site.tokens.before = lambda: gate.wait(30)
    site.start()
    names = [scan(site, str(number)) for number in range(1, 41)]
    until(lambda: site.enricher.metric("vulnbus_events_waiting") == 40, "all wait")
    gate.set()
    for name in names:
        site.tap.one("scans", event_id=name)
    assert len(site.tokens.forms) == 1
    nothing_is_given_up(site)


# --- new refresh tokens ---

def test_a_new_refresh_token_is_in_its_file_before_the_access_token_is_used(site):
    seen = []
    site.stub.allows = lambda text: (seen.append(site.file.read_text()),
                                     site.enricher.kill() if len(seen) == 1 else None,
                                     site.tokens.allows(text))[-1]
    site.start()
    name = scan(site, "1")
    until(lambda: seen, "the first call")
    assert seen[0] == "marker-refresh-1\n"
    assert stat.S_IMODE(site.file.stat().st_mode) == 0o600
    until(lambda: site.enricher.process is None, "the kill")
    site.enricher.start()
    site.tap.one("scans", event_id=name)
    assert [form["refresh_token"] for form in site.tokens.forms] == [
        "marker-refresh-first", "marker-refresh-1"]
    assert [file.name for file in site.folder.iterdir()] == ["refresh-token"]


def test_what_is_under_way_when_the_program_ends_is_waited_for(site):
    gate = threading.Event()
    site.tokens.before = lambda: gate.wait(30)
    site.start()
    scan(site, "1")
    until(lambda: site.tokens.forms, "the request")
    site.enricher.terminate()
    until(lambda: not site.enricher.ready(), "it is told")
    gate.set()
    assert site.enricher.wait() == 0
    assert site.file.read_text() == "marker-refresh-1\n"


def test_a_link_to_the_file_stays_one(site):
    link = site.file.with_name("link")
    link.symlink_to(site.file)
    site.source.settings["api_oauth2"]["refresh_token_file"] = str(link)
    site.write()
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    assert link.is_symlink() and site.file.read_text() == "marker-refresh-1\n"


def test_a_refresh_token_that_cannot_be_written_is_used_and_written_later(site):
    site.enricher.expect_errors("refresh token is not written")
    away = site.folder.with_name("away")
    site.tokens.before = lambda: site.folder.exists() and site.folder.rename(away)
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    assert says(site, "refresh token is not written")
    site.tokens.access.clear()
    site.tap.one("scans", event_id=scan(site, "2"))
    assert site.tokens.forms[1]["refresh_token"] == "marker-refresh-1"
    site.tokens.before = lambda: None
    away.rename(site.folder)
    until(lambda: site.file.read_text() == "marker-refresh-2\n", "it is written")
    nothing_is_given_up(site)


def test_a_refresh_token_that_an_operator_puts_there_meanwhile_is_not_overwritten(site):
    def before():
        site.tokens.before = lambda: None
        replace(site.file, "marker-refresh-theirs")

    site.tokens.before = before
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    assert site.file.read_text() == "marker-refresh-theirs\n"
    site.tokens.refresh = "marker-refresh-theirs"
    site.tokens.access.clear()
    site.tap.one("scans", event_id=scan(site, "2"))


# --- refused ---

def test_a_revoked_refresh_token_pauses_the_source_until_its_file_changes(site):
    site.tokens.refresh = "marker-refresh-other"
    site.start()
    name = scan(site, "1")
    until(lambda: says(site, "the refresh token is refused"), "it is said")
    until(lambda: 'vulnbus_source_authorised{source="acme-vdr"} 0\n' in
          site.enricher.admin("/metrics").text, "the metric")
    until(lambda: not site.enricher.ready(), "readiness")
    scan(site, "2")
    until(lambda: site.enricher.metric("vulnbus_events_waiting") == 2, "they wait")
    time.sleep(1.5)                  # longer than give_up_after
    assert ["code" in form for form in site.tokens.forms] == [False, True]
    assert site.stub.calls("/api/v2/scans/1") == []
    log = site.enricher.log.read_text()
    assert log.count("refresh token is refused") == log.count("refuses the token") == 1
    assert "invalid_grant" in log and "marker" not in log
    replace(site.file, "marker-refresh-other")
    site.tap.one("scans", event_id=name)
    assert site.enricher.metric("vulnbus_source_authorised", source="acme-vdr") == 1
    until(site.enricher.ready, "readiness")
    site.tap.wait("scans", 2)
    nothing_is_given_up(site)
    assert len(site.tap.records["scans"]) == 2


def test_a_revoked_refresh_token_is_tried_again_at_sighup(site):
    good, site.tokens.refresh = site.tokens.refresh, "marker-refresh-other"
    site.start()
    name = scan(site, "1")
    until(lambda: says(site, "refuses the token"), "it is said")
    site.tokens.refresh = good
    site.enricher.hang_up()
    site.tap.one("scans", event_id=name)


def test_a_refusal_while_another_enricher_used_the_token_is_no_revocation(site):
    def before():
        site.tokens.before = lambda: None
        site.tokens.refresh = "marker-refresh-another"
        replace(site.file, site.tokens.refresh)

    site.tokens.before = before
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    assert [form.get("refresh_token") for form in site.tokens.forms] == [
        "marker-refresh-first", None, "marker-refresh-another"]
    assert not says(site, "refuses the token")


def test_an_api_that_refuses_a_new_access_token_pauses_the_source(site):
    site.stub.allows = lambda text: False
    site.start()
    name = scan(site, "1")
    until(lambda: says(site, "refuses the token"), "it is said")
    time.sleep(1.5)
    assert len(site.tokens.forms) == 1 and len(site.stub.calls("/api/v2/scans/1")) == 1
    site.stub.allows = site.tokens.allows
    replace(site.file, site.tokens.refresh + " ")
    site.tap.one("scans", event_id=name)
    nothing_is_given_up(site)


def test_an_api_that_refuses_one_token_after_the_other_pauses_the_source(site):
    """And does not have them asked for without end."""
    site.stub.scan("1")
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    site.stub.allows = lambda text: False
    scan(site, "2")
    until(lambda: says(site, "refuses the token"), "it is said")
    assert len(site.tokens.forms) == 2


# --- expiry ---

def test_an_access_token_that_expires_is_renewed(site):
    site.tokens.lifetime = 1
    site.start()
    for number in range(1, 5):
        site.tap.one("scans", event_id=scan(site, str(number)))
        time.sleep(0.6)
    assert 2 <= len(site.tokens.forms) <= 8
    assert not says(site, "refuses the token")
    nothing_is_given_up(site)


def test_an_access_token_that_the_api_refuses_after_a_while_is_renewed_once(site):
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    site.tokens.access.clear()
    names = [scan(site, str(number)) for number in range(2, 12)]
    for name in names:
        site.tap.one("scans", event_id=name)
    assert len(site.tokens.forms) == 2
    assert not says(site, "refuses the token")
    nothing_is_given_up(site)


def test_events_that_are_refused_together_renew_it_once(site):
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    site.tokens.access.clear()
    together = threading.Barrier(8)

    def allows(text):
        if text == "Bearer marker-access-1":
            together.wait(30)
        return site.tokens.allows(text)

    site.stub.allows = allows
    for name in [scan(site, str(number)) for number in range(2, 10)]:
        site.tap.one("scans", event_id=name)
    assert len(site.tokens.forms) == 2
    assert not says(site, "refuses the token")


# --- what passes ---

@pytest.mark.parametrize("reply", [
    Reply(500), Reply(502, {"Content-Type": "text/html"}, b"<html>bad gateway</html>"),
    Reply(200, {"Content-Type": "text/html"}, b"<html>please log in</html>"),
    Reply(200, body=b'{"token_type":"bearer"}'),
    Reply(200, body=b'{"access_token":"marker-a\\nmarker-b"}'),
    Reply(200, body=b'{"access_token":"' + b"marker-long" * 1000 + b'"}'),
    Reply(200, body=b'{"access_token":"marker","refresh_token":"two\\nlines"}'),
    Reply(200, body=b" " * (1 << 20)), Reply(404), Reply(408),
], ids=lambda reply: f"{reply.status} {len(reply.body)} {reply.body[:20]}")
def test_what_is_no_refusal_passes(site, reply):
    site.tokens.replies = [reply, reply]
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    assert len(site.tokens.forms) == 3
    assert not says(site, "marker") and not says(site, "refuses the token")
    assert site.enricher.metric("vulnbus_token_requests_total", outcome="failed") == 2
    nothing_is_given_up(site)


def test_an_endpoint_that_is_away_passes(site):
    site.start()
    site.stub.down()
    name = site.notify(site.source, id="1", kind="scan", status="done")
    until(lambda: says(site, "no access token was given"), "it is said")
    site.stub.scan("1")
    site.stub.up()
    site.tap.one("scans", event_id=name)
    nothing_is_given_up(site)


def test_retry_after_is_honoured(site):
    site.tokens.replies = [Reply(429, {"Retry-After": "2"})]
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    first, second = site.tokens.times
    assert second - first >= 2
    nothing_is_given_up(site)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(site, code):
    other = Vendor()
    site.tokens.replies = [Reply(code, {"Location": other.url + PATH})]
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    assert other.seen == []
    other.down()


@pytest.mark.parametrize("content", ["", "two words", "two\nlines", None, "x" * 9000])
def test_a_slip_in_the_file_makes_nobody_a_dead_letter(site, content):
    if content is None:
        site.file.unlink()
    else:
        site.file.write_text(content)
    site.start()
    name = scan(site, "1")
    until(lambda: says(site, "no access token can be asked for"), "it is said")
    assert site.tokens.forms == []
    replace(site.file, "marker-refresh-first")
    site.tap.one("scans", event_id=name)
    nothing_is_given_up(site)


def test_another_host_is_not_shown_the_former_ones_tokens(site):
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    other = Vendor()
    tokens = Tokens(other, "marker-refresh-1")
    tokens._count = itertools.count(100)
    other.scan("2")
    site.source.settings["base_url"] = other.url
    site.write()
    site.enricher.hang_up()
    until(lambda: says(site, "configuration reloaded"), "it is reloaded")
    name = site.notify(site.source, id="2", kind="scan", status="done")
    site.tap.one("scans", event_id=name)
    assert {seen.authorization for seen in other.seen} <= {"", "Bearer marker-access-100"}
    other.down()


# --- nobody else learns of it ---

def test_no_token_is_anywhere_but_in_its_file(site):
    """Also of the other form, of failures and of a file that cannot be written."""
    site.enricher.expect_errors("refresh token is not written")
    away = site.folder.with_name("away")
    site.tokens.field = "code"
    site.tokens.replies = [INVALID, Reply(500, body=b"marker-error")]
    site.tokens.before = lambda: (site.folder.exists() and len(site.tokens.forms) == 4
                                  and site.folder.rename(away))
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    until(lambda: says(site, "refresh token is not written"), "it is said")
    away.rename(site.folder)
    until(lambda: site.file.read_text() == "marker-refresh-1\n", "it is written")
    places = {
        "topics": raw_bytes(site.broker.bootstrap, site.prefix).decode("latin-1"),
        "log": site.enricher.log.read_text() + site.ingress.log.read_text(),
        "metrics": site.enricher.admin("/metrics").text + site.enricher.admin("/").text,
        "config": run("vulnbus", "-c", site.config, "print-config").stdout,
    }
    for place, text in places.items():
        assert text and "marker" not in text, place
    assert 'client_secret: "********"' in places["config"].replace("'", '"')


# --- the tool ---

def export(site, *arguments):
    return run("vulnbus", "-c", site.config, "export", "--no-wait", *arguments, "acme-vdr")


def test_the_tool_asks_for_an_access_token_each_time(site):
    site.tokens.field = "code"
    run("vulnbus", "-c", site.config, "topics", "--create")
    for number in (1, 2):
        done = export(site)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        assert site.file.read_text() == f"marker-refresh-{number}\n"
    assert len(site.stub.asked) == 2 and len(site.tokens.forms) == 4


def test_the_tool_says_why_there_is_no_access_token(site):
    run("vulnbus", "-c", site.config, "topics", "--create")
    site.tokens.refresh = "marker-refresh-other"
    done = export(site)
    assert done.returncode == 69 and "no access token: HTTP 400, invalid_grant" in done.stderr
    site.tokens.replies = [Reply(503)]
    assert "HTTP 503" in export(site).stderr
    site.file.unlink()
    done = export(site)
    assert done.returncode == 69 and "refresh-token" in done.stderr and "marker" not in done.stderr


def test_the_tool_says_that_a_refresh_token_is_lost(site):
    run("vulnbus", "-c", site.config, "topics", "--create")
    site.tokens.before = lambda: site.folder.rename(site.folder.with_name("away"))
    done = export(site)
    assert done.returncode == 0 and "is lost" in done.stderr and "marker" not in done.stderr


def test_the_tool_asks_once_for_many_calls(site):
    site.stub.mood = Reply(body=b'{"items": []}')
    site.stub.posts["/connectors"] = lambda body, headers: Reply(201, body=b'{"id": "7"}')
    done = run("vulnbus", "-c", site.config, "register", "--undocumented", "acme-vdr")
    assert done.returncode == 0 and "webhook 7 added" in done.stdout, done.stderr
    calls = [seen.authorization for seen in site.stub.seen if seen.path != PATH]
    assert len(calls) >= 2 and set(calls) == {"Bearer marker-access-1"}
    assert len(site.tokens.forms) == 1


# --- the configuration ---

@pytest.mark.parametrize("settings, said", [
    ({"api": {"token": "a-token-0123456789"}}, "api.token or api_oauth2, not both"),
    ({"api_jwt": {"key_file": "/run/secrets/key"}}, "api_jwt or api_oauth2, not both"),
    ({"api_oauth2": {"client_id": None}}, "needs refresh_token_file and client_id"),
    ({"api_oauth2": {"refresh_token_file": None}}, "needs refresh_token_file and client_id"),
    ({"api_oauth2": {"refresh_token_file": None, "client_id": None, "client_secret": "x"}},
     "needs refresh_token_file and client_id"),
    ({"api_oauth2": {"token_path": "token"}}, "not a path"),
])
def test_slips_in_the_configuration(broker, tmp_path, settings, said):
    base = {"api": {"token": None}, "api_oauth2": {
        "refresh_token_file": "/run/secrets/refresh-token", "client_id": "it"}}
    for section, values in settings.items():
        base[section] = {name: value for name, value in
                         {**base.get(section, {}), **values}.items() if value is not None}
    source = Source(settings=base)
    made = Stack(broker, tmp_path / "stack", [source])
    done = run("vulnbus", "check-config", "-c", made.config)
    assert done.returncode == 78 and said in done.stderr, done.stderr
    assert f"{made.config}:" in done.stderr
    source.stub.down()
