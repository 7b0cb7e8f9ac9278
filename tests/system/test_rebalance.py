# SPDX-License-Identifier: Apache-2.0
"""Instances that join, leave, freeze and die while exports are under way: every row exactly once."""

import signal

import pytest

from daemons import Daemon, Source
from vendor import Csv
from waiting import until

ROWS = 30_000
EXPORTS = 4


@pytest.fixture(scope="module")
def file():
    made = Csv(ROWS)
    made.sums
    return made


def second(made):
    """Another instance on the same topics."""
    config = made.folder / "two.yaml"
    config.write_text(made.config.read_text().replace("instance_id: one", "instance_id: two"))
    return Daemon("vulnbus-enricher", config, made.folder / "two.log")


def begin(stack, file):
    source = Source()
    made = stack([source], {"enricher": {"batch_rows": 500, "transaction_timeout": "5s"}}).start()
    names, exports = [], []
    for number in range(EXPORTS):
        exported = source.stub.export(str(number), file)
        exported.gate.open_to(0)
        exports.append(exported)
        names.append(made.notify(source, id=str(number), kind="export", status="done"))
    return made, exports, names


def flow(exports, share):
    for exported in exports:
        exported.gate.open_to(None if share is None else int(exported.file.sums[0] * share))


def rows_reach(made, share):
    until(lambda: made.tap.length("export-rows") >= ROWS * EXPORTS * share,
          f"{share:.0%} of the rows", 90)


def check(made, names):
    for name in names:
        manifest = made.tap.one("exports", 120, event_id=name)
        # An open transaction of the frozen one hides what stands behind it until it times out;
        # the manifest is on another topic and may be seen first.
        made.tap.wait("export-rows", ROWS, 60, event_id=name)
        made.tap.drain(60)
        generation = manifest.value["generation"]
        rows = [row.value for row in made.tap.find("export-rows", event_id=name)]
        assert {row["generation"] for row in rows} == {generation} == {1}
        assert [row["row"] for row in rows] == list(range(1, ROWS + 1))
        assert len(made.tap.find("exports", event_id=name)) == 1
    assert not made.tap.records["dead-letters"]


@pytest.mark.timeout(240)
def test_an_instance_that_joins_and_one_that_leaves_repeat_nothing(stack, file):
    made, exports, names = begin(stack, file)
    made.expect_errors("transaction|coordinator|fenc|producer|broker")
    flow(exports, 0.3)
    rows_reach(made, 0.1)
    other = second(made)
    other.start()
    flow(exports, 0.6)
    rows_reach(made, 0.4)
    other.stop()
    flow(exports, None)
    check(made, names)


@pytest.mark.timeout(240)
def test_an_instance_that_freezes_past_its_session_commits_nothing_when_it_thaws(stack, file):
    made, exports, names = begin(stack, file)
    flow(exports, 0.3)
    rows_reach(made, 0.1)
    other = second(made)
    other.start(ready=False)
    frozen = made.enricher
    frozen.process.send_signal(signal.SIGSTOP)
    try:
        # Its session ends after 6 s, its transaction after 5: the other one takes all over.
        flow(exports, None)
        check(made, names)
    finally:
        frozen.process.send_signal(signal.SIGCONT)
    until(lambda: frozen.ready() or other.ready(), "they agree again", 60)
    made.tap.drain()
    assert made.tap.length("export-rows") >= ROWS * EXPORTS
    check(made, names)
    other.stop()
