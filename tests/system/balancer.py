# SPDX-License-Identifier: Apache-2.0
"""A plain TCP balancer, as a Kubernetes Service is one: each new connection goes to the next backend
that is ready, and stays there."""

import asyncio
import itertools
import threading
from dataclasses import dataclass

import requests

PROBE_EVERY = 0.1
PROBE_WITHIN = 3.0


@dataclass
class Backend:
    address: tuple
    probe: str
    is_ready: bool = False


class Balancer:
    def __init__(self):
        self._backends = {}      # address -> Backend
        self._turns = itertools.count()
        self._lanes = set()
        self._is_over = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=128))
        self.address = self._server.sockets[0].getsockname()
        self._threads = [threading.Thread(target=each, daemon=True)
                         for each in (self._loop.run_forever, self._probe_all)]
        for thread in self._threads:
            thread.start()

    @property
    def url(self):
        return "http://{}:{}".format(*self.address)

    def add(self, daemon):
        """A pod that has begun: it is sent connections once its probe says that it is ready."""
        self._backends[daemon.address()] = Backend(daemon.address(), daemon.url("admin") + "/readyz")

    def remove(self, daemon):
        """A pod that is to end: nothing new for it, whatever its probe says."""
        del self._backends[daemon.address()]

    def is_ready(self, daemon):
        return self._backends[daemon.address()].is_ready

    def close(self):
        self._is_over.set()
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            thread.join(PROBE_WITHIN * 3)
        self._loop.run_until_complete(self._hang_up())
        self._loop.close()

    async def _hang_up(self):
        self._server.close()
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)

    def _probe_all(self):
        with requests.Session() as session:
            while not self._is_over.wait(PROBE_EVERY):
                for backend in list(self._backends.values()):
                    try:
                        answer = session.get(backend.probe, timeout=PROBE_WITHIN)
                        backend.is_ready = answer.status_code == 200
                    except requests.RequestException:
                        backend.is_ready = False

    async def _serve(self, reader, writer):
        lane = asyncio.current_task()
        self._lanes.add(lane)
        lane.add_done_callback(self._lanes.discard)
        ready = [each.address for each in list(self._backends.values()) if each.is_ready]
        try:
            if not ready:
                raise ConnectionRefusedError
            there, back = await asyncio.open_connection(*ready[next(self._turns) % len(ready)])
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))
        back.close()
        writer.close()


async def _pass_on(source, sink):
    """Every byte, and then the end as it came, in order or not."""
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.write_eof()
    except OSError:
        sink.transport.abort()
