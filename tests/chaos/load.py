# SPDX-License-Identifier: Apache-2.0
"""The vendors' side, in a process of its own: events at random times, delivered by each vendor's
rules, every attempt written down as one JSON line."""

import asyncio
import json
import multiprocessing
import random
import time
from dataclasses import dataclass
from pathlib import Path

from accounting import Attempt
from caller import Caller

RESENT = 0.05     # share of acknowledged events that are delivered again
WITHHELD = 0.05   # share of the events that an API lists and no webhook tells


@dataclass
class Sender:
    """One source: its dialect (story, request), its retries, its route, its share of the load."""
    name: str
    dialect: object
    retry: object
    path: str
    per_second: float


class Load:
    def __init__(self, address, senders, seed, out):
        self.caller = Caller(address)
        self.senders = senders
        self.random = random.Random(f"{seed}/load")
        self.out = out
        self.number = 0
        self.open = set()       # stories under way
        self.is_over = False    # no further retries either

    def _note(self, sender, event, told):
        line = {"id": event.id, "source": sender.name, "key": event.key, **told}
        if sender.dialect.is_listed:
            line["listed"] = event.body
        if event.rows is not None:
            line["rows"] = event.rows
        self.out.write(json.dumps(line) + "\n")

    async def deliver(self, sender, event):
        """Whether the vendor was told 202 in the end."""
        failures = 0
        while not self.is_over:
            body, headers = sender.dialect.request(event)
            told = await self.caller.call(sender.path, body, headers, sender.retry.timeout)
            self._note(sender, event, told)
            if told.get("status") == 202:
                return True
            failures += 1
            delay = sender.retry.delay(failures)
            if delay is None:
                return False
            await asyncio.sleep(delay)
        return False

    async def tell(self, sender, number, chance):
        for event in sender.dialect.story(number, chance):
            if sender.dialect.is_listed and chance.random() < WITHHELD:
                self._note(sender, event, {"sent": time.time(), "withheld": True})
                continue
            acked = await self.deliver(sender, event)
            if acked and chance.random() < RESENT:
                await asyncio.sleep(chance.choice((0.0, 0.2, 2.0, 8.0)))
                await self.deliver(sender, event)

    async def arrivals(self, sender, enough):
        chance = random.Random(self.random.random())
        due = time.monotonic()
        while not enough.is_set():
            due += chance.expovariate(sender.per_second)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.number += 1
            task = asyncio.ensure_future(
                self.tell(sender, self.number, random.Random(chance.random())))
            self.open.add(task)
            task.add_done_callback(self.open.discard)

    async def run(self, enough, grace):
        ending = asyncio.Event()

        async def watch():
            while not enough.is_set():
                self.out.flush()
                await asyncio.sleep(0.1)
            ending.set()

        await asyncio.gather(watch(), *(self.arrivals(each, ending) for each in self.senders))
        deadline = time.monotonic() + grace
        while self.open and time.monotonic() < deadline:
            await asyncio.wait(set(self.open), timeout=deadline - time.monotonic())
        self.is_over = True
        for task in set(self.open):
            task.cancel()
        await asyncio.gather(*self.open, return_exceptions=True)
        self.caller.close()


def main(address, senders, seed, path, enough, grace):
    with open(path, "w") as out:
        asyncio.run(Load(address, senders, seed, out).run(enough, grace))


class Process:
    """Load under way; what it wrote can be read at any time."""

    def __init__(self, address, senders, seed, path: Path, grace=20.0):
        spawn = multiprocessing.get_context("spawn")   # librdkafka's threads survive no fork
        self.path = path
        self._grace = grace
        self._enough = spawn.Event()
        self._process = spawn.Process(target=main, daemon=True,
                                      args=(address, senders, seed, path, self._enough, grace))

    def start(self):
        self._process.start()

    def stop(self):
        """No new events; retries go on for a while."""
        self._enough.set()
        self._process.join(self._grace + 40)
        assert self._process.exitcode == 0, f"the load ended with {self._process.exitcode}"

    def kill(self):
        if self._process.pid and self._process.is_alive():
            self._process.kill()

    def attempts(self):
        if not self.path.exists():
            return []
        text = self.path.read_text()
        return [Attempt(**{name: value for name, value in json.loads(line).items()
                           if name != "listed"})
                for line in text[:text.rfind("\n") + 1].splitlines()]
