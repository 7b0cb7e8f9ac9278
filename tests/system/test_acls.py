# SPDX-License-Identifier: Apache-2.0
"""What `vulnbus topics --acls` prints, on a broker with Kafka's own authorizer: it is enough for all
that the programs do, nothing of it goes unused, and without it nothing works."""

import json
import os
import re
import subprocess
from collections import namedtuple

import pytest
import yaml
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from cryptography.hazmat.primitives import serialization

from daemons import Source, Stack, run
from kafka import JARS, Broker, admin, free_ports
from vendor import Csv, Reply, Vendor
from waiting import until

PRINCIPALS = ("in-gress", "en-richer", "op-erator")
NAMED = ["--ingress", "in-gress", "--enricher", "User:en-richer", "--operator", "op-erator"]
PASSWORD = "a-password"
AUTHORIZER = """\
listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{guarded},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{guarded}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required {users};
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""
# The authorizer tells each decision at this level.
TOLD = "-Dorg.slf4j.simpleLogger.log.kafka.authorizer.logger=trace"
DECISION = re.compile(
    r"Principal = User:(?P<principal>\S+) is (?P<result>Allowed|Denied) operation = "
    r"(?P<operation>\w+) .* on resource = (?P<type>\w+):LITERAL:(?P<name>\S+) for request = (?P<api>\w+)")


Decision = namedtuple("Decision", "principal result operation type name api")


class Guarded(Broker):
    """Two ports: everything is allowed at one, at the other what ACLs say."""

    def __init__(self, folder):
        port, controller, self.guarded = free_ports(3)
        users = " ".join(f'user_{name}="{PASSWORD}"' for name in PRINCIPALS)
        super().__init__(folder, seats=[(port, controller)], more=AUTHORIZER.format(
            port=port, controller=controller, guarded=self.guarded, users=users))

    def _java(self, *arguments):
        before = os.environ.get("JAVA_TOOL_OPTIONS")
        os.environ["JAVA_TOOL_OPTIONS"] = TOLD
        try:
            return super()._java(*arguments)
        finally:
            del os.environ["JAVA_TOOL_OPTIONS"]
            if before is not None:
                os.environ["JAVA_TOOL_OPTIONS"] = before

    def decisions(self):
        """In order, as often as it was decided."""
        text = (self.folder / "broker.log").read_text(errors="replace")
        return [Decision(*found.groups()[:3], re.sub("(?<=[a-z])(?=[A-Z])", "_", found["type"]).upper(),
                         *found.groups()[4:])
                for found in map(DECISION.search, text.splitlines()) if found]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    made = Guarded(tmp_path_factory.mktemp("guarded"))
    made.start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def place(guarded, tmp_path_factory):
    """Four sources, the programs' configuration, each with a user of its own."""
    made = Stack(guarded, tmp_path_factory.mktemp("place"), [
        Source("acme-vdr"), Source("ssc", "securityscorecard", Vendor(word="Token")),
        Source("web", "probely", Vendor(word="JWT"))],
        {"kafka": {"bootstrap_servers": f"127.0.0.1:{guarded.guarded}", "properties": {
            "security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN",
            "sasl.username": "${env:KAFKA_USER}", "sasl.password": PASSWORD}},
         "enricher": {"reconcile_every": "1s", "give_up_after": "5s"}})
    made.key = made.folder / "vdr.key"
    made.key.write_bytes(private_pem(made.sources[0].stub.signer))
    yield made
    made.close()


def private_pem(signer):
    return signer.private.private_bytes(serialization.Encoding.PEM,
                                        serialization.PrivateFormat.PKCS8,
                                        serialization.NoEncryption())


def start(daemon, user, **more):
    os.environ["KAFKA_USER"] = user
    try:
        return daemon.start(**more)
    finally:
        del os.environ["KAFKA_USER"]


def tool(place, *arguments, user="op-erator"):
    return run("vulnbus", "-c", place.config, *arguments, env={**os.environ, "KAFKA_USER": user})


