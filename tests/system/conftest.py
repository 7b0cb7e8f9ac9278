# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: one broker, and stacks of daemons on it.

    VULNBUS_BUILD      the folder of the binaries (default build/)
    VULNBUS_KAFKA_JARS the folder of Kafka's jars (default build/kafka)
    KAFKA_BOOTSTRAP    a cluster to use in place of an own broker
"""

from pathlib import Path

import pytest

import kafka
from daemons import BUILD, PROGRAMS, Daemon, Stack

# They stop their brokers, need listeners of their own, or want Kafka's authorizer or its command line tools.
OWN_BROKER = ["test_acls.py", "test_cluster.py", "test_deadlines.py", "test_kafka_outage.py",
              "test_kafka_security.py", "test_spool.py", "test_topics.py"]
LEFT_OUT = f"NOT RUN, KAFKA_BOOTSTRAP names a cluster that is not ours to stop: {', '.join(OWN_BROKER)}"

collect_ignore = OWN_BROKER if kafka.foreign() else []


def pytest_sessionstart(session):
    missing = [str(BUILD / name) for name in PROGRAMS if not (BUILD / name).exists()]
    if not kafka.foreign() and not list(kafka.JARS.glob("kafka-clients-*.jar")):
        missing.append(f"{kafka.JARS}/*.jar (see tests/kafka/pom.xml)")
    if missing and not session.config.option.collectonly:
        pytest.exit(f"build first, missing: {', '.join(missing)}", returncode=2)


def pytest_report_header():
    return [f"vulnbus: {BUILD}", *([LEFT_OUT] if kafka.foreign() else [])]


def pytest_terminal_summary(terminalreporter):
    if kafka.foreign():
        terminalreporter.section("attention")
        terminalreporter.line(LEFT_OUT, yellow=True)


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """The broker that all tests share; nothing stops it before the end."""
    found = kafka.foreign()
    made = kafka.ForeignBroker(found) if found else kafka.Broker(
        tmp_path_factory.mktemp("broker"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory):
    """A broker of one file alone, which its tests may stop, kill and freeze."""
    made = kafka.Broker(tmp_path_factory.mktemp("own") / "broker")
    yield made
    made.kill()


@pytest.fixture(scope="module")
def module_stack(broker, tmp_path_factory):
    """make(sources, settings) -> a Stack that the tests of one file share."""
    yield from _stacks(broker, tmp_path_factory.mktemp("stack"))


@pytest.fixture
def stack(broker, tmp_path):
    """make(sources, settings) -> a Stack of this test alone."""
    yield from _stacks(broker, tmp_path)


def _stacks(broker, folder: Path):
    made = []

    def make(sources, settings=None):
        made.append(Stack(broker, folder / str(len(made)), sources, settings))
        return made[-1]

    yield make
    failures = []
    for each in made:
        try:
            each.close()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, "\n".join(failures)


@pytest.fixture(autouse=True)
def logs_without_errors():
    """A log line of level error fails the test that caused it, unless it said so before."""
    yield
    for daemon in list(Daemon.alive):
        daemon.check_log()


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_running():
    yield
    for daemon in list(Daemon.alive):
        daemon.kill()
