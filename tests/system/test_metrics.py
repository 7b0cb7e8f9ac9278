# SPDX-License-Identifier: Apache-2.0
"""How vulnbus is seen: metrics of the real daemons; and that alerts and dashboard ask for what there is."""

import json
import re
import secrets
import shutil
import sys
import time

import pytest

from daemons import BUILD, Source
from http_raw import exchange, request
from kafka import ROOT
from vendor import Csv, Reply, Vendor
from waiting import until

sys.path.insert(0, str(ROOT / "tests/deploy"))

import monitoring  # noqa: E402

PROMTOOL = shutil.which("promtool") or ROOT / "build/promtool"   # make build/promtool
SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
STATISTICS_EVERY = 5.0   # bridge/net/kafka_statistics.c


class Page:
    """One reading of /metrics."""

    def __init__(self, daemon):
        answer = daemon.admin("/metrics")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        self.text = answer.text
        self.types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", self.text, re.M))
        self.samples = {}        # (name, labels) -> value
        for line in self.text.splitlines():
            if not line.startswith("#"):
                name, labels, value = SAMPLE.fullmatch(line).groups()
                labels = tuple(re.findall(r'(\w+)="([^"]*)"', labels or ""))
                assert (name, labels) not in self.samples, f"twice: {line}"
                self.samples[name, labels] = float(value)

    @property
    def series(self):
        return set(self.samples)

    def sum(self, name, **labels):
        return sum(value for (each, has), value in self.samples.items()
                   if each == name and labels.items() <= dict(has).items())

    def has(self, name, matchers=()):
        """Is there a series that this PromQL selector would find?"""
        def fits(has, label, operator, value):
            text = has.get(label, "")
            found = re.fullmatch(value, text) is not None if "~" in operator else text == value
            return found == (not operator.startswith("!"))
        return any(each == name and all(fits(dict(has), *matcher) for matcher in matchers)
                   for each, has in self.samples)


def probely(event_type, **more):
    return {"id": secrets.token_urlsafe(9), "event_type": event_type,
            "object_type": event_type.partition("_")[0], "content": {"id": "t1", **more},
            "occurred_at": "2024-09-11T15:51:56.221238Z",
            "webhooks": [{"id": "w1", "api_version": "v1", "status": "scheduled", "retries": 0}]}


def counted(daemon, name, least, within=20, **labels):
    """Waits until the series add up to so many."""
    until(lambda: daemon.metric(name, **labels) >= least, f"{least} {name} {labels}", within)


def post_json(made, source, document, path=None):
    return made.session.post(made.ingress.url() + (path or source.path), data=json.dumps(document),
                             headers={"Content-Type": "application/json"}, timeout=30)


@pytest.fixture(scope="module")
def shop(module_stack, tmp_path_factory):
    """Both daemons, with a spool, after a little of everything."""
    spool = {"path": str(tmp_path_factory.mktemp("spool") / "spool.db"), "max_size": "16MiB"}
    made = module_stack([Source("acme-vdr"), Source("web", "probely", Vendor(word="JWT"))],
                        {"ingress": {"max_body": "64KiB", "spool": spool}})
    made.vdr, made.web = made.sources
    made.start()
    made.vdr.stub.scan("1")
    made.vdr.stub.export("2", Csv(25))
    made.vdr.stub.script("/api/v2/scans/1", Reply(500))
    made.notify(made.vdr, id="1", kind="scan", status="done")
    made.notify(made.vdr, id="2", kind="export", status="done")
    made.notify(made.vdr, id="1", kind="scan", status="done")     # again
    assert post_json(made, made.web, probely("something_new")).status_code == 202
    assert made.post(made.vdr, "no.such.token").status_code == 401
    counted(made.enricher, "vulnbus_events_done_total", 2, 30, outcome="enriched")
    counted(made.enricher, "vulnbus_events_taken_total", 1, outcome="duplicate")
    for daemon, clients in (made.ingress, ["producer"]), (made.enricher, ["producer", "consumer"]):
        for client in clients:
            counted(daemon, "vulnbus_kafka_brokers", 1, 3 * STATISTICS_EVERY, client=client, state="up")
    return made


