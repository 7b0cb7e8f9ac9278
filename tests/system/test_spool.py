# SPDX-License-Identifier: Apache-2.0
"""The spool: Kafka is away, webhooks are answered 202 all the same, and nothing of them is lost."""

import os
import sqlite3
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from daemons import Daemon, Source, Stack
from waiting import until

ANSWER_WITHIN = 2.0


@pytest.fixture
def broker(own_broker):
    own_broker.ensure()
    yield own_broker
    own_broker.ensure()


@pytest.fixture
def site(broker, tmp_path):
    source = Source()
    made = Stack(broker, tmp_path / "stack", [source],
                 {"ingress": {"answer_within": f"{ANSWER_WITHIN:g}s",
                              "spool": {"path": str(tmp_path / "spool.db"), "max_size": "64MiB"}}})
    made.spool = tmp_path / "spool.db"
    made.source = source
    made.expect_errors()
    yield made
    broker.ensure()
    made.close()


class Load:
    """Callers that each send sequences of their own keys, one call after the other."""

    def __init__(self, site, callers=8, keys=4):
        self.site = site
        self.keys = keys
        self.answers = []       # (id, status, seconds)
        self.enough = threading.Event()
        self.pool = ThreadPoolExecutor(callers)
        self.callers = [self.pool.submit(self._run, n) for n in range(callers)]

    def _run(self, caller):
        session, turn = requests.Session(), 0
        source = self.site.source
        while not self.enough.is_set():
            turn += 1
            scan = f"{caller}{turn % self.keys}"
            token = source.token(id=scan, kind="scan", status="done", attemptNumber=turn)
            began = time.monotonic()
            try:
                status = session.post(self.site.ingress.url() + source.path, timeout=30,
                                      headers={"Authorization": f"Signed {token}"}).status_code
            except requests.RequestException:
                status = 0
                self.enough.wait(0.02)
            self.answers.append((f"{source.name}:scan:{scan}:{turn}:done", status,
                                 time.monotonic() - began))

    def acked(self):
        return [name for name, status, _ in self.answers if status == 202]

    def stop(self):
        self.enough.set()
        for caller in self.callers:
            caller.result(60)
        return self.answers


def firsts(site):
    """By key: the ids on the events topic, in the order of their first appearance."""
    site.tap.drain()
    order = {}
    for record in sorted(site.tap.records["events"], key=lambda r: (r.partition, r.offset)):
        ids = order.setdefault(record.key, [])
        if record.value["id"] not in ids:
            ids.append(record.value["id"])
    return order


def check(site, acked, expected_order=True):
    """Everything acknowledged is on the topic; of each key in the order it was sent."""
    until(lambda: site.ingress.metric("vulnbus_spool_events") == 0, "the spool is drained", 60)
    order = firsts(site)
    written = {name for names in order.values() for name in names}
    assert set(acked) <= written, sorted(set(acked) - written)[:10]
    if expected_order:
        for key, names in order.items():
            mine = [name for name in names if name in set(acked)]
            assert mine == sorted(mine, key=lambda name: int(name.split(":")[3])), key


