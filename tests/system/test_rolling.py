# SPDX-License-Identifier: Apache-2.0
"""Two ingresses and three enrichers behind a plain TCP balancer are restarted one by one, as
Kubernetes does it, while webhooks come: none fails, and there is one record of each."""

import itertools
import json
import threading
import time
from collections import Counter

import pytest
import requests

from balancer import Balancer
from daemons import Daemon, Source
from http_raw import Connection, request
from test_unsigned import probely
from vendor import Reply, Vendor
from waiting import until

ROUNDS = 3
PACES = [(0.05, True), (0.05, True), (0.5, True), (0.15, False)]   # seconds, is the connection kept?
PRE_STOP = 0.3           # 10 s in the Helm chart, for a whole cluster to learn what is known here at once
DRAIN_WITHIN = 6.0


# --- the load ---

class Client(threading.Thread):
    """A sender that tells of one thing after the other, of none twice, and has no second try."""

    numbers = itertools.count(1)

    def __init__(self, balancer, source, every, keeps):
        super().__init__(daemon=True)
        self.url = balancer.url + source.path
        self.source = source
        self.every = every
        self.keeps = keeps
        self.headers = {"Content-Type": "application/json",
                        "Connection": "keep-alive" if keeps else "close"}
        self.told = {}           # the event's id -> the answer's code, or what went wrong
        self.let_go = 0          # so often it was told to give up the connection that it kept
        self.enough = threading.Event()

    def run(self):
        with requests.Session() as session:
            while not self.enough.wait(self.every):
                name, document, headers = self.make(str(next(Client.numbers)))
                try:
                    answer = session.post(self.url, data=json.dumps(document), timeout=20,
                                          headers={**self.headers, **headers})
                    self.told[name] = answer.status_code
                    self.let_go += self.keeps and answer.headers.get("Connection") == "close"
                except requests.RequestException as error:
                    self.told[name] = repr(error)

    def stop(self):
        self.enough.set()
        self.join(30)
        assert not self.is_alive()


class Signed(Client):
    topic = "scans"

    def make(self, number):
        path = self.source.stub.scan(number)
        if int(number) % 10 == 0:
            self.source.stub.script(path, Reply(503))    # asked again a little later
        claims = {"id": number, "kind": "scan", "status": "done"}
        return (f"{self.source.name}:scan:{number}:0:done", claims,
                {"Authorization": "Signed " + self.source.token(**claims)})


class Unsigned(Client):
    topic = "findings"

    def make(self, number):
        target = f"t{int(number) % 7}"
        self.source.stub.items[f"/targets/{target}/findings/{number}/"] = {
            "id": int(number), "severity": 30, "state": "notfixed"}
        body = probely("finding_detected", {"id": int(number), "target": {"id": target}})
        return f"{self.source.name}:{body['id']}", body, {}


# --- the pods ---

def pod(made, program, name):
    """Another process on the same topics: a name and a disk of its own."""
    config = made.folder / f"{name}.yaml"
    (made.folder / f"state-{name}").mkdir()
    config.write_text(made.config.read_text()
                      .replace("instance_id: one", f"instance_id: {name}")
                      .replace(f"{made.folder}/state", f"{made.folder}/state-{name}"))
    return Daemon(program, config, made.folder / f"{name}.log")


def end(daemon):
    daemon.terminate()
    code = daemon.wait(15)
    daemon.check_log()
    assert code == 0, daemon.log


def begin_ingress(balancer, ingress):
    ingress.start(ready=False)
    balancer.add(ingress)
    until(lambda: balancer.is_ready(ingress), f"{ingress.log} is ready", 30)


def restart_ingress(balancer, ingress):
    until(lambda: ingress.metric("vulnbus_webhooks_total", code="202") > 0, "it is at work")
    balancer.remove(ingress)
    threading.Event().wait(PRE_STOP)
    end(ingress)
    begin_ingress(balancer, ingress)


def restart_enricher(enricher):
    until(lambda: enricher.metric("vulnbus_events_done_total") > 0, "it is at work")
    end(enricher)
    enricher.start()