def both(shop):
    return {"ingress": Page(shop.ingress), "enricher": Page(shop.enricher)}


# --- the metrics ---

def test_promtool_finds_nothing_wrong_with_them(shop):
    for name, page in both(shop).items():
        made = monitoring.promtool(PROMTOOL, "check", "metrics", input=page.text)
        assert (made.returncode, made.stdout + made.stderr) == (0, ""), (name, made.stdout, made.stderr)


def test_the_table_is_what_the_daemons_print(shop):
    """deploy/metrics.md names each metric of both, with type, labels and their values; and no other."""
    rows = monitoring.table(monitoring.TABLE.read_text())
    for daemon, page in both(shop).items():
        expected = {name for name, row in rows.items() if row[1] in (daemon, "both")}
        if daemon == "enricher":
            assert {("client", "producer"), ("client", "consumer")} <= {
                label for name, labels in page.series for label in labels}
        assert page.types == {name: rows[name][0] for name in expected}, daemon
        histograms = {name for name in expected if rows[name][0] == "histogram"}
        for name, labels in page.series:
            _, _, names, words = rows[monitoring.base_name(name, histograms)]
            names = [*names, *(["le"] if name.endswith("_bucket") else [])]
            assert [label for label, _ in labels] == names, name
            if words:
                assert labels[-1][1] in words, (name, labels)


def test_what_was_done_is_counted(shop):
    ingress, enricher = both(shop).values()
    vdr, web = shop.vdr.name, shop.web.name
    assert ingress.sum("vulnbus_webhooks_total", source=vdr, code="202") == 3
    assert ingress.sum("vulnbus_webhooks_total", source=vdr, code="401") == 1
    assert ingress.sum("vulnbus_answer_duration_seconds_count") == ingress.sum("vulnbus_webhooks_total")
    assert ingress.sum("vulnbus_delivery_duration_seconds_count") == 4
    assert 0 < ingress.sum("vulnbus_delivery_duration_seconds_sum") < 60
    assert ingress.sum("vulnbus_dead_letters_total", source=web, stage="normalise") == 1
    assert ingress.sum("vulnbus_dead_letters_total") == 1
    assert ingress.sum("vulnbus_spool_max_bytes") == 16 << 20
    assert ingress.sum("vulnbus_keys", source=vdr) == 1
    assert not ingress.has("vulnbus_keys", [("source", "=", web)]), "it signs nothing"
    assert abs(ingress.sum("vulnbus_key_timestamp_seconds", source=vdr) - time.time()) < 300
    assert enricher.sum("vulnbus_events_taken_total", source=vdr, outcome="new") == 2
    assert enricher.sum("vulnbus_events_taken_total", source=vdr, outcome="duplicate") == 1
    assert enricher.sum("vulnbus_api_calls_total", source=vdr, code="500") == 1
    assert enricher.sum("vulnbus_api_calls_total", source=vdr, code="200") >= 3
    assert enricher.sum("vulnbus_export_rows_total", source=vdr) == 25
    assert enricher.sum("vulnbus_transactions_total", outcome="committed") > 0
    assert enricher.sum("vulnbus_delivery_duration_seconds_count") > 25
    assert enricher.sum("vulnbus_partitions") == enricher.sum("vulnbus_partitions_assigned") == 3
    assert enricher.sum("vulnbus_events_waiting") == enricher.sum("vulnbus_consumer_lag_records") == 0
    for page in ingress, enricher:
        assert page.sum("vulnbus_ready") == page.sum("vulnbus_kafka_up") == 1


