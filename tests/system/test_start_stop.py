# SPDX-License-Identifier: Apache-2.0
"""SIGTERM under full load: what was promised is kept, what was begun is answered or done again, and
the end comes in time."""

import itertools
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from daemons import Daemon, Source
from http_raw import Connection, request
from vendor import Csv, Reply
from waiting import until

CALLERS = 24
DRAIN_WITHIN = 4.0
ROWS = 10_000


# --- the ingress ---

class Caller(threading.Thread):
    """Calls without pause on one connection, with requests made before, until that ends."""

    def __init__(self, address, made):
        super().__init__(daemon=True)
        self.address = address
        self.made = made
        self.answers = []        # (number, status or None, when it was sent)
        self.start()

    def run(self):
        with Connection(self.address) as connection:
            for number, data in self.made:
                sent = time.monotonic()
                connection.send(data)
                answer = connection.answer()
                self.answers.append((number, answer and answer.status, sent))
                if answer is None:
                    return


def test_an_ingress_told_to_stop_under_full_load_keeps_what_it_promised(stack):
    source = Source()
    made = stack([source], {"ingress": {"drain_within": f"{DRAIN_WITHIN:g}s", "threads": 4}})
    made.start(enricher=False)
    numbers = itertools.count(1)

    def requests_of(_):
        """As many as a caller can need until the end."""
        return [(number, request(source.path, [
            "Authorization: Signed " + source.token(id=number, kind="scan", status="done")]))
            for number in (str(next(numbers)) for _ in range(250))]

    with ThreadPoolExecutor(4) as pool:
        ready = list(pool.map(requests_of, range(CALLERS)))
    callers = [Caller(made.ingress.address(), each) for each in ready]
    until(lambda: all(len(caller.answers) >= 30 for caller in callers), "full load")
    told = time.monotonic()
    made.ingress.terminate()
    code = made.ingress.wait(DRAIN_WITHIN + 10)
    took = time.monotonic() - told
    for caller in callers:
        caller.join(20)
    made.ingress.check_log()

    assert code == 0
    assert took <= DRAIN_WITHIN + 1
    answers = [answer for caller in callers for answer in caller.answers]
    assert {status for _, status, _ in answers} <= {202, 503, None}
    # Whoever had sent a request before has an answer; the connection ends only after it.
    assert not [answer for answer in answers if answer[1] is None and answer[2] < told]
    promised = {number for number, status, _ in answers if status == 202}
    made.tap.drain()
    written = [record.value["subject"]["id"] for record in made.tap.records["events"]]
    assert promised <= set(written)
    assert len(written) == len(set(written))


# --- the enricher ---

def second(made):
    """Another instance on the same topics."""
    config = made.folder / "two.yaml"
    config.write_text(made.config.read_text().replace("instance_id: one", "instance_id: two"))
    return Daemon("vulnbus-enricher", config, made.folder / "two.log")


def end(daemon, within):
    began = time.monotonic()
    daemon.terminate()
    code = daemon.wait(within + 10)
    assert code == 0
    assert time.monotonic() - began <= within + 1
    daemon.check_log()


def check_once(made, scans, exports, file):
    """Every scan enriched once, every row written once, and nothing given up."""
    made.tap.wait("scans", len(scans), 60)
    for name in exports:
        made.tap.wait("exports", 1, 60, event_id=name)
        made.tap.wait("export-rows", file.rows, 60, event_id=name)
    made.tap.drain()
    assert sorted(record.value["event_id"] for record in made.tap.records["scans"]) == sorted(scans)
    for name in exports:
        manifest = made.tap.one("exports", event_id=name).value
        assert (manifest["rows"], manifest["sha256"]) == (file.rows, file.sums[1])
        rows = [row.value for row in made.tap.find("export-rows", event_id=name)]
        assert [row["row"] for row in rows] == list(range(1, file.rows + 1))
        assert {row["generation"] for row in rows} == {manifest["generation"]} == {1}
    assert not made.tap.records["dead-letters"]


class Load(threading.Thread):
    """Scans one after the other, until told that it is enough."""

    def __init__(self, made, source):
        super().__init__(daemon=True)
        self.made = made
        self.source = source
        self.names = []
        self.enough = threading.Event()
        self.start()

    def run(self):
        for number in map(str, itertools.count(1)):
            if self.enough.wait(0.01):
                return
            self.source.stub.scan(number)
            self.names.append(
                self.made.notify(self.source, id=number, kind="scan", status="done"))

    def stop(self):
        self.enough.set()
        self.join(30)
        return self.names


