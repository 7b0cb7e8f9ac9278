# SPDX-License-Identifier: Apache-2.0
"""A real Apache Kafka of one node, started and stopped by the tests."""

import base64
import os
import signal
import socket
import subprocess
import uuid
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from waiting import until

ROOT = Path(__file__).parents[2]
JARS = (ROOT / os.environ.get("VULNBUS_KAFKA_JARS", "build/kafka")).resolve()

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""


def free_ports(count):
    """Ports of 127.0.0.1 that nothing listens on, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def admin(bootstrap):
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


class Broker:
    """Keeps its ports and its folder over stop and start."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.process = None
        self.port, controller = free_ports(2)
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.properties = folder / "server.properties"
        folder.mkdir(parents=True, exist_ok=True)
        self.properties.write_text(
            PROPERTIES.format(port=self.port, controller=controller, folder=folder)
        )
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        # An id may not begin with a dash: it would read as an option.
        self._java("kafka.tools.StorageTool", "format", "-t", "A" + cluster[1:], "-c",
                   str(self.properties)).wait(60)

    def _java(self, *arguments):
        with open(self.folder / "broker.log", "ab") as log:
            return subprocess.Popen(
                ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                 "-cp", f"{JARS}/*", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
            )

    def start(self):
        assert self.process is None
        self.process = self._java("kafka.Kafka", str(self.properties))
        until(self._answers, f"the broker answers (see {self.folder}/broker.log)", 60, 0.1)

    def _answers(self):
        assert self.process.poll() is None, (self.folder / "broker.log").read_text()[-4000:]
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                pass
            return admin(self.bootstrap).list_topics(timeout=5).brokers
        except (OSError, KafkaException):
            return None

    def _end(self, number):
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(60)
            self.process = None

    def stop(self):
        self._end(signal.SIGTERM)

    def kill(self):
        self._end(signal.SIGKILL)

    def ensure(self):
        """Runs, whatever was done to it."""
        if self.process is None:
            self.start()
        self.thaw()

    def freeze(self):
        """The machine hangs: connections stay open and nobody answers."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)


class ForeignBroker:
    """The cluster that KAFKA_BOOTSTRAP names: used, never stopped."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def start(self):
        until(lambda: admin(self.bootstrap).list_topics(timeout=10).brokers,
              f"Kafka at KAFKA_BOOTSTRAP={self.bootstrap} answers", 60)

    def stop(self):
        pass

    kill = stop


def foreign():
    return os.environ.get("KAFKA_BOOTSTRAP", "")
