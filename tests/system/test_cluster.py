# SPDX-License-Identifier: Apache-2.0
"""A cluster of three brokers, one of which dies for good: the other two elect new leaders, and
everything goes on."""

import threading

import pytest
import requests

from daemons import Source, Stack
from kafka import Cluster, foreign
from waiting import until

pytestmark = pytest.mark.skipif(bool(foreign()), reason="kills a broker, and KAFKA_BOOTSTRAP "
                                "names brokers that are not ours")

COPIES = {"topics": {"replication_factor": 3}}
AFTER = 40     # scans that must be taken after the election


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    made.start()
    yield made
    made.kill()


@pytest.fixture(autouse=True)
def whole(cluster):
    """All three are there when a test begins."""
    yield
    for broker in cluster.brokers:
        broker.ensure()
    cluster.whole()


class Caller(threading.Thread):
    """One scan after another; remembers what it was told of each."""

    def __init__(self, stack, source):
        super().__init__(daemon=True)
        self.stack = stack
        self.source = source
        self.told = []       # (scan, status), in order
        self.enough = threading.Event()
        self.start()

    def run(self):
        while not self.enough.wait(0.05):
            number = str(len(self.told))
            self.source.stub.scan(number)
            try:
                status = self.stack.post(self.source, self.source.token(
                    id=number, kind="scan", status="done")).status_code
            except requests.RequestException as error:
                status = repr(error)
            self.told.append((number, status))

    def count(self, status):
        return sum(told == status for _, told in self.told)

    def stop(self):
        self.enough.set()
        self.join(40)
        return self.told


def spool(folder):
    return {"path": str(folder / "spool.db"), "max_size": "64MiB"}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("spooled", [False, True], ids=["without a spool", "with a spool"])
@pytest.mark.parametrize("which", ["leader", "coordinator"])
def test_one_broker_of_three_dies_for_good(cluster, tmp_path, spooled, which):
    source = Source()
    settings = {**COPIES, **({"ingress": {"spool": spool(tmp_path)}} if spooled else {})}
    made = Stack(cluster, tmp_path / "stack", [source], settings)
    made.expect_errors()   # the death of a broker may be called an error
    try:
        made.start()
        caller = Caller(made, source)
        until(lambda: caller.count(202) >= AFTER, "webhooks taken before", 30)
        victim(made, cluster, which).kill()
        died = len(caller.told)
        until(lambda: sum(status == 202 for _, status in caller.told[died + 1:]) >= AFTER
              and all(status == 202 for _, status in caller.told[-AFTER:]),
              "202 again, and again, after the election", 60)
        told = caller.stop()
        if spooled:   # nobody was sent away meanwhile
            assert {status for _, status in told} == {202}
        for number, status in told:
            if status == 202:
                name = f"{source.name}:scan:{number}:0:done"
                made.tap.wait("events", 1, 60, id=name)
                made.tap.one("scans", 60, event_id=name)
        until(made.ingress.ready, "the ingress is ready on two brokers", 30)
        until(made.enricher.ready, "the enricher is ready on two brokers", 30)
    finally:
        made.close()
        for broker in cluster.brokers:
            broker.ensure()


def victim(made, cluster, which):
    """The broker that most hangs on: a leader of events, or the group's coordinator."""
    from confluent_kafka.admin import AdminClient
    client = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0})
    if which == "leader":
        topic = client.list_topics(timeout=10).topics[made.tap.topic("events")]
        number = topic.partitions[0].leader
    else:
        group = f"{made.prefix}-enricher"
        number = client.describe_consumer_groups([group])[group].result(20).coordinator.id
    return cluster.brokers[number - 1]
