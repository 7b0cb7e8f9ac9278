# SPDX-License-Identifier: Apache-2.0
"""`vulnbus topics`: compared with what they should be, and who may do what with them."""

import os
import re
import secrets
import subprocess

import pytest
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from daemons import BUILD, run
from kafka import JARS, admin
from waiting import until

DAY = 86400 * 1000
TOPICS = {   # topic -> cleanup policy, retention
    "events": ("delete", 30 * DAY), "scans": ("delete", 90 * DAY), "exports": ("delete", 90 * DAY),
    "export-rows": ("delete", 30 * DAY), "findings": ("compact,delete", 90 * DAY),
    "targets": ("compact,delete", 90 * DAY), "scorecards": ("compact,delete", 90 * DAY),
    "dead-letters": ("delete", 90 * DAY), "state": ("compact,delete", 7 * DAY),
}
SECRET = "0123456789abcdef"


def kafka_script(folder, name, main):
    """One of Kafka's own shell scripts, as its tarball has them, on the jars we have."""
    script = folder / name
    script.write_text(f'#!/bin/sh\nexec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx256m '
                      f'-cp "{JARS}/*" {main} "$@"\n')
    script.chmod(0o755)


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """A PATH on which Kafka's scripts are."""
    folder = tmp_path_factory.mktemp("bin")
    for name, main in (("kafka-acls.sh", "org.apache.kafka.tools.AclCommand"),
                       ("kafka-configs.sh", "kafka.admin.ConfigCommand"),
                       ("kafka-topics.sh", "org.apache.kafka.tools.TopicCommand")):
        kafka_script(folder, name, main)
    (folder / "vulnbus").symlink_to(BUILD / "vulnbus")

    def shell(text, **env):
        done = subprocess.run(["sh", "-e", "-c", text], capture_output=True, text=True, timeout=120,
                              env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", **env})
        assert done.returncode == 0, (text, done.stdout, done.stderr)
        return done
    return shell


class Site:
    """Topics made by others, and a configuration that says how they should be."""

    def __init__(self, broker, folder, topics="", **more):
        self.broker = broker
        self.prefix = f"topics-{secrets.token_hex(4)}"
        self.config = folder / "vulnbus.yaml"
        self.config.write_text(f"""\
kafka:
  bootstrap_servers: "{broker.bootstrap}"
  properties: {{{', '.join(f'{name}: "{value}"' for name, value in more.items())}}}
topics: {{prefix: {self.prefix}, partitions: 3, replication_factor: 1{topics}}}
sources:
  - {{name: one, vendor: probely, hook: {{secret: {SECRET}}}}}
""")
        self.admin = admin(broker.bootstrap)

    def name(self, topic):
        return f"{self.prefix}.{topic}.v1"

    def make(self, **partitions):
        made = self.admin.create_topics([
            NewTopic(self.name(topic), partitions.get(topic.replace("-", "_"), 3), 1, config={
                "cleanup.policy": policy, "retention.ms": str(retention)})
            for topic, (policy, retention) in TOPICS.items()
            if partitions.get(topic.replace("-", "_"), 3)])
        for future in made.values():
            future.result(20)
        until(lambda: len([name for name in self.admin.list_topics(timeout=10).topics
                           if name.startswith(self.prefix)]) == len(made), "the topics are known")

    def alter(self, topic, **values):
        """And waits until the broker that is asked says so."""
        resource = ConfigResource(ResourceType.TOPIC, self.name(topic), incremental_configs=[
            ConfigEntry(name.replace("_", "."), str(value),
                        incremental_operation=AlterConfigOpType.SET)
            for name, value in values.items()])
        for future in self.admin.incremental_alter_configs([resource]).values():
            future.result(20)

        def seen():
            asked = ConfigResource(ResourceType.TOPIC, self.name(topic))
            now = self.admin.describe_configs([asked])[asked].result(20)
            return all(now[name.replace("_", ".")].value == str(value)
                       for name, value in values.items())
        until(seen, "the settings are known")

    def topics(self, *arguments, code=0):
        done = run("vulnbus", "-c", self.config, "topics", *arguments)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture
def site(broker, tmp_path):
    return Site(broker, tmp_path)


def test_what_create_makes_is_as_it_should_be(site):
    told = site.topics("--diff", code=1)
    assert told.count(": missing\n") == len(TOPICS) and "vulnbus topics --create" in told
    assert site.topics("--create").count("created") == len(TOPICS)
    assert site.topics("--diff") == ""
    table = site.topics().splitlines()
    assert len(table) == 1 + len(TOPICS)
    for line, (topic, (policy, retention)) in zip(table[1:], TOPICS.items(), strict=True):
        assert line.split() == [site.name(topic), "3", str(retention // DAY), "d", policy, "exists"]
    assert site.topics("--create").count("exists") == len(TOPICS)


def test_what_others_made_alike_is_the_same(site):
    site.make()
    site.alter("targets", cleanup_policy="delete,compact")     # in any order
    assert site.topics("--diff") == ""
    site.topics()


# What is changed, what is said first, and words of what it means.
DIFFERENCES = {
    "shorter": (("scans", dict(retention_ms=DAY)), "retention is 1 d, should be 90 d",
                "Records go before a consumer"),
    "shorter, in hours": (("exports", dict(retention_ms=5400000)),
                          "retention is 5400 s, should be 90 d", "Records go"),
    "events shorter": (("events", dict(retention_ms=3600000)), "retention is 1 h, should be 30 d",
                       "before an enricher"),
    "memory shorter": (("state", dict(retention_ms=DAY)),
                       "retention is 1 d, should be 7 d (enricher.dedup_window)",
                       "forgotten it does again"),
    "longer": (("scans", dict(retention_ms=365 * DAY)), "retention is 365 d, should be 90 d",
               "Nothing is lost"),
    "for ever": (("scans", dict(retention_ms=-1)), "retention is for ever, should be 90 d",
                 "Nothing is lost"),
    "compacted": (("events", dict(cleanup_policy="compact")),
                  "cleanup.policy is compact, should be delete", "the others are lost"),
    "not compacted": (("state", dict(cleanup_policy="delete")),
                      "cleanup.policy is delete, should be compact,delete", "the topic grows"),
    "never deleted": (("findings", dict(cleanup_policy="compact")),
                      "cleanup.policy is compact, should be compact,delete", "for ever"),
    "small": (("findings", dict(max_message_bytes=1000)),
              "max.message.bytes is 1000, message.max.bytes of kafka.properties 1000000",
              "dead letters"),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_is_explained_and_mended_as_it_says(site, scripts, name):
    (topic, change), first, words = DIFFERENCES[name]
    site.make()
    site.alter(topic, **change)
    said = site.topics("--diff", code=1)
    assert said.startswith(f"{site.name(topic)}: {first}\n") and words in said
    assert f"{site.name(topic)}" in site.topics(code=1) and site.topics(code=1).count("differs") == 1
    commands = re.findall(r"^ {4}(\S.*)$", said, re.M)
    assert len(commands) == 1
    scripts(commands[0])
    until(lambda: run("vulnbus", "-c", site.config, "topics", "--diff").returncode == 0,
          "it is as it should be")


def test_partitions_are_explained_and_added_as_it_says(site, scripts):
    site.make(events=2, state=2, scans=1)
    said = site.topics("--diff", "--command-config", "/dev/null", code=1)
    assert said.count(" --command-config /dev/null --alter ") == 3
    assert f"{site.name('events')}: 2 partitions, 3 configured\n" in said
    assert f"{site.name('scans')}: 1 partitions, 3 configured\n" in said
    assert site.name("state") + ":" not in said
    for command in re.findall(r"^ {4}(\S.*)$", said, re.M):
        scripts(command)
    until(lambda: run("vulnbus", "-c", site.config, "topics", "--diff").returncode == 0, "mended")


def test_more_partitions_than_configured(site):
    site.make(events=4, state=4)
    said = site.topics("--diff", code=1)
    assert said.count("partitions, ") == 1 and "set topics.partitions\n  to 4" in said


@pytest.mark.parametrize("events, state", [(3, 2), (3, 5)])
def test_events_and_state_must_be_alike(site, scripts, events, state):
    site.make(events=events, state=state)
    said = site.topics("--diff", code=1)
    assert f"{site.name('state')}: {state} partitions, {site.name('events')} has {events}\n" in said
    assert "do not start" in said
    scripts(re.search(r"^ {4}(\S.*)$", said, re.M)[1])
    said = run("vulnbus", "-c", site.config, "topics", "--diff").stdout
    assert site.name("state") + ":" not in said


def test_copies_count_when_they_are_configured(broker, tmp_path):
    (tmp_path / "a").mkdir()
    site = Site(broker, tmp_path / "a")
    site.make()
    site.config.write_text(site.config.read_text().replace("factor: 1", "factor: 3"))
    said = site.topics("--diff", code=1)
    assert said.count(": 1 copies, 3 configured\n") == len(TOPICS)
    site.config.write_text(site.config.read_text().replace("factor: 3", "factor: -1"))
    assert site.topics("--diff") == ""


def test_a_lower_ceiling_of_ours_is_no_difference(broker, tmp_path):
    site = Site(broker, tmp_path, **{"message.max.bytes": "1000"})
    site.make()
    site.alter("findings", max_message_bytes=1000)
    assert site.topics("--diff") == ""


def test_kafka_away_and_wrong_calls(site):
    for arguments in (["--create", "--diff"], ["--diff", "--diff"], ["--acls", "x"], ["x"],
                      ["--acls", "strimzi", "--ingress", "CN=x"],
                      ["--acls", "strimzi", "--cluster", ""], ["--no-such"]):
        site.topics(*arguments, code=64)
    site.config.write_text(site.config.read_text().replace(site.broker.bootstrap, "127.0.0.1:9"))
    for arguments in ([], ["--diff"], ["--create"]):
        site.topics(*arguments, code=69)
    assert site.topics("--acls", "kafka-acls")      # asks nobody
