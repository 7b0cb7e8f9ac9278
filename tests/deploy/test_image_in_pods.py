# SPDX-License-Identifier: Apache-2.0
"""What the chart renders is started by `podman kube play`: the nearest to a kubelet that needs no cluster. What podman
does not know is adapted here, and what a kubelet would do besides (probes, the end of a pod) these tests do."""

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
import yaml as pyyaml
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

import chart
import containers
from containers import podman
from daemons import Source
from kafka import Broker, free_ports
from reader import Tap
from signing import Signer
from waiting import until

SECRETS = {"hooks": "the-hooks", "api": "the-tokens"}


class Pods:
    """The objects of one release, on ports of their own, with the Secrets' content in folders."""

    def __init__(self, folder: Path, broker, image, more=None):
        self.folder = folder
        self.source = Source()
        self.signer = self.source.stub.signer
        self.prefix = f"test-{secrets.token_hex(4)}"
        self.name = f"r{secrets.token_hex(3)}"
        self.ports = dict(zip((8080, 9464, 9465), free_ports(3)))
        self.started = {}
        self.claims = set()
        self._write_secrets()
        repository, tag = image.rsplit(":", 1)
        more = dict(more or {})
        values = chart.merge({
            "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
            "config": {"kafka": {"bootstrap_servers": broker.bootstrap},
                       "topics": {"prefix": self.prefix, "partitions": 3, "replication_factor": 1},
                       "ingress": {"public_url": "https://hooks.example.com"},
                       "enricher": {"retry_from": "100ms", "retry_to": "1s", "session_timeout": "6s"}},
            "sources": [{"name": self.source.name, "vendor": self.source.vendor,
                         "base_url": self.source.stub.url,
                         "hook": {"secret": "${file:/run/secrets/hooks/acme-vdr}"},
                         "api": {"token": "${file:/run/secrets/api/acme-vdr}"},
                         **more.pop("sources", {})}],
            "ingress": {"replicas": 1, "secrets": {"hooks": SECRETS["hooks"]}},
            "enricher": {"replicas": 1, "secrets": {"api": SECRETS["api"]}},
        }, more)
        path = folder / "values.yaml"
        path.write_text(pyyaml.safe_dump(values))
        self.objects = chart.objects(chart.render(path, release=self.name))
        self.tap = Tap(broker.bootstrap, self.prefix)

    def _write_secrets(self):
        for secret, text in ((SECRETS["hooks"], self.source.secret), (SECRETS["api"], self.source.stub.token)):
            path = self.folder / secret / "acme-vdr"
            path.parent.mkdir()
            path.write_text(text + "\n")
            path.chmod(0o644)
        (self.folder / SECRETS["hooks"] / "public.pem").write_text(self.signer.pem)
        self.folder.chmod(0o755)

    def find(self, kind, name):
        return next(it for it in self.objects if it["kind"] == kind and it["metadata"]["name"] == f"{self.name}-{name}")

    def workload(self, role):
        return next(it for it in self.objects if it["kind"] in ("Deployment", "StatefulSet")
                    and it["metadata"]["name"] == f"{self.name}-vulnbus-{role}")

    def _config_map(self, role):
        """Ports of its own on this machine, which all tests share."""
        made = self.find("ConfigMap", f"vulnbus-{role}")
        text = made["data"]["vulnbus.yaml"]
        for port, own in self.ports.items():
            text = text.replace(f"0.0.0.0:{port}", f"127.0.0.1:{own}")
        return {**made, "data": {"vulnbus.yaml": text}}

    def _pod(self, spec):
        """What podman 4.3 does not take: Secrets as volumes become folders; probes would be curl in the container."""
        spec = dict(spec, serviceAccountName=None, topologySpreadConstraints=None)
        spec["containers"] = [{key: value for key, value in each.items()
                               if key not in ("livenessProbe", "startupProbe", "readinessProbe", "lifecycle", "ports")}
                              for each in spec["containers"]]
        spec["volumes"] = [
            {"name": each["name"], "hostPath": {"path": str(self.folder / each["secret"]["secretName"]),
                                                "type": "Directory"}} if "secret" in each else each
            for each in spec["volumes"]]
        return {key: value for key, value in spec.items() if value is not None}

    def _play(self, name, documents):
        path = self.folder / f"{name}.yaml"
        path.write_text(pyyaml.safe_dump_all(documents))
        # It says which pod and which container it made; their names differ from version to version.
        said = podman("kube", "play", "--network", "host", path)
        self.started[name] = path
        return said.split()[-1]

    def start(self, role):
        made = self.workload(role)
        template = made["spec"]["template"]
        documents = [self._config_map(role)]
        if made["kind"] == "Deployment":
            documents.append({**made, "spec": {**made["spec"], "replicas": 1, "template": {
                **template, "spec": self._pod(template["spec"])}}})
        else:
            name = f"{made['metadata']['name']}-0"
            spec = self._pod(template["spec"])
            for claim in made["spec"].get("volumeClaimTemplates", []):
                claim_name = f"{claim['metadata']['name']}-{name}"
                if claim_name not in self.claims:   # a pod that comes again finds its volume
                    documents.append({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                                      "metadata": {"name": claim_name}, "spec": claim["spec"]})
                    self.claims.add(claim_name)
                spec["volumes"] = spec["volumes"] + [{"name": claim["metadata"]["name"],
                                                      "persistentVolumeClaim": {"claimName": claim_name}}]
            documents.append({"apiVersion": "v1", "kind": "Pod",
                              "metadata": {**template["metadata"], "name": name}, "spec": spec})
        container = self._play(role, documents)
        ports = {each["name"]: self.ports[each["containerPort"]] for each in template["spec"]["containers"][0]["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = template["spec"]["containers"][0][probe]["httpGet"]
            url = f"http://127.0.0.1:{ports[asked['port']]}{asked['path']}"
            until(lambda: self._is_well(container, url), f"{role}: {probe} {url}", 40)
        return container

    def test(self, signer):
        """Runs the test pod with a key; (exit status, what it said)."""
        folder = self.folder / "the-key"
        folder.mkdir()
        (folder / "key.pem").write_bytes(signer.private.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (folder / "key.pem").chmod(0o644)
        made = self.find("Pod", "vulnbus-test")
        spec = self._pod(made["spec"])
        service = f"http://{self.name}-vulnbus-ingress:8080"   # there is no DNS of a cluster here
        [each] = spec["containers"]
        assert service in each["args"]
        each["args"] = [f"http://127.0.0.1:{self.ports[8080]}" if word == service else word for word in each["args"]]
        container = self._play("test", [self._config_map("ingress"), {**made, "spec": spec}])
        return int(podman("wait", container)), self.log(container)

    def _is_well(self, container, url):
        state = containers.podman("inspect", "--format", "{{.State.Status}}", container)
        assert state == "running", f"{state}\n{self.log(container)}"
        try:
            return requests.get(url, timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def end(self, role, container):
        """As a kubelet ends a pod: SIGTERM, and only after the grace period the kill."""
        grace = self.workload(role)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        podman("stop", "-t", grace, container)
        assert podman("inspect", "--format", "{{.State.ExitCode}}", container) == "0", self.log(container)

    def restart(self, role, container):
        self.end(role, container)
        podman("kube", "down", self.started.pop(role))
        return self.start(role)

    def log(self, container):
        return containers.podman("logs", container)

    def post(self, **claims):
        return requests.post(
            f"http://127.0.0.1:{self.ports[8080]}{self.source.path}", timeout=20,
            headers={"Authorization": f"Signed {self.source.token(**claims)}"})

    def close(self):
        for path in self.started.values():
            podman("kube", "down", path)
        podman("volume", "prune", "--force")   # of this storage, which is the tests' own
        self.tap.close()
        self.source.stub.down()


@pytest.fixture
def pods(tmp_path, broker, image):
    made = []

    def make(more=None, kafka=broker):
        made.append(Pods(tmp_path, kafka, image, more))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("spool", [False, True])
def test_a_webhook_becomes_a_record(pods, spool):
    it = pods({"ingress": {"spool": {"enabled": spool, "maxSize": "16MiB"}}})
    assert it.workload("ingress")["kind"] == ("StatefulSet" if spool else "Deployment")
    running = {role: it.start(role) for role in ("ingress", "enricher")}
    number = str(secrets.randbits(40))
    it.source.stub.scan(number)
    answer = it.post(kind="scan", id=number, status="done", attemptNumber=1)
    assert answer.status_code == 202, (answer.status_code, it.log(running["ingress"]))
    record = it.tap.one("scans", event_id=f"acme-vdr:scan:{number}:1:done", within=40)
    assert record.value["scan"]["status"] == "completed"
    for role, container in running.items():
        it.end(role, container)


def test_the_spool_outlives_its_pod(pods, tmp_path_factory):
    """What was taken while Kafka was away is on the volume, and the next pod of that name sends it."""
    kafka = Broker(tmp_path_factory.mktemp("own"))
    kafka.start()
    try:
        it = pods({"ingress": {"spool": {"enabled": True, "maxSize": "16MiB"}}}, kafka)
        ingress = it.start("ingress")
        kafka.stop()
        number = str(secrets.randbits(40))
        it.source.stub.scan(number)
        answer = it.post(kind="scan", id=number, status="done", attemptNumber=1)
        assert answer.status_code == 202, it.log(ingress)
        it.end("ingress", ingress)
        podman("kube", "down", it.started.pop("ingress"))
        kafka.start()
        assert not it.tap.find("events")
        it.start("ingress")
        it.start("enricher")
        record = it.tap.one("scans", event_id=f"acme-vdr:scan:{number}:1:done", within=60)
        assert record.value["scan"]["id"] == number
    finally:
        kafka.stop()


def test_restarts_lose_nothing(pods):
    """Webhooks go on while both pods are replaced by new ones of the same name, one after the other."""
    it = pods({"config": {"enricher": {"session_timeout": "30s"}}})
    running = {role: it.start(role) for role in ("ingress", "enricher")}
    numbers, ended = [], threading.Event()

    def call():
        while not ended.is_set():
            number = str(secrets.randbits(40))
            it.source.stub.scan(number)
            try:
                answer = it.post(kind="scan", id=number, status="done", attemptNumber=1)
            except requests.ConnectionError:   # another pod's turn, where there are several
                continue
            assert answer.status_code in (202, 503), answer.status_code
            if answer.status_code == 202:
                numbers.append(number)

    def carried():
        return len(numbers)

    def more():
        before = carried()
        until(lambda: carried() >= before + 20, "webhooks are taken", 30)

    with ThreadPoolExecutor(1) as pool:
        calls = pool.submit(call)
        try:
            more()
            for role in ("enricher", "ingress", "enricher"):
                running[role] = it.restart(role, running[role])
                more()
        finally:
            ended.set()
        calls.result()
    it.tap.wait("scans", len(set(numbers)), within=60)
    it.tap.drain()
    seen = [record.value["scan"]["id"] for record in it.tap.records["scans"]]
    assert len(seen) == len(set(seen)) and set(numbers) <= set(seen), (len(numbers), len(seen))


@pytest.mark.parametrize("key", ["the source's", "another"])
def test_helm_test(pods, key):
    """The pod of `helm test`: it succeeds when its webhook is on Kafka, and fails when the signature is not right."""
    number = str(secrets.randbits(40))
    it = pods({"sources": {"signature": {"key_files": ["/run/secrets/hooks/public.pem"]}},
               "test": {"source": "acme-vdr", "kind": "scan.completed", "keySecret": "the-key",
                        "arguments": ["--id", number]}})
    it.source.stub.scan(number)
    it.start("ingress")
    code, said = it.test(it.signer if key == "the source's" else Signer())
    if key == "another":
        assert code != 0 and "401" in said, said
        return
    assert code == 0 and "202" in said, said
    it.start("enricher")
    assert it.tap.one("scans", within=40).value["scan"]["id"] == number


def test_each_role_holds_only_its_secrets(pods):
    it = pods()
    for role, own, other in (("ingress", "hooks", "api"), ("enricher", "api", "hooks")):
        text = it.find("ConfigMap", f"vulnbus-{role}")["data"]["vulnbus.yaml"]
        assert f"/run/secrets/{own}/" in text and f"/run/secrets/{other}/" not in text
        mounts = it.workload(role)["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
        assert f"/run/secrets/{own}" in [each["mountPath"] for each in mounts]
        assert not [each for each in mounts if "subPath" in each or other in each["mountPath"]]
