# SPDX-License-Identifier: Apache-2.0
"""kafka.properties for brokers that ask who comes: TLS, client certificates, SASL."""

import ctypes
import itertools
import json
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import confluent_kafka
import pytest
import requests

from certificates import CLIENT, SERVER, Authority
from daemons import Source, Stack, run
from kafka import SecureBroker
from waiting import until

USER, OTHER = "vulnbus", "other"
PASSWORDS = {user: "pw-" + secrets.token_hex(12) for user in (USER, OTHER)}
PASSWORD = PASSWORDS[USER]
SCRAM = ["SCRAM-SHA-256", "SCRAM-SHA-512"]


class Site:
    """The broker, and what its clients need."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = Authority(folder, "authority")
        self.strangers = Authority(folder, "strangers")
        stores = []
        for stem, host in (("broker", "localhost"), ("elsewhere", "elsewhere.example")):
            certificate, key = self.authority.issue(stem, purpose=SERVER, host=host)
            stores.append(folder / f"{stem}.pem")
            stores[-1].write_bytes(key.read_bytes() + certificate.read_bytes())
        self.broker = SecureBroker(folder / "broker", stores, self.authority.file, PASSWORDS)
        self.client = self.authority.issue("client", purpose=CLIENT)
        self.stranger = self.strangers.issue("stranger", purpose=CLIENT)
        self.broker.start()

    def sasl(self, mechanism, password_file, listener="sasl", **more):
        return {"bootstrap_servers": self.broker.address(listener), "properties": {
            "security.protocol": "sasl_ssl", "sasl.mechanism": mechanism,
            "sasl.username": USER, "sasl.password": f"${{file:{password_file}}}",
            "ssl.ca.location": str(self.authority.file), "broker.address.family": "v4", **more}}

    def mutual(self, **more):
        return {"bootstrap_servers": self.broker.address("mutual"), "properties": {
            "security.protocol": "ssl", "broker.address.family": "v4", **more}}

    def by_path(self, pair, authority):
        return {"ssl.ca.location": str(authority), "ssl.certificate.location": str(pair[0]),
                "ssl.key.location": str(pair[1])}

    def by_text(self, pair, authority):
        return {"ssl.ca.pem": f"${{file:{authority}}}",
                "ssl.certificate.pem": f"${{file:{pair[0]}}}", "ssl.key.pem": f"${{file:{pair[1]}}}"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("secure"))
    yield made
    made.broker.kill()


@pytest.fixture
def password(tmp_path):
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    return file


@pytest.fixture
def place(site, tmp_path):
    made = []

    def make(kafka, **settings):
        source = Source()
        made.append(Stack(site.broker, tmp_path / f"stack{len(made)}", [source], {
            "kafka": kafka, "reload": {"every": "1s"}, **settings}))
        made[-1].source = source
        return made[-1]
    yield make
    for each in made:
        each.close()


def replace(file, text):
    new = file.with_suffix(".new")
    new.write_bytes(text) if isinstance(text, bytes) else new.write_text(text)
    new.rename(file)


def carried(made):
    """A webhook becomes a record, and the tool finds it; nothing secret is in any log."""
    number = str(secrets.randbelow(10**9))
    made.source.stub.scan(number)
    name = made.notify(made.source, id=number, kind="scan", status="done")
    made.tap.one("scans", event_id=name)
    said = run("vulnbus", "tail", "-c", made.config, "--json", "scans")
    assert said.returncode == 0, said.stderr
    assert name in [json.loads(line)["value"]["event_id"] for line in said.stdout.splitlines()]
    assert run("vulnbus", "topics", "-c", made.config, "--diff").returncode == 0
    keeps_secrets(made, said.stdout + said.stderr)


def keeps_secrets(made, text=""):
    for daemon in (made.ingress, made.enricher):
        text += daemon.log.read_text() if daemon.log.exists() else ""
        if daemon.process is not None:
            text += daemon.admin("/metrics").text
    for secret in (*PASSWORDS.values(), "PRIVATE KEY"):
        assert secret not in text


def test_plain_carries_a_webhook_to_its_record(site, place, password):
    carried(place(site.sasl("PLAIN", password)).start())


@pytest.mark.parametrize("mechanism", SCRAM)
def test_scram_carries_a_webhook_to_its_record(site, place, password, recent, mechanism):
    carried(place(site.sasl(mechanism, password)).start())


@pytest.mark.parametrize("form", ["by_path", "by_text"])
def test_a_client_certificate_carries_a_webhook_to_its_record(site, place, form):
    properties = getattr(site, form)(site.client, site.authority.file)
    carried(place(site.mutual(**properties)).start())


@pytest.fixture
def recent(tmp_path, monkeypatch):
    """librdkafka before 2.6.1 cannot log in by SCRAM at Kafka 4. Where the system's is one of
    those the programs are run with the one that the Python client brings along."""
    if linked() >= (2, 6, 1):
        return
    [brought] = (Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs").glob(
        "librdkafka*.so*")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/librdkafka.so.1").symlink_to(brought)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path / "lib"))


def linked():
    version = ctypes.CDLL("librdkafka.so.1").rd_kafka_version()
    return version >> 24, version >> 16 & 0xff, version >> 8 & 0xff


def refused(made, *causes):
    """Neither is ready, webhooks are answered 503, and the log says why."""
    made.ingress.start(ready=False)
    made.enricher.start(ready=False)
    for daemon in (made.ingress, made.enricher):
        lines = until(lambda: [line["error.message"] for line in daemon.lines()
                               if line["log.level"] in ("warn", "error") and
                               any(cause in line.get("error.message", "") for cause in causes)],
                      f"{daemon.program} says {causes}", 30)
        assert not daemon.ready(), lines
    token = made.source.token(id="1", kind="scan", status="done")
    answer = made.post(made.source, token)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5")
    keeps_secrets(made)


def becomes_ready(made):
    for daemon in (made.ingress, made.enricher):
        until(daemon.ready, f"{daemon.program} is ready", 40)
    carried(made)


@pytest.mark.parametrize("mechanism", ["PLAIN", *SCRAM])
def test_a_wrong_password_is_named_and_the_right_one_taken(site, place, password, recent,
                                                           mechanism):
    password.write_text("wrong")
    made = place(site.sasl(mechanism, password))
    refused(made, "uthentication failed")
    replace(password, PASSWORD)
    becomes_ready(made)


def test_an_unknown_authority_is_named_and_the_right_one_taken(site, place, password, tmp_path):
    ca = tmp_path / "ca.pem"
    ca.write_bytes(site.strangers.file.read_bytes())
    made = place(site.sasl("PLAIN", password, **{"ssl.ca.location": str(ca)}))
    refused(made, "certificate verify failed")
    replace(ca, site.authority.file.read_bytes())
    becomes_ready(made)


def test_a_broker_that_is_not_who_it_says_is_refused(site, place, password):
    made = place(site.sasl("SCRAM-SHA-512", password, "elsewhere"))
    refused(made, "certificate verify failed", "hostname mismatch")


@pytest.mark.parametrize("form", ["by_path", "by_text"])
def test_a_client_certificate_of_strangers_is_refused_and_the_right_one_taken(
        site, place, tmp_path, form):
    pair = tmp_path / "c.crt", tmp_path / "c.key"
    for mine, theirs in zip(pair, site.stranger):
        mine.write_bytes(theirs.read_bytes())
    made = place(site.mutual(**getattr(site, form)(pair, site.authority.file)))
    refused(made, "SSL", "ssl")
    for mine, theirs in zip(pair, site.client):
        replace(mine, theirs.read_bytes())
    becomes_ready(made)


def test_scram_with_the_systems_librdkafka_works_or_names_its_version(site, place, password):
    made = place(site.sasl("SCRAM-SHA-512", password))
    if linked() >= (2, 6, 1):
        carried(made.start())
        return
    refused(made, "SCRAM-SHA-512")
    for daemon in (made.ingress, made.enricher):
        hints = [line for line in daemon.lines() if "2.6.1" in line.get("hint", "")]
        assert hints
        assert {line["librdkafka.version"] for line in hints} == {".".join(map(str, linked()))}


class Callers:
    """Webhooks from several at once, each one after the other, until told that it is enough."""

    def __init__(self, made, count=6):
        self.made = made
        self.names = []
        self.enough = threading.Event()
        self.pool = ThreadPoolExecutor(count)
        self.callers = [self.pool.submit(self._run, str(n)) for n in range(count)]

    def _run(self, caller):
        source, session = self.made.source, requests.Session()
        for turn in itertools.count(1):
            if self.enough.wait(0.005):
                return
            token = source.token(id=caller, kind="scan", status="done", attemptNumber=turn)
            answer = session.post(self.made.ingress.url() + source.path, timeout=30,
                                  headers={"Authorization": f"Signed {token}"})
            assert answer.status_code == 202, answer.status_code
            self.names.append(f"{source.name}:scan:{caller}:{turn}:done")

    def stop(self):
        """What was taken; fails with whoever was refused."""
        self.enough.set()
        for caller in self.callers:
            caller.result(60)
        return self.names


def test_another_user_is_taken_under_load_and_no_webhook_is_refused(site, place, password,
                                                                    tmp_path):
    user = tmp_path / "user"
    user.write_text(USER)
    made = place(site.sasl("PLAIN", password, **{"sasl.username": f"${{file:{user}}}"})).start()
    load = Callers(made)
    for name in (OTHER, USER):
        so_far = len(load.names)
        until(lambda: len(load.names) > so_far + 100, "webhooks before", 20)
        times = [renewed(daemon) for daemon in (made.ingress, made.enricher)]
        replace(user, name)
        replace(password, PASSWORDS[name])
        until(lambda: [renewed(daemon) for daemon in (made.ingress, made.enricher)] >=
              [time + 1 for time in times], "both have other clients", 20)
        so_far = len(load.names)
        until(lambda: len(load.names) > so_far + 100, "webhooks after", 20)
    names = load.stop()
    made.tap.wait("scans", len(names), 60)
    made.tap.drain()
    assert sorted(r.value["event_id"] for r in made.tap.records["scans"]) == sorted(names)
    keeps_secrets(made)


def renewed(daemon):
    return sum(line["message"].startswith("kafka.properties have changed")
               for line in daemon.lines())


def test_with_sighup_alone_too(site, place, password):
    password.write_text("wrong")
    made = place(site.sasl("PLAIN", password), reload={"every": "0s"})
    refused(made, "uthentication failed")
    replace(password, PASSWORD)
    for daemon in (made.ingress, made.enricher):
        daemon.hang_up()
    becomes_ready(made)


@pytest.mark.parametrize("properties, reason", [
    ({"sasl.mechanism": "OAUTHBEARER"}, "OAUTHBEARER is not supported"),
    ({"sasl.mechanisms": "oauthbearer", "sasl.oauthbearer.method": "oidc"},
     "OAUTHBEARER is not supported"),
    ({"security.protocol": "sasl_ssl", "sasl.mechanism": "SCRAM-SHA-1024",
      "sasl.username": "x", "sasl.password": "y"}, "SCRAM-SHA-1024"),
    ({"security.protocol": "tls"}, "security.protocol"),
    ({"security.protocol": "${file:{secret}}"}, "security.protocol"),
    ({"security.protocol": "ssl", "ssl.ca.location": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
    ({"security.protocol": "ssl", "ssl.ca.pem": "${file:{secret}}"}, "ssl.ca.pem"),
    ({"security.protocol": "ssl", "ssl.key.pem": "${file:{secret}}"}, "ssl.key.pem"),
    ({"security.protocol": "ssl", "ssl.certificate.location": "{secret}"},
     "ssl.certificate.location"),
    ({"security.protocol": "ssl", "ssl.cipher.suites": "NONE-OF-THESE"}, "ssl.cipher.suites"),
    ({"sasl.password": "${file:/nowhere/password}"}, "/nowhere/password"),
    ({"sasl.pasword": "x"}, "sasl.pasword"),
    ({"security.protocol": "sasl_ssl", "sasl.mechanism": "PLAIN"}, "sasl.username"),
    ({"security.protocol": "sasl_ssl", "sasl.mechanism": "SCRAM-SHA-512"}, "sasl.username"),
])
def test_check_config_refuses_what_cannot_work_and_quotes_no_secret(
        site, place, password, properties, reason):
    made = place({"properties": {name: value.replace("{secret}", str(password))
                                 for name, value in properties.items()}})
    for program, arguments in (("vulnbus", ["check-config", "-c"]),
                               ("vulnbus-ingress", ["--check-config", "-c"]),
                               ("vulnbus-enricher", ["--check-config", "-c"])):
        said = run(program, *arguments, made.config)
        assert said.returncode == 78, said
        assert reason in said.stderr
        assert f"{made.config}:" in said.stderr
        assert PASSWORD not in said.stdout + said.stderr


@pytest.mark.parametrize("form", ["by_path", "by_text"])
def test_print_config_masks_what_is_secret(site, place, password, form):
    kafka = site.sasl("PLAIN", password)
    kafka["properties"].update(getattr(site, form)(site.client, site.authority.file),
                               **{"ssl.key.password": "a-passphrase"})
    made = place(kafka)
    said = run("vulnbus", "print-config", "-c", made.config)
    assert said.returncode == 0, said.stderr
    lines = dict(line.strip().split(": ", 1) for line in said.stdout.splitlines()
                 if line.startswith("    ") and ": " in line)
    for name in ("sasl.password", "ssl.key.password", *(
            ["ssl.key.pem", "ssl.ca.pem", "ssl.certificate.pem"] if form == "by_text" else [])):
        assert lines[name] == '"********"', name
    if form == "by_path":
        assert lines["ssl.key.location"] == str(site.client[1])
    for secret in (PASSWORD, "a-passphrase", "PRIVATE KEY"):
        assert secret not in said.stdout