def test_librdkafka_and_the_process_are_seen(shop):
    for daemon in shop.ingress, shop.enricher:
        counted(daemon, "vulnbus_kafka_sent_records_total", 4, 2 * STATISTICS_EVERY)
        page = Page(daemon)
        assert page.sum("vulnbus_kafka_brokers", client="producer", state="up") == 1
        assert page.sum("vulnbus_kafka_queue_records") == 0
        assert 0 < page.sum("vulnbus_kafka_rtt_seconds", client="producer", statistic="p99") < 60
        assert 0 < page.sum("process_cpu_seconds_total") < 60
        assert 1 << 20 < page.sum("process_resident_memory_bytes") < 1 << 30
        open_files = len(list((ROOT / f"/proc/{daemon.process.pid}/fd").iterdir()))
        assert abs(page.sum("process_open_fds") - open_files) <= 8
        assert page.sum("process_max_fds") >= page.sum("process_open_fds")
        assert 0 < time.time() - page.sum("process_start_time_seconds") < 600
    assert Page(shop.enricher).sum("vulnbus_kafka_received_records_total", client="consumer") >= 3


def throw_junk(shop, seed):
    """At every door that strangers have, another text each time. All of it is answered, none with a 5xx."""
    vdr, address = shop.vdr, shop.ingress.address()
    answers = [
        exchange(address, request(f"/hooks/{seed}/{vdr.secret}")),
        exchange(address, request(f"/hooks/{vdr.name}/{seed}")),
        exchange(address, request(f"/{seed}?{seed}={seed}", method="GET")),
        exchange(address, request(vdr.path, method=f"X{seed}"[:12].upper())),
        exchange(address, request(f"/connectors/{seed}/{vdr.secret}/delve.json", method="GET")),
        exchange(address, request(vdr.path, [f"Authorization: Signed {seed}", f"X-Signature: '{seed}'"])),
        exchange(address, request(shop.web.path, [f"Content-Type: {seed}/x"], b"{}")),
        exchange(address, request(shop.web.path, ["Content-Type: application/json"], seed.encode())),
        exchange(address, request(shop.web.path, [], b"x" * 70_000)),
        exchange(address, request(vdr.path, [f"{seed}: " + "x" * 34_000])),
    ]
    assert all(answer and 400 <= answer.status < 500 for answer in answers), answers
    assert post_json(shop, shop.web, probely(f"{seed}_{seed}", name=seed)).status_code == 202
    shop.post(vdr, vdr.token(id=seed, kind=seed, status=seed))


def test_junk_makes_no_series(shop):
    """Sources, paths, methods, headers, kinds at the ingress; statuses of the vendor's API."""
    before = {name: page.series for name, page in both(shop).items()}
    asked = len(shop.vdr.stub.seen)
    for number in range(5):
        throw_junk(shop, secrets.token_hex(8))
    codes = [418, 299, 599, 799, 451, 226, 999]
    for code in codes:
        shop.vdr.stub.script(f"/api/v2/scans/{code}", Reply(code))
        shop.vdr.stub.scan(str(code))
        shop.notify(shop.vdr, id=str(code), kind="scan", status="done")
    counted(shop.enricher, "vulnbus_api_calls_total", len(codes), 30, code="other")
    assert {seen.status for seen in shop.vdr.stub.seen[asked:]} >= set(codes)
    after = both(shop)
    for name, page in after.items():
        assert page.series == before[name], page.series ^ before[name]
    assert after["ingress"].sum("vulnbus_webhooks_total", source="", code="404") >= 20
    assert after["ingress"].sum("vulnbus_webhooks_total", code="405") == 5
    assert after["ingress"].sum("vulnbus_webhooks_total", code="413") == 5
    assert after["ingress"].sum("vulnbus_webhooks_total", code="431") == 5


# --- what changes ---