@pytest.mark.timeout(300)
def test_ten_thousand_in_an_outage_survive_a_kill_and_keep_their_order(site, broker):
    site.ingress.start()
    broker.kill()
    until(lambda: site.ingress.metric("vulnbus_kafka_up") == 0, "it knows", 20)
    assert site.ingress.ready(), "with room in the spool it can take work"
    load = Load(site)
    until(lambda: len(load.acked()) >= 10_000, "10,000 answers", 200)
    answers = load.stop()
    acked = load.acked()
    assert {status for _, status, _ in answers} == {202}
    assert max(took for _, _, took in answers) <= ANSWER_WITHIN + 0.5
    assert site.ingress.metric("vulnbus_spool_bytes") > 10_000 * 300
    until(lambda: site.ingress.metric("vulnbus_spool_events") == len(acked), "all in the file", 10)
    site.ingress.kill()
    site.ingress.start(ready=False)
    until(lambda: site.ingress.metric("vulnbus_spool_events") == len(acked), "still there", 10)
    until(lambda: site.ingress.metric("vulnbus_spool_oldest_age_seconds") > 0, "it has an age", 10)
    broker.start()
    check(site, acked)


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_an_outage_in_the_middle_of_the_load_refuses_nobody(site, broker, how):
    site.start()
    load = Load(site, 4)
    until(lambda: len(load.acked()) > 200, "200 before")
    getattr(broker, how)()
    count = len(load.acked())
    until(lambda: len(load.acked()) > count + 200, "and 200 more without Kafka")
    broker.thaw() if how == "freeze" else broker.start()
    until(lambda: site.ingress.metric("vulnbus_kafka_up") == 1, "Kafka is back", 60)
    until(lambda: site.ingress.metric("vulnbus_spool_events") == 0, "drained under load", 60)
    stored = site.ingress.metric("vulnbus_spooled_total")
    count = len(load.acked())
    until(lambda: len(load.acked()) > count + 200, "200 after")
    assert site.ingress.metric("vulnbus_spooled_total") - stored < 50, "straight to Kafka again"
    answers = load.stop()
    assert {status for _, status, _ in answers} == {202}
    assert max(took for _, _, took in answers) <= ANSWER_WITHIN + 0.5
    check(site, load.acked())
    # Twice on the topic is allowed, enriched twice is not.
    until(lambda: site.tap.drain() or len(site.tap.records["scans"]) +
          len(site.tap.records["dead-letters"]) >= len(set(load.acked())), "all enriched", 90, 0.5)
    names = [record.value["event_id"] for record in site.tap.records["scans"]]
    assert len(names) == len(set(names))


def test_a_stop_in_an_outage_answers_and_keeps(site, broker):
    site.ingress.start()
    broker.freeze()
    load = Load(site, 4)
    until(lambda: len(load.acked()) > 50, "some are spooled")
    site.ingress.terminate()
    code = site.ingress.wait()
    load.stop()
    assert code == 0
    broker.thaw()
    site.ingress.start()
    check(site, load.acked())


def test_a_spooled_event_keeps_its_trace(site, broker):
    site.ingress.start()
    broker.freeze()
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    token = site.source.token(id="1", kind="scan", status="done")
    assert site.post(site.source, token, traceparent=given).status_code == 202
    broker.thaw()
    headers = site.tap.one("events", id=f"{site.source.name}:scan:1:0:done").headers
    assert headers["traceparent"].startswith(given[:36])
    assert headers["ce_traceparent"] == given


def test_many_webhooks_share_one_commit(site, broker):
    site.ingress.start()
    broker.kill()
    until(lambda: site.ingress.metric("vulnbus_kafka_up") == 0, "it knows", 20)
    tracer = subprocess.Popen(
        ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", str(site.folder / "strace"),
         "-p", str(site.ingress.process.pid)], stderr=subprocess.PIPE)
    assert b"attached" in tracer.stderr.readline()
    load = Load(site, 16)
    until(lambda: len(load.acked()) > 500, "500 answers", 60)
    load.stop()
    tracer.terminate()
    tracer.wait(10)
    text = (site.folder / "strace").read_text()
    syncs = sum(int(line.split()[3]) for line in text.splitlines() if "sync" in line)
    assert 0 < syncs < len(load.acked()) * 0.75, text
    broker.start()
    check(site, load.acked())


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
    return ballast