def bindings(broker):
    """Each ACL as (principal, operation, type, pattern, name)."""
    client = admin(broker.bootstrap)
    found = client.describe_acls(AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY,
        AclPermissionType.ANY)).result(20)
    assert all(acl.host == "*" and acl.permission_type == AclPermissionType.ALLOW for acl in found)
    return {(acl.principal, acl.operation.name, acl.restype.name, acl.resource_pattern_type.name,
             acl.name) for acl in found}


def forget(broker):
    client = admin(broker.bootstrap)
    for future in client.delete_acls([AclBindingFilter(
            ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY,
            AclPermissionType.ANY)]).values():
        future.result(20)
    until(lambda: not bindings(broker), "no ACL is left")


def apply(broker, text, folder):
    """The printed lines, by a shell and Kafka's own AclCommand, with everything allowed."""
    script = folder / "kafka-acls.sh"
    script.write_text(f'#!/bin/sh\nexec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx256m -cp '
                      f'"{JARS}/*" org.apache.kafka.tools.AclCommand "$@"\n')
    script.chmod(0o755)
    text = text.replace(f"127.0.0.1:{broker.guarded}", broker.bootstrap)
    done = subprocess.run(["sh", "-e", "-c", text], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
    assert done.returncode == 0, (done.stdout, done.stderr)


def printed(place, *arguments):
    done = tool(place, "topics", "--acls", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


KINDS = {"TOPIC": "topic", "GROUP": "group", "TRANSACTIONAL_ID": "transactionalId"}
WORDS = {"READ": "Read", "WRITE": "Write", "CREATE": "Create", "DESCRIBE": "Describe",
         "DESCRIBE_CONFIGS": "DescribeConfigs"}


def of_strimzi(text):
    """What Strimzi would make of the users: the same tuples."""
    found = set()
    for user in yaml.safe_load_all(text):
        assert (user["apiVersion"], user["kind"]) == ("kafka.strimzi.io/v1", "KafkaUser")
        assert user["spec"]["authorization"]["type"] == "simple"
        for acl in user["spec"]["authorization"]["acls"]:
            kind = next(k for k, word in KINDS.items() if word == acl["resource"]["type"])
            pattern = {"literal": "LITERAL", "prefix": "PREFIXED"}[acl["resource"]["patternType"]]
            found |= {(f"User:{user['metadata']['name']}",
                       next(k for k, word in WORDS.items() if word == operation), kind, pattern,
                       acl["resource"]["name"]) for operation in acl["operations"]}
    return found


def test_without_acls_nothing_works(guarded, place):
    forget(guarded)
    place.expect_errors("authoriz|topic|kafka")
    start(place.ingress, "in-gress", ready=False)
    start(place.enricher, "en-richer", ready=False)
    answers = [tool(place, "topics").returncode, tool(place, "topics", "--create").returncode,
               tool(place, "tail", "scans").returncode]
    assert 0 not in answers and answers[0] in (1, 77)
    done = tool(place, "send", "--url", place.ingress.url(), "web")
    assert done.returncode == 1 and "503" in done.stdout
    assert not place.ingress.ready() and not place.enricher.ready()
    for daemon in (place.ingress, place.enricher):
        daemon.kill()
    assert not topics_of(place)
    place.ingress.expected_errors.clear()
    place.enricher.expected_errors.clear()
    place.enricher.expect_errors("gave up|give up|giving up|dead letter")


def topics_of(place):
    names = admin(place.broker.bootstrap).list_topics(timeout=10).topics
    return [name for name in names if name.startswith(place.prefix)]


def delete_topics(place):
    client = admin(place.broker.bootstrap)
    for future in client.delete_topics(topics_of(place)).values():
        future.result(20)
    until(lambda: not topics_of(place), "the topics are gone")


def create_topics(place):
    """Each program where there are none."""
    done = tool(place, "topics", "--create")
    assert done.returncode == 0 and len(topics_of(place)) == 9, (done.stdout, done.stderr)
    for daemon, user in ((place.enricher, "en-richer"), (place.ingress, "in-gress")):
        delete_topics(place)
        start(daemon, user)
        assert len(topics_of(place)) == 9
        daemon.stop()


def use_everything(place):
    """All that the programs do on Kafka."""
    create_topics(place)
    start(place.ingress, "in-gress")
    start(place.enricher, "en-richer")
    vdr = place.sources[0].stub
    vdr.scan("1")
    vdr.export("2", Csv(20))
    url = ["--url", place.ingress.url()]
    key = ["--key", place.key]
    for arguments in ([*key, "--id", "1", "acme-vdr"], [*key, "--id", "2", "--kind",
                      "export.completed", "acme-vdr"], ["--id", "example.com", "ssc"],
                      ["--kind", "finding.detected", "web"], ["--kind", "target.created", "web"],
                      [*key, "--status", "strange", "--id", "3", "acme-vdr"]):
        done = tool(place, "send", *url, *arguments)
        assert done.returncode == 0, (done.stdout, done.stderr)
    for topic in ("scans", "exports", "findings", "targets", "scorecards", "dead-letters"):
        place.tap.wait(topic)
    place.tap.wait("export-rows", 20)
    # What the vendor never tells is given up: the enricher's dead letter.
    vdr.always("/api/v2/scans/9", Reply(500))
    assert tool(place, "send", *url, *key, "--id", "9", "acme-vdr").returncode == 0
    place.tap.one("dead-letters", event_id="acme-vdr:scan:9:1:done")
    # Asked for, and its webhook never comes: the enricher makes the event.
    vdr.export("212", Csv(5))
    done = tool(place, "export", "acme-vdr")
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert place.tap.one("events", id="acme-vdr:export:212:0:done").value["proof"] == "api"
    done = tool(place, "topics")
    assert done.returncode == 0, (done.stdout, done.stderr)
    lines = [json.loads(line) for line in tool(
        place, "tail", "--json", "state", *("events", "scans", "exports", "export-rows", "findings",
                                            "targets", "scorecards", "dead-letters")).stdout.splitlines()]
    assert len({line["topic"] for line in lines}) == 9
    for topic in ("events", "scans", "exports", "export-rows", "findings", "targets", "scorecards"):
        done = tool(place, "replay", "--yes", topic)
        assert done.returncode == 0, (topic, done.stdout, done.stderr)
    done = tool(place, "replay", "--yes", "--to-topic", "dead-letters", "dead-letters")
    assert done.returncode == 0, (done.stdout, done.stderr)
    # Started again, the enricher reads what it knows.
    place.enricher.stop()
    start(place.enricher, "en-richer")
    place.ingress.stop()
    place.enricher.stop()


# What is asked and refused, and goes on all the same (Kafka documentation, "Operations and Resources on
# Protocols"): (api, operation, type).
SPARED = {
    ("CreateTopics", "CREATE", "CLUSTER"),             # then Create on the topic is looked at
    ("CreateTopics", "DESCRIBE_CONFIGS", "TOPIC"),     # the reply leaves the settings out
    ("InitProducerId", "IDEMPOTENT_WRITE", "CLUSTER"),    # then Write on any topic (KIP-679)
    ("FindCoordinator", "DESCRIBE", "GROUP"),          # of a reader that is in no group
}


def covers(acl, asked):
    principal, operation, kind, pattern, name = acl
    return principal == f"User:{asked.principal}" and kind == asked.type and \
        operation == asked.operation and \
        (asked.name == name if pattern == "LITERAL" else asked.name.startswith(name))


def test_what_is_printed_is_enough_and_each_of_it_is_used(guarded, place, tmp_path):
    forget(guarded)
    text = printed(place, "kafka-acls", *NAMED)
    apply(guarded, text, tmp_path)
    acls = bindings(guarded)
    assert acls == of_strimzi(printed(place, "strimzi", *NAMED[:3], "en-richer", *NAMED[4:]))
    before = len(guarded.decisions())
    use_everything(place)
    decisions = {found for found in guarded.decisions()[before:] if found.principal in PRINCIPALS}
    # A name that stands for no topic: Kafka's way of asking whether there is Write on any.
    denied = {(asked.api, asked.operation, asked.type, asked.name) for asked in decisions
              if asked.result == "Denied" and asked.name != "hardcode"}
    assert {asked[:3] for asked in denied} <= SPARED, sorted(denied)
    assert {name for api, _, _, name in denied if api == "FindCoordinator"} <= {"vulnbus-reader"}
    allowed = [asked for asked in decisions if asked.result == "Allowed"]
    assert allowed
    unused = [acl for acl in acls if not any(covers(acl, asked) for asked in allowed)]
    assert not unused, sorted(unused)
    # Read and Write imply Describe.
    assert not [acl for acl in acls if acl[1] == "DESCRIBE" and
                {(acl[0], operation, *acl[2:]) for operation in ("READ", "WRITE")} & acls]


def test_what_may_not_be_read_is_told_at_once(guarded, place):
    """Also while following: it does not pass by waiting."""
    forget(guarded)
    client, topic = admin(guarded.bootstrap), f"{place.prefix}.scans.v1"
    if topic not in topics_of(place):
        client.create_topics([NewTopic(topic, 3, 1)])[topic].result(20)
        until(lambda: topic in topics_of(place), "the topic is there")
    for made in client.create_acls([AclBinding(
            ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:op-erator", "*",
            AclOperation.DESCRIBE, AclPermissionType.ALLOW)]).values():
        made.result(20)
    until(lambda: bindings(guarded), "the ACL is there")
    for arguments in ([], ["--follow"], ["--count", "1"], ["--follow", "--json"]):
        done = tool(place, "tail", *arguments, "scans")
        assert done.returncode == 77 and "uthoriz" in done.stderr and "--acls" in done.stderr
    done = tool(place, "topics")
    assert done.returncode == 77 and f"{place.prefix}.events.v1" in done.stderr


def test_create_is_only_for_those_who_create(place):
    create = {acl for acl in of_strimzi(printed(place, "strimzi")) if acl[1] == "CREATE"}
    assert len(create) == 3 * 9
    place.settings["topics"] = {"create": False}
    place.write()
    without = of_strimzi(printed(place, "strimzi"))
    del place.settings["topics"]
    place.write()
    assert without == of_strimzi(printed(place, "strimzi")) - create


def test_names_reach_kafka_as_they_are(guarded, place, tmp_path):
    """Whatever a shell would make of them."""
    forget(guarded)
    odd = "CN=it's a \"name\" $HOME,O=*;x"
    text = printed(place, "kafka-acls", "--ingress", odd, *NAMED[2:])
    apply(guarded, "\n".join(text.splitlines()[:1]), tmp_path)
    assert {acl[0] for acl in bindings(guarded)} == {f"User:{odd}"}
    assert " --command-config 'a b'" in printed(place, "kafka-acls", "--command-config", "a b")
    forget(guarded)


def test_strimzi_users_have_credentials_of_the_kind_that_is_configured(place):
    users = list(yaml.safe_load_all(printed(place, "strimzi", "--cluster", "prod")))
    assert [user["metadata"]["name"] for user in users] == \
        ["vulnbus-ingress", "vulnbus-enricher", "vulnbus-operator"]
    assert {user["metadata"]["labels"]["strimzi.io/cluster"] for user in users} == {"prod"}
    assert not any("authentication" in user["spec"] for user in users)      # PLAIN: not Strimzi's
    properties = place.settings["kafka"]["properties"]
    for change, kind in ({"sasl.mechanism": "SCRAM-SHA-512"}, "scram-sha-512"), (
            {"security.protocol": "ssl"}, "tls"):
        place.settings["kafka"]["properties"] = {**properties, **change}
        place.write()
        users = list(yaml.safe_load_all(printed(place, "strimzi")))
        assert all(user["spec"]["authentication"] == {"type": kind} for user in users)
    place.settings["kafka"]["properties"] = properties
    place.write()
