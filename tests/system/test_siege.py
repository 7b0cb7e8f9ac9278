# SPDX-License-Identifier: Apache-2.0
"""Strangers do their worst, and whoever calls in good order has a 202 in time all the same."""

import random
import socket
import subprocess
import threading
import time

import pytest
import requests

from daemons import BUILD, Source
from http_raw import request
from waiting import until

ANSWER_WITHIN = 3.0
HALF_OPEN = 2000
BAD_SIGNATURES = 100_000


@pytest.fixture(scope="module")
def site(module_stack):
    source = Source()
    made = module_stack([source], {"ingress": {
        "max_connections": 4000, "idle_timeout": "60s", "answer_within": f"{ANSWER_WITHIN:g}s",
        "bad_signatures_per_minute": 1000000}})    # so that each is really verified
    made.source = source
    return made.start(enricher=False)


class Good:
    """One caller that stays and one that comes anew each time; both remember what they were told."""

    def __init__(self, site):
        self.site = site
        self.answers = []     # (status, seconds)
        self.enough = threading.Event()
        self.callers = [threading.Thread(target=self._run, args=(stays,)) for stays in (True, False)]
        for each in self.callers:
            each.start()

    def _run(self, stays):
        session = requests.Session()
        while not self.enough.wait(0.02):
            token = self.site.source.token(id=str(random.getrandbits(48)), kind="scan", status="done")
            began = time.monotonic()
            try:
                told = (session if stays else requests).post(
                    self.site.ingress.url() + self.site.source.path, timeout=30,
                    headers={"Authorization": f"Signed {token}"}).status_code
            except requests.RequestException as error:
                told = repr(error)
            self.answers.append((told, time.monotonic() - began))

    def more(self, count):
        end = len(self.answers) + count
        until(lambda: len(self.answers) >= end, f"{count} answers", 60)

    def check(self, what):
        self.enough.set()
        for each in self.callers:
            each.join(60)
        took = sorted(seconds for _, seconds in self.answers)
        print(f"{what}: {len(took)} good ones, p50 {took[len(took) // 2] * 1000:.0f} ms, "
              f"longest {took[-1] * 1000:.0f} ms")
        assert {status for status, _ in self.answers} == {202}
        assert took[-1] <= ANSWER_WITHIN


def whole_request(site):
    token = site.source.token(id="1", kind="scan", status="done")
    return request(site.source.path, [f"Authorization: Signed {token}"], b"{" + b" " * 2000 + b"}")


def test_connections_that_say_half_of_it(site):
    """Nothing, a part of the headers, a part of the body; then silence."""
    whole = whole_request(site)
    sockets = []
    try:
        for number in range(HALF_OPEN):
            sockets.append(socket.create_connection(site.ingress.address(), 10))
            sockets[-1].sendall(whole[:(0, 150, len(whole) - 100)[number % 3]])
        until(lambda: site.ingress.metric("process_open_fds") >= HALF_OPEN, "they are open", 20)
        good = Good(site)
        good.more(200)
        good.check(f"{HALF_OPEN} half-open connections")
        assert site.ingress.metric("process_open_fds") >= HALF_OPEN
    finally:
        for each in sockets:
            each.close()


def test_clients_of_a_byte_at_a_time(site):
    whole = whole_request(site)
    sockets = [socket.create_connection(site.ingress.address(), 10) for _ in range(500)]
    good = Good(site)
    try:
        sent = 0
        while sent < len(whole) // 2 and len(good.answers) < 300:
            for each in sockets:
                each.sendall(whole[sent:sent + 1])
            sent += 1
        good.more(50)
        good.check(f"500 slow clients, {sent} bytes each")
    finally:
        good.enough.set()
        for each in sockets:
            each.close()


def test_floods_of_headers(site):
    large = request(site.source.path, [f"X-{n}: {'a' * 1000}" for n in range(60)], b"{}")
    many = request(site.source.path, [f"X-{n}: a" for n in range(5000)], b"{}")
    enough, told = threading.Event(), []

    def flood(data):
        while not enough.is_set():
            with socket.create_connection(site.ingress.address(), 10) as each:
                try:
                    each.sendall(data)
                    told.append(each.recv(100)[:12])
                except ConnectionError:
                    told.append(b"")

    floods = [threading.Thread(target=flood, args=(data,)) for data in (large, many) * 8]
    for each in floods:
        each.start()
    good = Good(site)
    try:
        good.more(200)
        good.check("floods of headers")
    finally:
        good.enough.set()
        enough.set()
        for each in floods:
            each.join(30)
    print(f"{len(told)} floods")
    assert len(told) > 200
    assert set(told) <= {b"HTTP/1.1 431", b""}


@pytest.mark.timeout(300)
def test_very_many_bad_signatures(site, tmp_path):
    webhooks = tmp_path / "bad"
    with open(webhooks, "w") as lines:
        for number in range(500):
            head, claims, _ = site.source.token(id=str(number), kind="scan", status="done").split(".")
            _, _, other = site.source.token(id="other", kind="scan", status="done").split(".")
            print(f"{head}.{claims}.{other}", file=lines)
    good = Good(site)
    refused, port = 0, str(site.ingress.address()[1])
    try:
        while refused < BAD_SIGNATURES:
            done = subprocess.run([BUILD / "bench-load", port, site.source.path, webhooks, "64", "15"],
                                  capture_output=True, text=True, check=True)
            answers, others, *_ = done.stdout.split()
            assert answers == others, "none of them is answered 202"
            refused += int(others)
        good.check(f"{refused} bad signatures")
    finally:
        good.enough.set()
    assert site.ingress.metric("vulnbus_bad_signatures_total") >= BAD_SIGNATURES
    site.tap.drain()
    ids = [record.value["id"] for record in site.tap.records["events"]]
    assert len(ids) == len(set(ids)) >= len(good.answers)