# --- the sentence ---

@pytest.fixture
def place(stack):
    vdr, web = Source(), Source("web", "probely", Vendor(word="JWT"))
    made = stack([vdr, web], {"topics": {"partitions": 6}, "enricher": {"session_timeout": "10s"}})
    ingresses = [pod(made, "vulnbus-ingress", f"ingress-{number}") for number in range(2)]
    enrichers = [pod(made, "vulnbus-enricher", f"enricher-{number}") for number in range(3)]
    balancer = Balancer()
    clients = [kind(balancer, source, *pace) for kind, source in ((Signed, vdr), (Unsigned, web))
               for pace in PACES]
    yield made, balancer, ingresses, enrichers, clients
    for client in clients:
        if client.is_alive():
            client.stop()
    balancer.close()
    for daemon in ingresses + enrichers:
        daemon.kill()


@pytest.mark.timeout(240)
def test_a_rolling_restart_under_load_fails_no_webhook_and_doubles_no_record(place):
    made, balancer, ingresses, enrichers, clients = place
    for ingress in ingresses:
        begin_ingress(balancer, ingress)
    for enricher in enrichers:
        enricher.start(ready=False)
    until(lambda: all(enricher.ready() for enricher in enrichers), "three enrichers are ready", 30)
    began = time.monotonic()
    for client in clients:
        client.start()
    for _ in range(ROUNDS):
        for ingress in ingresses:
            restart_ingress(balancer, ingress)
        for enricher in enrichers:
            restart_enricher(enricher)
    took = time.monotonic() - began
    for client in clients:
        client.stop()

    told = {name: answer for client in clients for name, answer in client.told.items()}
    print(f"{len(told)} webhooks in {took:.1f} s; told to let go: {[c.let_go for c in clients]}")
    assert {name: answer for name, answer in told.items() if answer != 202} == {}
    assert sum(client.let_go for client in clients) >= ROUNDS * len(ingresses)
    wanted = {topic: [name for client in clients if client.topic == topic for name in client.told]
              for topic in ("scans", "findings")}
    for topic, names in wanted.items():
        made.tap.wait(topic, len(names), 60)
    for daemon in ingresses + enrichers:     # and whatever they would still write
        daemon.stop()
    made.tap.drain()
    check_once(made, "events", "id", list(told))
    for topic, names in wanted.items():
        check_once(made, topic, "event_id", names)
    assert not made.tap.records["dead-letters"]


def check_once(made, topic, field, names):
    found, wanted = Counter(record.value[field] for record in made.tap.records[topic]), Counter(names)
    assert (wanted - found, found - wanted) == (Counter(), Counter()), f"{topic}: missing, too many"


def test_an_ingress_told_to_end_serves_who_is_connected_and_tells_them_to_let_go(stack):
    source = Source()
    made = stack([source], {"ingress": {"drain_within": f"{DRAIN_WITHIN:g}s"}}).start(enricher=False)
    numbers = map(str, itertools.count(1))

    def call(connection):
        connection.send(request(source.path, [
            "Authorization: Signed " + source.token(id=next(numbers), kind="scan", status="done")]))
        answer = connection.answer()
        assert answer.status == 202
        return answer.headers.get("connection")

    address = made.ingress.address()
    with Connection(address) as busy, Connection(address) as idle:
        assert call(busy) is None and call(idle) is None
        told = time.monotonic()
        made.ingress.terminate()
        until(lambda: made.ingress.admin("/readyz").status_code == 503, "it is not ready any more", 2)
        assert call(busy) == "close" and busy.ended()
        with Connection(address) as late:     # of who has not looked at /readyz
            assert call(late) == "close" and late.ended()
        assert idle.ended()
        assert DRAIN_WITHIN / 2 <= time.monotonic() - told < DRAIN_WITHIN + 1
    assert made.ingress.wait() == 0
    made.ingress.start()
    began = time.monotonic()
    made.ingress.stop()
    assert time.monotonic() - began < DRAIN_WITHIN / 2, "nobody is connected"
