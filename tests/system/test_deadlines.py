# SPDX-License-Identifier: Apache-2.0
"""Whatever Kafka does, every webhook has its answer within `answer_within`; 202 only for what is on
the topic; and when Kafka is well again so is the ingress, without a restart."""

import itertools
import threading
import time

import pytest
import requests
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

import kafka
from daemons import Source, Stack
from proxy import API_VERSIONS, INIT_PRODUCER_ID, METADATA, Proxy, broker_behind
from reader import murmur2
from waiting import until

pytestmark = pytest.mark.skipif(bool(kafka.foreign()), reason="needs brokers of its own to maltreat")

ANSWER_WITHIN = 2.0
SLACK = 0.5
CALLERS = 4
SETTINGS = {"ingress": {"answer_within": f"{ANSWER_WITHIN:g}s"}}

# The events of a test are told apart by their numbers.
numbers = itertools.count(1)

# It knows permissions, and who is silent for three seconds is out.
MORE = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""

# A second node, which only keeps partitions.
SECOND = """\
process.roles=broker
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port}
broker.heartbeat.interval.ms=500
"""


class Caller(threading.Thread):
    """Calls without pause, each time with another scan; remembers what it was told."""

    def __init__(self, stack, wanted=lambda number: True, **claims):
        super().__init__(daemon=True)
        self.stack = stack
        self.wanted = wanted     # of the numbers it may take
        self.claims = claims
        self.answers = []        # (scan, status, when it began, seconds)
        self.enough = threading.Event()
        self.start()

    def run(self):
        source = self.stack.source
        with requests.Session() as session:
            while not self.enough.wait(0.005):
                number = str(next(number for number in numbers if self.wanted(number)))
                token = source.token(id=number, kind="scan", status="done", **self.claims)
                began = time.monotonic()
                try:
                    told = session.post(self.stack.ingress.url() + source.path, timeout=30,
                                        headers={"Authorization": f"Signed {token}"}).status_code
                except requests.RequestException as error:
                    told = repr(error)
                self.answers.append((number, told, began, time.monotonic() - began))

    def since(self, moment):
        """What was answered to calls that began after that moment."""
        return [status for _, status, began, _ in list(self.answers) if began > moment]


class Callers:
    """Several at once, and what holds for all their answers."""

    def __init__(self, stack, count=CALLERS, **more):
        self.stack = stack
        self.each = [Caller(stack, **more) for _ in range(count)]

    def told(self, status, since, what, within=20.0):
        """Waits until everybody was told so, of a call that began after that moment."""
        until(lambda: all(status in caller.since(since) for caller in self.each), what, within)

    def answered(self, since, count=1):
        until(lambda: all(len(caller.since(since)) >= count for caller in self.each), "answers")

    def statuses(self, since):
        return {status for caller in self.each for status in caller.since(since)}

    def slowest(self):
        return max(took for caller in self.each for _, _, _, took in list(caller.answers))

    def stop(self):
        """Nobody was kept waiting, and nobody was lied to."""
        for caller in self.each:
            caller.enough.set()
        for caller in self.each:
            caller.join(40)
        answers = [answer for caller in self.each for answer in caller.answers]
        late = [answer for answer in answers if answer[3] > ANSWER_WITHIN + SLACK]
        assert not late
        assert {status for _, status, _, _ in answers} <= {202, 503}
        promised = {number for number, status, _, _ in answers if status == 202}
        self.stack.tap.drain()
        written = {record.value["subject"]["id"] for record in self.stack.tap.records["events"]}
        assert promised <= written
        return answers


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    cluster = kafka.new_cluster_id()
    made = broker_behind(tmp_path_factory.mktemp("deadlines") / "broker", MORE, cluster)
    made.cluster = cluster
    made.start()
    yield made
    made.proxy.down()
    made.kill()


def make(broker, folder, settings, bootstrap):
    source = Source()
    made = Stack(broker, folder, [source],
                 {**SETTINGS, **settings, "kafka": {"bootstrap_servers": bootstrap}})
    made.source = source
    made.ingress.expect_errors()   # an outage may be called an error
    return made