def test_an_enricher_told_to_stop_amid_exports_and_scans_is_quick_and_goes_on(stack):
    source, slow = Source(), Source("slow-vdr")
    made = stack([source, slow], {"enricher": {"drain_within": f"{DRAIN_WITHIN:g}s",
                                               "batch_rows": 500}}).start()
    file = Csv(ROWS)
    exported = source.stub.export("212", file)
    exported.gate.open_to(0)
    exports = [made.notify(source, id="212", kind="export", status="done")]
    # Calls that are not answered for longer than it may take are under way all the time.
    slow.stub.mood = Reply(delay=20.0, body=b'{"status":"DONE"}')
    scans = [made.notify(slow, id=str(number), kind="scan", status="done") for number in range(8)]
    load = Load(made, source)
    for share in (0.3, 0.7):
        exported.gate.open_to(int(file.sums[0] * share))
        until(lambda: made.tap.length("export-rows") >= ROWS * share * 0.7, f"{share:.0%} of it", 30)
        end(made.enricher, DRAIN_WITHIN)
        exported.gate.cut()
        assert made.tap.length("exports") == 0
        made.enricher.start()
    exported.gate.open_to(None)
    slow.stub.mood = None
    slow.stub.down()     # who waits there is told at once
    slow.stub.up()
    check_once(made, scans + load.stop(), exports, file)


def test_a_rolling_restart_of_two_enrichers_under_load_repeats_nothing(stack):
    source = Source()
    made = stack([source], {"enricher": {"drain_within": f"{DRAIN_WITHIN:g}s", "batch_rows": 500},
                            "topics": {"partitions": 4}}).start()
    other = second(made)
    other.start(ready=False)
    file = Csv(ROWS)
    exports, files = [], []
    for number in ("1", "2"):
        files.append(source.stub.export(number, file))
        files[-1].gate.open_to(0)
        exports.append(made.notify(source, id=number, kind="export", status="done"))
    load = Load(made, source)
    try:
        until(lambda: other.ready() and made.enricher.ready(), "both at work", 30)
        for turn, daemon in enumerate([made.enricher, other], 1):
            for each in files:
                each.gate.open_to(int(file.sums[0] * turn * 0.3))
            until(lambda: made.tap.length("export-rows") >= 2 * ROWS * turn * 0.3 * 0.7,
                  "a part of the rows", 30)
            end(daemon, DRAIN_WITHIN)
            daemon.start()
        for each in files:
            each.gate.open_to(None)
        check_once(made, load.stop(), exports, file)
    finally:
        load.stop()
        other.stop()


def test_an_instance_frozen_with_answers_in_hand_commits_none_of_them(stack):
    """It sleeps past its session while others enrich its scans, and wakes up with all it needs."""
    source = Source()
    made = stack([source], {"enricher": {"transaction_timeout": "3s"}}).start()
    made.expect_errors("transaction|coordinator|fenc|producer|broker")
    source.stub.mood = Reply(delay=1.0, body=b'{"status":"DONE"}')
    scans = [made.notify(source, id=str(number), kind="scan", status="done") for number in range(8)]
    until(lambda: len([seen for seen in source.stub.seen if "/scans/" in seen.path]) == len(scans),
          "all asked for")
    frozen = made.enricher
    frozen.process.send_signal(signal.SIGSTOP)
    other = second(made)
    try:
        # The answers come while it is frozen: they are in its sockets when it wakes up.
        source.stub.mood = None
        for number in range(8):
            source.stub.scan(str(number))
        other.start()      # once the frozen one's session is over
        made.tap.wait("scans", len(scans), 30)
        frozen.process.send_signal(signal.SIGCONT)
        until(lambda: frozen.ready() or other.ready(), "they agree again", 30)
        scans.append(made.notify(source, id="100", kind="scan", status="failed"))
        made.tap.wait("scans", len(scans), 30)
        # And when it has gone on: an orderly end comes after all that it had in hand.
        end(frozen, 10)
        frozen.start(ready=False)
        check_once(made, scans, [], None)
    finally:
        frozen.process.send_signal(signal.SIGCONT)
        other.stop()
