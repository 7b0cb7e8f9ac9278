# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the enricher in the middle of a large export, again and again: every row exactly once."""

import time

import pytest

from daemons import Source
from vendor import SEVERITIES, Csv
from waiting import until

ROWS = 100_000
SCANS = 60


@pytest.fixture(scope="module")
def file():
    made = Csv(ROWS, bom=True)
    made.sums   # made once, before any clock runs
    return made


def check_rows(stack, name, file):
    """All rows once and in order, one manifest, and it is right."""
    manifest = stack.tap.one("exports", 240, event_id=name)
    stack.tap.drain(120)
    rows = stack.tap.find("export-rows", event_id=name)
    assert [row.value["row"] for row in rows] == list(range(1, ROWS + 1))
    assert {row.value["generation"] for row in rows} == {1}
    assert len({row.partition for row in rows}) == 1
    for row in rows:
        fields = file.fields(row.value["row"])
        assert row.value["fields"] == fields
        assert row.value["severity"] == SEVERITIES[fields["severity"]]
        assert row.value["id"] == f"{name}/row/1/{row.value['row']}"
    assert len(stack.tap.find("exports", event_id=name)) == 1
    value = manifest.value
    assert (value["rows"], value["bytes"], value["sha256"]) == (ROWS, *file.sums)
    assert value["generation"] == 1
    assert not stack.tap.records["dead-letters"]


@pytest.mark.timeout(300)
def test_an_export_of_100_000_rows_is_complete_and_in_order(stack, file):
    source = Source()
    made = stack([source]).start()
    source.stub.export("212", file)
    name = made.notify(source, id="212", kind="export", status="done")
    check_rows(made, name, file)


# --- the moments at which it dies ---

class Moments:
    """Each waits for its moment. The file never flows further than a little beyond it, so
    that the export cannot be finished before."""

    def __init__(self, stack, export, stub):
        self.stack = stack
        self.export = export
        self.stub = stub

    def open_to(self, share):
        limit = int(self.export.file.sums[0] * share)
        self.export.gate.open_to(limit)
        return limit

    def asked(self):
        """When the export is first asked for, before there is an answer."""
        until(lambda: self.stub.calls("/api/v2/exports/212"), "asked for the export")

    def pending(self):
        """While the vendor is still making the file."""
        before = len(self.stub.calls("/api/v2/exports/212"))
        until(lambda: len(self.stub.calls("/api/v2/exports/212")) >= before + 2, "asked again")

    def served(self, share):
        """When that share of the file went out, and the rest is held back."""
        limit = self.open_to(share)
        until(lambda: self.export.gate.served >= limit, f"{share:.0%} of the file served", 60)

    def committed(self, share):
        """As soon as that share of the rows can be read, and the file flows on."""
        self.open_to(share + 0.1)
        until(lambda: self.stack.tap.length("export-rows") >= ROWS * share,
              f"{share:.0%} of the rows committed", 60)

    def elapsed(self, seconds, share):
        """Some time after it was ready, whatever it does."""
        self.open_to(share)
        end = time.monotonic() + seconds
        until(lambda: time.monotonic() >= end, "time")

    def whole(self):
        """When the last byte of the file went out: the manifest is about to come."""
        self.export.gate.open_to(None)
        until(lambda: self.export.gate.served >= self.export.file.sums[0], "all served", 90)


KILLS = [
    ("asked",), ("pending",), ("served", 0.02), ("served", 0.1), ("elapsed", 0.05, 0.2),
    ("committed", 0.15), ("elapsed", 0.3, 0.35), ("served", 0.4), ("committed", 0.45),
    ("elapsed", 0.15, 0.6), ("committed", 0.6), ("served", 0.8), ("committed", 0.85), ("whole",),
]


@pytest.mark.timeout(480)
def test_killed_at_many_moments_it_loses_no_row_and_repeats_none(stack, file):
    source = Source()
    made = stack([source], {"enricher": {"batch_rows": 1000}}).start()
    # A killed predecessor leaves connections and transactions behind; that may be called an error.
    made.enricher.expect_errors("transaction|coordinator|fenc|producer|broker")
    export = source.stub.export("212", file, pending=6)
    export.gate.open_to(0)
    moments = Moments(made, export, source.stub)
    for number in range(SCANS):
        source.stub.scan(str(number))
    name = made.notify(source, id="212", kind="export", status="done")
    scans = set()

    for turn, (moment, *arguments) in enumerate(KILLS):
        for number in range(turn * SCANS // len(KILLS), (turn + 1) * SCANS // len(KILLS)):
            scans.add(made.notify(source, id=str(number), kind="scan", status="done"))
        getattr(moments, moment)(*arguments)
        made.enricher.kill()
        export.gate.cut()
        if moment != "whole":
            assert made.tap.length("exports") == 0, "too late: the export was done"
        made.enricher.start()

    export.gate.open_to(None)
    check_rows(made, name, file)
    made.tap.wait("scans", len(scans), 60)
    made.tap.drain()
    enriched = [record.value["event_id"] for record in made.tap.records["scans"]]
    assert sorted(enriched) == sorted(scans)
    pid = made.enricher.process.pid
    made.enricher.stop()
    # Once more from the start: what is done stays done.
    made.enricher.start()
    assert made.enricher.process.pid != pid
    last = made.notify(source, id="0", kind="scan", status="failed")
    made.tap.one("scans", 30, event_id=last)
    made.tap.drain()
    assert len(made.tap.find("export-rows", event_id=name)) == ROWS
    assert len(made.tap.records["exports"]) == 1
    assert len(made.tap.records["scans"]) == len(scans) + 1