@pytest.fixture(scope="module")
def site(broker, tmp_path_factory):
    """An ingress that reaches Kafka through the proxy only."""
    made = make(broker, tmp_path_factory.mktemp("site"), {}, broker.proxy.address)
    made.start(enricher=False)
    made.pid = made.ingress.process.pid
    yield made
    broker.proxy.heal()
    made.close()


def well_again(site, callers, since):
    callers.told(202, since, "202 again", 30)
    until(site.ingress.ready, "ready again", 30)
    assert site.ingress.process.pid == site.pid and site.ingress.process.poll() is None


# --- the way to Kafka ---

def cut_and_hold_newcomers(proxy):
    proxy.hold_newcomers()
    proxy.cut()


def cut_and_freeze(proxy):
    proxy.hold_all_but(API_VERSIONS)
    proxy.cut()


WAYS = {
    "slow": (lambda proxy: proxy.delay(0.25), {202}),
    "too slow": (lambda proxy: proxy.delay(1.5), {503}),
    "no answer arrives": (Proxy.hold_answers, {503}),
    "metadata stuck": (lambda proxy: proxy.hold(METADATA), {202}),
    "cut, new connections silent": (cut_and_hold_newcomers, {503}),
    "cut, frozen after connect": (cut_and_freeze, {503}),
    "refused": (Proxy.down, {503}),
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.replace(" ", "-"))
def test_the_answer_is_in_time_however_kafka_is_reached(site, broker, way):
    fault, expected = WAYS[way]
    surprised = Callers(site, 2)
    callers = None
    try:
        surprised.told(202, 0, "202 before")
        fault(broker.proxy)
        if expected == {202} and way != "slow":   # readiness may tell; nothing else does
            until(lambda: not site.ingress.ready(), "not ready any more")
        callers = Callers(site)
        callers.answered(0)
        assert callers.statuses(0) == expected
        healed = time.monotonic()
        broker.proxy.heal()
        well_again(site, callers, healed)
    finally:
        broker.proxy.heal()
        surprised.stop()
        if callers:
            callers.stop()


@pytest.mark.parametrize("way", ["silent", "no metadata", "no producer id"],
                         ids=lambda way: way.replace(" ", "-"))
def test_a_start_without_kafka_answers_in_time_and_recovers(broker, tmp_path, way):
    {"silent": Proxy.hold_newcomers,
     "no metadata": lambda proxy: proxy.hold(METADATA),
     "no producer id": lambda proxy: proxy.hold(INIT_PRODUCER_ID)}[way](broker.proxy)
    made = make(broker, tmp_path / "stack", {}, broker.proxy.address)
    try:
        made.ingress.start(ready=False)
        made.pid = made.ingress.process.pid
        callers = Callers(made, 2)
        callers.answered(0, 2)
        if way == "no producer id":   # and beyond the time in which it knew no topic either
            until(lambda: callers.slowest() >= ANSWER_WITHIN, "one waited for the deadline")
        assert callers.statuses(0) == {503}
        assert made.ingress.admin("/healthz").status_code == 200
        healed = time.monotonic()
        broker.proxy.heal()
        well_again(made, callers, healed)
        callers.stop()
    finally:
        broker.proxy.heal()
        made.close()


# --- what Kafka says ---

def client(broker):
    return kafka.admin(broker.bootstrap)


def done(answers):
    for answer in answers.values():
        answer.result(20)


def alter(broker, topic, **values):
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[
        ConfigEntry(name.replace("_", "."), None if value is None else str(value),
                    incremental_operation=AlterConfigOpType.DELETE if value is None
                    else AlterConfigOpType.SET)
        for name, value in values.items()])
    asked = client(broker)
    done(asked.incremental_alter_configs([resource]))