def test_a_full_disk_is_a_503_and_nothing_is_half_written(site, broker, small_disk):
    site.settings["ingress"]["spool"]["path"] = str(small_disk / "spool.db")
    site.write()
    site.ingress.start()
    broker.kill()
    until(lambda: site.ingress.metric("vulnbus_kafka_up") == 0, "it knows", 20)
    load = Load(site, 4)
    until(lambda: len(load.acked()) > 100, "100 before")
    ballast = fill(small_disk)
    until(lambda: load.answers[-1][1] == 503, "503 when the disk is full", 30)
    until(lambda: not site.ingress.ready(), "not ready either", 10)
    refused = len(load.answers)
    until(lambda: len(load.answers) > refused + 20, "503 at once")
    ballast.unlink()
    until(lambda: load.answers[-1][1] == 202, "202 when there is room", 30)
    answers = load.stop()
    assert {status for _, status, _ in answers} <= {202, 503}
    assert max(took for _, _, took in answers) <= ANSWER_WITHIN + 0.5
    site.ingress.kill()
    with sqlite3.connect(small_disk / "spool.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM spool").fetchone()[0] == len(load.acked())
    database.close()
    broker.start()
    site.ingress.start()
    check(site, load.acked())


def test_max_size_is_a_503_and_room_again_after_the_outage(site, broker):
    site.settings["ingress"]["spool"]["max_size"] = "1MiB"
    site.write()
    site.ingress.start()
    broker.kill()
    load = Load(site, 4)
    until(lambda: load.answers and load.answers[-1][1] == 503, "full", 60)
    assert site.spool.stat().st_size <= 1 << 20
    broker.start()
    until(lambda: load.answers[-1][1] == 202, "202 again", 60)
    load.stop()
    check(site, load.acked())


BAD_FILES = {
    "text": lambda path: path.write_text("kept since 1987\n" * 100),
    "short": lambda path: path.write_bytes(b"SQLite format 3\0"),
    "foreign": lambda path: sqlite3.connect(path, isolation_level=None).execute(
        "CREATE TABLE addresses (name TEXT)"),
    "newer": lambda path: sqlite3.connect(path, isolation_level=None).executescript(
        "CREATE TABLE spool (id); PRAGMA application_id = 0x564e4253; PRAGMA user_version = 99"),
}


def damage(path):
    data = bytearray(path.read_bytes())
    for at in range(4096, len(data), 512):
        data[at:at + 64] = os.urandom(64)
    path.write_bytes(data)


def not_started(daemon):
    return [line["error.message"] for line in daemon.lines()
            if line["message"] == "not started"][-1]


def must_refuse(site, path, word):
    before = {each.name: each.read_bytes() for each in path.parent.glob(path.name + "*")}
    with pytest.raises(AssertionError, match="ended with 78"):
        site.ingress.start()
    site.ingress.process = None
    Daemon.alive.remove(site.ingress)
    why = not_started(site.ingress)
    assert f"ingress.spool.path: {path}: " in why and word in why
    after = {each.name: each.read_bytes() for each in path.parent.glob(path.name + "*")}
    assert before.items() <= after.items()
    assert not any(after[name] for name in after.keys() - before.keys())


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_that_is_no_spool_is_refused_and_left_as_it_is(site, kind):
    BAD_FILES[kind](site.spool)
    must_refuse(site, site.spool, "format 99" if kind == "newer" else "not a spool")


def test_a_damaged_spool_is_refused_and_left_as_it_is(site, broker):
    site.ingress.start()
    broker.kill()
    load = Load(site, 4)
    until(lambda: len(load.acked()) > 300, "300 are spooled", 60)
    site.ingress.stop()
    load.stop()
    whole = site.spool.read_bytes()
    damage(site.spool)
    must_refuse(site, site.spool, "damaged")
    site.spool.write_bytes(whole)   # from a backup
    broker.start()
    site.ingress.start()
    check(site, load.acked())


def test_two_processes_do_not_share_a_spool(site):
    site.ingress.start()
    other = Daemon("vulnbus-ingress", site.config, site.folder / "other.log")
    with pytest.raises(AssertionError, match="ended with 69"):
        other.start()
    other.process = None
    Daemon.alive.remove(other)
    assert "locked" in not_started(other)
    assert site.notify(site.source, id="1", kind="scan", status="done")
