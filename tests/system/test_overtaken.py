# SPDX-License-Identifier: Apache-2.0
"""A broker refuses the first batch of a partition and takes the one that was sent behind it, as it
happens on topics just made and after elections. librdkafka then reports the first one as written
("implicit ack"), which it is not: a broker that knows nothing of a producer takes any batch."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

import kafka
from daemons import Source, Stack
from proxy import DUPLICATE_SEQUENCE, NOT_LEADER, broker_behind
from vendor import Csv
from waiting import until

pytestmark = pytest.mark.skipif(bool(kafka.foreign()), reason="needs a proxy before its broker")

# Several is librdkafka's way, one is that of a producer with a spool. Small batches, so that there
# is one behind the first.
SEVERAL_AT_ONCE = {"batch.num.messages": "10", "max.in.flight.requests.per.connection": "5"}
ONE_AFTER_THE_OTHER = SEVERAL_AT_ONCE | {"max.in.flight.requests.per.connection": "1"}
WAYS = pytest.mark.parametrize("properties", [ONE_AFTER_THE_OTHER, SEVERAL_AT_ONCE],
                               ids=["one-after-the-other", "several-at-once"])


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    made = broker_behind(tmp_path_factory.mktemp("overtaken") / "broker")
    made.start()
    yield made
    made.proxy.down()
    made.kill()


@pytest.fixture
def make(broker, tmp_path):
    made = []

    def make(properties, **settings):
        source = Source()
        made.append(Stack(broker, tmp_path / "stack", [source], {
            "kafka": {"bootstrap_servers": broker.proxy.address, "properties": properties},
            **settings}))
        made[0].source = source
        made[0].expect_errors()
        return made[0]
    yield make
    broker.proxy.heal()
    for stack in made:
        stack.close()


def call(stack, scan):
    """Its id and the answer."""
    token = stack.source.token(id=str(scan), kind="scan", status="done", attemptNumber=1)
    told = requests.post(stack.ingress.url() + stack.source.path, timeout=30,
                         headers={"Authorization": f"Signed {token}"}).status_code
    return f"{stack.source.name}:scan:{scan}:1:done", told


def written(stack):
    stack.tap.drain()
    return [record.value["id"] for record in stack.tap.records["events"]]


@WAYS
def test_202_is_said_of_what_is_on_the_topic(make, broker, properties):
    stack = make(properties).start(enricher=False)
    refused = broker.proxy.refused
    broker.proxy.refuse_firsts()
    with ThreadPoolExecutor(16) as pool:
        answers = dict(pool.map(lambda scan: call(stack, scan), range(200)))
    assert broker.proxy.refused == refused + 3, "each partition's first"
    assert {name for name, told in answers.items() if told == 202} <= set(written(stack))
    if properties == ONE_AFTER_THE_OTHER:
        assert set(answers.values()) == {202}, "it was only sent again"
    else:
        assert set(answers.values()) == {202, 503}, "nobody knows, so nobody is told yes"


@WAYS
def test_what_the_spool_holds_is_lost_neither_and_keeps_its_order(make, broker, tmp_path, properties):
    stack = make(properties, ingress={"spool": {"path": str(tmp_path / "spool.db")}})
    stack.start(enricher=False)
    broker.proxy.down()
    until(lambda: stack.ingress.metric("vulnbus_kafka_up") == 0, "it knows")
    answers = [call(stack, scan) for scan in range(300)]
    assert {told for _, told in answers} == {202}
    broker.proxy.refuse_firsts()
    broker.proxy.up()
    until(lambda: stack.ingress.metric("vulnbus_spool_events") == 0, "the spool is drained", 60)
    names = written(stack)
    assert {name for name, _ in answers} <= set(names)
    if properties == ONE_AFTER_THE_OTHER:
        assert len(names) == 300
        for partition in range(3):
            mine = [int(record.value["subject"]["id"]) for record in stack.tap.records["events"]
                    if record.partition == partition]
            assert mine == sorted(mine)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("error", [NOT_LEADER, DUPLICATE_SEQUENCE], ids=["refused", "doubtful"])
@WAYS
def test_a_transaction_with_a_record_that_is_not_there_is_not_committed(make, broker, properties,
                                                                        error):
    rows = 20_000
    stack = make(properties, enricher={"batch_rows": 10_000})
    file = Csv(rows)
    stack.source.stub.export("212", file)
    refused = broker.proxy.refused
    stack.start(enricher=False)
    name = stack.notify(stack.source, id="212", kind="export", status="done")
    broker.proxy.refuse_firsts(error)
    stack.enricher.start()
    manifest = stack.tap.one("exports", 120, event_id=name)
    stack.tap.drain(60)
    found = stack.tap.find("export-rows", event_id=name)
    assert [row.value["row"] for row in found] == list(range(1, rows + 1))
    assert manifest.value["rows"] == rows
    assert broker.proxy.refused > refused