def test_a_message_too_large_for_the_topic_is_never_promised(site, broker):
    topic = site.tap.topic("events")
    alter(broker, topic, max_message_bytes=2000)
    large = Callers(site, 2, assetId="a" * 3000, assetType="site")
    small = Callers(site, 2)
    try:
        began = time.monotonic()
        large.told(503, began, "the limit is in force")
        began = time.monotonic()
        large.answered(began, 5)
        assert large.statuses(began) == {503}
        # What is small enough is not held up.
        small.told(202, began, "202 beside the large ones")
        healed = time.monotonic()
        alter(broker, topic, max_message_bytes=None)
        well_again(site, large, healed)
    finally:
        alter(broker, topic, max_message_bytes=None)
        small.stop()
        large.stop()


def rule(topic, operation, permission):
    return AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*",
                      operation, permission)


@pytest.mark.parametrize("denied", [AclOperation.WRITE, AclOperation.DESCRIBE],
                         ids=["write", "describe"])
def test_a_permission_taken_and_given_back_needs_no_restart(site, broker, denied):
    topic = site.tap.topic("events")
    callers = Callers(site)
    rules = [rule(topic, AclOperation.ALL, AclPermissionType.ALLOW),
             rule(topic, denied, AclPermissionType.DENY)]
    if denied == AclOperation.DESCRIBE:   # each of these implies it
        rules += [rule(topic, operation, AclPermissionType.DENY)
                  for operation in (AclOperation.WRITE, AclOperation.READ, AclOperation.ALTER)]

    asked = client(broker)

    def allow():
        done(asked.delete_acls([AclBindingFilter(
            ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, None, None,
            AclOperation.ANY, AclPermissionType.ANY)]))

    try:
        callers.told(202, 0, "202 before")
        done(asked.create_acls(rules))
        callers.told(503, 0, "503 when denied")
        began = time.monotonic()
        callers.answered(began, 2)
        assert callers.statuses(began) == {503}
        healed = time.monotonic()
        allow()
        well_again(site, callers, healed)
    finally:
        allow()
        until(lambda: readable(broker, topic), "readable again")
        callers.stop()


def readable(broker, topic):
    try:
        return client(broker).list_topics(topic, 5).topics[topic].error is None
    except KafkaException:
        return False


# --- one partition without its leader ---

@pytest.fixture
def second(broker, tmp_path):
    seats = [(broker.port, broker.controller), kafka.free_ports(2)]
    made = kafka.Broker(tmp_path / "second", 2, seats, broker.cluster,
                        more=SECOND.format(controller=broker.controller, port=seats[1][0]))
    made.start()
    until(lambda: len(client(broker).list_topics(timeout=5).brokers) == 2, "two brokers")
    yield made
    made.kill()


def leader(broker, topic, partition):
    """As the first broker knows it: a client made before might ask the second."""
    return client(broker).list_topics(topic, 5).topics[topic].partitions[partition].leader


def test_one_partition_without_leader_costs_only_its_own_keys(broker, second, tmp_path):
    bootstrap = f"{broker.bootstrap},{second.bootstrap}"
    made = make(broker, tmp_path / "stack", {}, bootstrap)
    topic = made.tap.topic("events")
    asked = client(broker)
    done(asked.create_topics([NewTopic(topic, 3, replica_assignment=[[1], [2], [1]])]))

    def is_lost(number):
        key = f"{made.source.name}/scan/{number}"
        return (murmur2(key.encode()) & 0x7FFFFFFF) % 3 == 1

    try:
        made.start(enricher=False)
        lost = Callers(made, 2, wanted=is_lost)
        others = Callers(made, 2, wanted=lambda number: not is_lost(number))
        lost.told(202, 0, "202 on the second broker")
        others.told(202, 0, "202 on the first broker")

        second.freeze()
        began = time.monotonic()
        lost.answered(began)
        assert lost.statuses(began) == {503}
        until(lambda: leader(broker, topic, 1) < 0, "a partition without leader")
        leaderless = time.monotonic()
        lost.answered(leaderless)
        others.answered(leaderless, 5)
        assert lost.statuses(leaderless) == {503}
        assert others.statuses(began) == {202}

        second.thaw()
        lost.told(202, time.monotonic(), "202 again", 30)
        until(made.ingress.ready, "ready again", 30)
        lost.stop()
        others.stop()
    finally:
        made.close()