def test_lag_and_waiting_are_seen_by_those_who_are_behind(stack):
    """Two may wait, ten came: the rest stays on the topic until the vendor answers."""
    source, other = Source(), Source("other-vdr")
    made = stack([source, other], {"enricher": {"max_waiting": 2}}).start()
    source.stub.mood = Reply(503)
    for number in range(10):
        source.stub.scan(str(number))
        made.notify(source, id=str(number), kind="scan", status="done")
        counted(made.enricher, "vulnbus_events_waiting", min(number, 2), source=source.name)
    lag = until(lambda: made.enricher.metric("vulnbus_consumer_lag_records"), "it lags", 20)
    page = Page(made.enricher)
    taken = page.sum("vulnbus_events_taken_total", source=source.name)
    assert taken < 10 and lag == 10 - taken
    assert page.sum("vulnbus_events_waiting_max") == 2
    assert page.sum("vulnbus_events_waiting", source=other.name) == 0
    source.stub.mood = None
    until(lambda: made.enricher.metric("vulnbus_events_done_total") == 10, "all done", 40)
    until(lambda: made.enricher.metric("vulnbus_consumer_lag_records") == 0, "and no lag", 20)


def test_a_source_that_has_to_wait_is_counted(stack):
    slow = Source("slow-vdr", settings={"api": {"calls_per_hour": 60}})
    told = Source("told-vdr")
    made = stack([slow, told]).start()
    told.stub.scan("1")
    told.stub.script("/api/v2/scans/1", Reply(429, {"Retry-After": "1"}))
    made.notify(told, id="1", kind="scan", status="done")
    for number in "1", "2", "3":
        slow.stub.scan(number)
        made.notify(slow, id=number, kind="scan", status="done")
    counted(made.enricher, "vulnbus_api_waits_total", 1, source=told.name, reason="retry-after")
    counted(made.enricher, "vulnbus_api_waits_total", 1, source=slow.name, reason="budget")
    assert made.enricher.metric("vulnbus_api_waits_total", source=told.name, reason="budget") == 0


def test_dead_letters_are_counted_where_they_are_written(stack):
    source = Source()
    made = stack([source], {"enricher": {"give_up_after": "1s"}}).start()
    made.enricher.expect_errors()
    source.stub.mood = Reply(500)
    made.notify(source, id="1", kind="scan", status="done")
    counted(made.enricher, "vulnbus_dead_letters_total", 1, source=source.name, stage="fetch")
    made.tap.drain()
    assert len(made.tap.records["dead-letters"]) == 1


def test_a_missing_key_is_a_nought(stack):
    source = Source()
    source.stub.script(source.stub.key_path, *[Reply(503)] * 2)
    made = stack([source])
    made.ingress.start(ready=False)
    page = Page(made.ingress)
    assert page.has("vulnbus_keys", [("source", "=", source.name)]) and page.sum("vulnbus_keys") == 0
    assert page.sum("vulnbus_ready") == 0
    until(lambda: made.ingress.metric("vulnbus_keys") == 1, "fetched", 20)
    page = Page(made.ingress)
    assert page.sum("vulnbus_key_fetches_total", outcome="failed") == 2
    fetched = page.sum("vulnbus_key_timestamp_seconds")
    assert abs(fetched - time.time()) < 30
    made.ingress.stop()
    source.stub.always(source.stub.key_path, Reply(503))
    made.ingress.start()
    page = Page(made.ingress)
    assert page.sum("vulnbus_keys") == 1, "kept on the disk"
    assert abs(page.sum("vulnbus_key_timestamp_seconds") - fetched) < 2, "as old as it was"


def test_a_reload_is_seen(stack):
    stays, goes = Source("stays-vdr"), Source("goes-vdr")
    made = stack([stays, goes]).start()
    daemons = made.ingress, made.enricher
    since = [Page(each).sum("vulnbus_config_last_reload_success_timestamp_seconds") for each in daemons]
    for daemon, at in zip(daemons, since):
        assert daemon.metric("vulnbus_config_last_reload_successful") == 1
        assert abs(at - time.time()) < 60

    good = made.config.read_text()
    made.config.write_text(good + "\nnonsense: 1\n")
    for daemon, at in zip(daemons, since):
        daemon.hang_up()
        until(lambda: daemon.metric("vulnbus_config_last_reload_successful") == 0, "refused")
        assert daemon.metric("vulnbus_config_last_reload_success_timestamp_seconds") == at

    made.sources = [stays, Source("comes-vdr")]
    made.write()
    for daemon, at, gauge in zip(daemons, since, ("vulnbus_keys", "vulnbus_source_authorised")):
        daemon.hang_up()
        until(lambda: daemon.metric("vulnbus_config_last_reload_successful") == 1, "taken")
        assert daemon.metric("vulnbus_config_last_reload_success_timestamp_seconds") > at
        counted(daemon, gauge, 1, source="comes-vdr")
        assert not Page(daemon).has(gauge, [("source", "=", "goes-vdr")]), "no alert of what is gone"
    comes = [("source", "=", "comes-vdr"), ("code", "=", "503")]
    assert Page(made.ingress).has("vulnbus_webhooks_total", comes)
    goes.stub.down()


