# SPDX-License-Identifier: Apache-2.0
"""The page at / of the admin ports, in a real browser."""

import base64
import hashlib
import json
import os
import re
from pathlib import Path

import pytest
import requests

from browser import Browser
from daemons import Source
from vendor import Reply
from waiting import until

WIDTHS = {"desk": 1200, "phone": 390}


@pytest.fixture(scope="module")
def site(module_stack):
    made = module_stack([
        Source("acme-vdr"),
        Source("ssc", "securityscorecard", settings={"hook": {"app_secret": "an-app-secret-of-ours"}}),
        Source("silent", "probely"),
    ], {"enricher": {"give_up_after": "2s"}})
    made.enricher.expect_errors("gave up|give up|giving up|dead letter")
    made.vdr, made.ssc = made.sources[:2]
    made.start()
    for number in ("1", "2"):
        made.vdr.stub.scan(number)
        made.tap.one("scans", event_id=made.notify(made.vdr, id=number, kind="scan", status="done"))
    made.vdr.stub.always("/api/v2/scans/3", Reply(500))
    made.tap.one("dead-letters",
                 event_id=made.notify(made.vdr, id="3", kind="scan", status="done"))
    assert made.post(made.vdr, "no.token.atall").status_code == 401
    assert made.session.post(made.ingress.url() + made.ssc.path, data="{", timeout=30,
                             headers={"Content-Type": "application/json"}).status_code == 401
    return made


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    made = Browser(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Kept where PICTURES says, to be looked at."""
    return Path(os.environ.get("PICTURES") or tmp_path_factory.mktemp("pictures"))


def page_of(browser, daemon, **how):
    browser.open(daemon.url("admin") + "/", **how)
    until(lambda: "ready" in browser.text("#ready"), "the page has read what it shows", 30)


def test_what_the_ingress_shows(site, browser):
    page_of(browser, site.ingress)
    shown = browser.text()
    assert "vulnbus-ingress" in shown and "version 0." in shown
    # Not, for a moment, when a broker under load was slow to answer.
    until(lambda: browser.text("#ready") == "ready", "it is ready", 30)
    vdr, ssc, silent = (browser.text(f"#source-{each.name}") for each in site.sources)
    assert "taegis-vdr" in vdr and "202: 3, 401: 1" in vdr
    assert "Last accepted:" in vdr and " ago" in vdr and "the last one was refused" in vdr
    assert "401" in vdr and "token signature: not 132 octets" in vdr
    assert "https://hooks.example.com/hooks/acme-vdr/<hook.secret>" in vdr
    assert "https://hooks.example.com/connectors/acme-vdr/<hook.secret>/delve.json" in vdr
    assert "<hook.app_secret>" in ssc and "Last accepted: never" in ssc
    assert "nothing yet" in silent
    assert browser.console() == []


def test_what_the_enricher_shows(site, browser):
    page_of(browser, site.enricher)
    vdr = browser.text("#source-acme-vdr")
    assert "vulnbus-enricher" in browser.text() and "events to be read" in browser.text()
    assert "Last enriched:" in vdr and "Waiting: 0" in vdr
    assert "Last failures" in vdr and "500" in vdr and "dead letters" in vdr
    assert "For the vendor" not in vdr
    assert browser.console() == []


def test_it_goes_on_by_itself(site, browser):
    page_of(browser, site.ingress)
    site.vdr.stub.scan("4")
    site.notify(site.vdr, id="4", kind="scan", status="done")
    until(lambda: "202: 4" in browser.text("#source-acme-vdr"), "the next one", 30)
    until(lambda: browser.run(
        "return document.querySelector('#source-acme-vdr polyline').getAttribute('points')"
        ".split(' ').length") > 2, "a plot", 30)
    peak = browser.run("""return Math.min(...document.querySelector('#source-acme-vdr polyline')
        .getAttribute('points').split(' ').map(point => Number(point.split(',')[1])))""")
    assert abs(peak - 4) < 0.01   # to the top of the plot, as far as floats go


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS.keys())
def test_it_can_be_read(site, browser, pictures, width, is_dark):
    for daemon in (site.ingress, site.enricher):
        page_of(browser, daemon, width=width, is_dark=is_dark)
        assert browser.run("return document.documentElement.scrollWidth") <= width
        paper, ink = (browser.run(f"return getComputedStyle(document.body).{name}")
                      for name in ("backgroundColor", "color"))
        light = [sum(map(int, each[4:-1].split(","))) for each in (paper, ink)]
        assert (light[0] < 150 and light[1] > 600) if is_dark else (light[0] > 700 and light[1] < 200)
        browser.picture(pictures / f"{daemon.program}-{width}-{'dark' if is_dark else 'light'}.png")


def test_there_is_nothing_secret_and_nothing_foreign(site, browser):
    for daemon in (site.ingress, site.enricher):
        page = requests.get(daemon.url("admin") + "/", timeout=10)
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        for outside in ("src=", "@import", "url("):
            assert outside not in page.text
        facts = requests.get(daemon.url("admin") + "/overview.json", timeout=10)
        assert facts.headers["Content-Type"] == "application/json"
        told = json.loads(facts.text)
        assert [each["name"] for each in told["sources"]] == [each.name for each in site.sources]
        for secret in (*(each.secret for each in site.sources), "an-app-secret-of-ours",
                       *(each.stub.token for each in site.sources)):
            assert secret not in page.text + facts.text


def test_no_other_script_runs_there(site, browser):
    text = site.session.get(site.ingress.url("admin") + "/", timeout=30).text
    script = re.search(r"<script>(.*?)</script>", text, re.S)[1].encode()
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text, "the policy names the script that is there"
    page_of(browser, site.ingress)
    title = browser.run("return document.title")
    browser.run("""const script = document.createElement("script");
        script.textContent = "document.title = 'taken over'";
        document.body.append(script);
        document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='document.title = 1'>")""")
    browser.run("return new Promise(done => setTimeout(done, 300))")
    assert browser.run("return document.title") == title
    assert any("Content Security Policy" in each for each in browser.console())


def test_a_reload_changes_what_is_told(site):
    site.settings["ingress"] = {"public_url": "https://other.example.com"}
    site.write()
    site.ingress.hang_up()
    until(lambda: "https://other.example.com/hooks/acme-vdr/" in requests.get(
        site.ingress.url("admin") + "/overview.json", timeout=10).text, "the new URL", 20)


def test_a_daemon_that_is_gone_is_said_to_be(site, browser):
    page_of(browser, site.enricher)
    site.enricher.stop()
    until(lambda: "no answer" in browser.text("#gone"), "it is said", 30)
    site.enricher.start()
