# SPDX-License-Identifier: Apache-2.0
"""A real Apache Kafka of one node or of several, started and stopped by the tests."""

import base64
import os
import signal
import socket
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from waiting import until

ROOT = Path(__file__).parents[2]
JARS = (ROOT / os.environ.get("VULNBUS_KAFKA_JARS", "build/kafka")).resolve()

PROPERTIES = """\
process.roles=broker,controller
node.id={number}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
offsets.topic.num.partitions=4
offsets.topic.replication.factor={copies}
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={quorum}
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={quorum}
default.replication.factor={copies}
min.insync.replicas={quorum}
unclean.leader.election.enable=false
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


def new_cluster_id():
    # An id may not begin with a dash: it would read as an option.
    return "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()[1:]


class Broker:
    """Keeps its ports and its folder over stop and start. Alone, or one seat of a cluster:
    `seats` are the ports (clients', controllers') of all its nodes, in order."""

    def __init__(self, folder: Path, number=1, seats=None, cluster=None, heap="512m", more="",
                 users=()):
        self.folder = folder
        self.number = number
        self.process = None
        self.heap = heap
        seats = seats or [free_ports(2)]
        self.port, controller = seats[number - 1]
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.properties = folder / "server.properties"
        folder.mkdir(parents=True, exist_ok=True)
        voters = ",".join(f"{node}@127.0.0.1:{seat[1]}" for node, seat in enumerate(seats, 1))
        self.properties.write_text(PROPERTIES.format(
            number=number, voters=voters, copies=len(seats), quorum=max(1, len(seats) - 1),
            port=self.port, controller=controller, folder=folder) + more)
        code = self._java("kafka.tools.StorageTool", "format", "-t", cluster or new_cluster_id(),
                          "-c", str(self.properties), *users).wait(60)
        assert code == 0, (folder / "broker.log").read_text()[-4000:]

    def _java(self, *arguments):
        with open(self.folder / "broker.log", "ab") as log:
            return subprocess.Popen(
                ["java", f"-Xmx{self.heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                 "-cp", f"{JARS}/*", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
            )

    def launch(self):
        assert self.process is None
        self.process = self._java("kafka.Kafka", str(self.properties))

    def start(self):
        self.launch()
        self.wait()

    def wait(self):
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


SECURE = """\
listeners=PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},\\
  SASL://127.0.0.1:{sasl},MUTUAL://127.0.0.1:{mutual},ELSEWHERE://127.0.0.1:{elsewhere}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},\\
  SASL://localhost:{sasl},MUTUAL://localhost:{mutual},ELSEWHERE://localhost:{elsewhere}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,\\
  SASL:SASL_SSL,MUTUAL:SSL,ELSEWHERE:SASL_SSL
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
listener.name.mutual.ssl.client.auth=required
listener.name.elsewhere.ssl.keystore.type=PEM
listener.name.elsewhere.ssl.keystore.location={other_keystore}
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
"""
LOGIN = ('listener.name.{listener}.{mechanism}.sasl.jaas.config='
         'org.apache.kafka.common.security.{module} required{options};\n')


class SecureBroker(Broker):
    """Beside the plain listener: SASL over TLS, TLS with client certificates, and SASL over TLS
    with a certificate that names another host. `keystores` are PEM files, for here and for
    elsewhere; `authority` has signed them and the clients' certificates; `passwords` by user."""

    def __init__(self, folder: Path, keystores, authority, passwords):
        names = ("plain", "controller", "sasl", "mutual", "elsewhere")
        self.ports = dict(zip(names, free_ports(len(names))))
        more = SECURE.format(keystore=keystores[0], other_keystore=keystores[1],
                             truststore=authority, **self.ports)
        for listener in ("sasl", "elsewhere"):
            more += LOGIN.format(listener=listener, mechanism="plain",
                                 module="plain.PlainLoginModule",
                                 options="".join(f' user_{user}="{password}"'
                                                 for user, password in passwords.items()))
            for bits in (256, 512):
                more += LOGIN.format(listener=listener, mechanism=f"scram-sha-{bits}",
                                     module="scram.ScramLoginModule", options="")
        super().__init__(
            folder, seats=[(self.ports["plain"], self.ports["controller"])], more=more,
            users=[word for bits in (256, 512) for user, password in passwords.items()
                   for word in ("--add-scram",
                                f"SCRAM-SHA-{bits}=[name={user},password={password}]")])

    def address(self, listener):
        return f"localhost:{self.ports[listener]}"


class Cluster:
    """Several brokers, each of them a voter too: one may be missing."""

    def __init__(self, folder: Path, count=3, heap="320m", more=""):
        ports = free_ports(2 * count)
        seats = list(zip(ports[::2], ports[1::2]))
        cluster = new_cluster_id()
        with ThreadPoolExecutor(count) as pool:   # a JVM each
            self.brokers = list(pool.map(
                lambda number: Broker(folder / str(number), number, seats, cluster, heap, more),
                range(1, count + 1)))
        self.bootstrap = ",".join(broker.bootstrap for broker in self.brokers)

    def start(self):
        for broker in self.brokers:
            broker.launch()
        for broker in self.brokers:
            broker.wait()

    def kill(self):
        for broker in self.brokers:
            broker.kill()

    # A broker that ends in order waits for the others: the last two would wait for ever.
    stop = kill

    def lagging(self):
        """(topic, partition, copies in sync) of each partition that lacks one."""
        topics = admin(self.bootstrap).list_topics(timeout=10).topics
        return [(topic.topic, number, partition.isrs) for topic in topics.values()
                for number, partition in topic.partitions.items()
                if len(partition.isrs) < len(partition.replicas) or partition.leader < 0]

    def whole(self, within=120):
        """Waits until every partition has all its copies in sync, and still has them on being
        asked again: a broker that was frozen answers from what it knew before."""
        good = 0

        def asked():
            nonlocal good
            try:
                good = 0 if self.lagging() else good + 1
            except KafkaException:
                good = 0
            return good >= 10
        until(asked, "all copies of all partitions in sync", within, 0.2)


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