def test_a_refused_configuration_changes_no_figure_of_the_one_in_force(stack):
    """Its first source is elsewhere and would have no key; its second one cannot be taken."""
    source = Source()
    made = stack([source])
    made.ingress.start()
    (made.folder / "broken.pem").write_text("no key\n")
    source.settings = {"base_url": "http://127.0.0.1:9"}
    made.sources = [source, Source("other-vdr", settings={
        "signature": {"key_files": [str(made.folder / "broken.pem")]}})]
    made.write()
    made.ingress.hang_up()
    until(lambda: made.ingress.metric("vulnbus_config_last_reload_successful") == 0, "refused")
    page = Page(made.ingress)
    assert page.sum("vulnbus_keys", source=source.name) == page.sum("vulnbus_ready") == 1
    assert not page.has("vulnbus_keys", [("source", "=", "other-vdr")])


# --- what asks for them ---

def asked():
    for name, alert in monitoring.alerts().items():
        yield name, alert["expr"]
    yield from monitoring.queries()


def test_alerts_and_dashboard_ask_for_what_is_there(shop):
    """Every selector finds a series of one of the daemons, as they are now."""
    pages = list(both(shop).values())
    labels = {label for page in pages for _, has in page.series for label, _ in has}
    labels |= monitoring.TARGET_LABELS
    count = 0
    for where, text in asked():
        query = monitoring.Query(text)
        assert query.labels <= labels, (where, query.labels - labels)
        assert query.selectors, where
        for metric, matchers in query.selectors:
            if metric in monitoring.OF_PROMETHEUS:
                continue
            matchers = [each for each in matchers if each[0] not in monitoring.TARGET_LABELS]
            assert any(page.has(metric, matchers) for page in pages), (where, metric, matchers)
            count += 1
    assert count > 80


def test_the_dashboard_shows_every_metric(shop):
    """Or an alert asks for it: none is there for nobody."""
    types = {name: kind for page in both(shop).values() for name, kind in page.types.items()}
    histograms = {name for name, kind in types.items() if kind == "histogram"}
    wanted = {monitoring.base_name(metric, histograms) for _, text in asked()
              for metric, _ in monitoring.Query(text).selectors}
    assert types.keys() <= wanted


def test_the_checks_of_deploy_are_clean():
    check = monitoring.Check(PROMTOOL, BUILD / "vulnbus")
    assert check.everything() == []


@pytest.mark.parametrize("query, wrong", [
    ("rate(vulnbus_webhook_total[5m])", "no metric vulnbus_webhook_total"),
    ('vulnbus_webhooks_total{sourze="a"}', "vulnbus_webhooks_total has no label sourze"),
    ('vulnbus_webhooks_total{code=~"503|504"}', "vulnbus_webhooks_total: code is never 504"),
    ("sum by (sauce) (vulnbus_keys)", "groups by sauce"),
    ("rate(vulnbus_answer_duration_seconds_max[5m])", "no metric vulnbus_answer_duration_seconds_max"),
])
def test_a_query_for_what_is_not_there_is_found(query, wrong):
    rows = monitoring.table(monitoring.TABLE.read_text())
    assert monitoring.wrong_names(query, rows) == [wrong]
