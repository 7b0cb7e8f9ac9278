# SPDX-License-Identifier: Apache-2.0
"""Faults drawn from the seed: one lane for each thing that can break, a lane's faults one after
another, lanes beside each other."""

import random
import threading
import time
from dataclasses import dataclass

from simulated import TROUBLES


@dataclass
class Fault:
    at: float        # seconds after the start of the load
    lane: str
    kind: str
    duration: float

    def __str__(self):
        return f"{self.at:6.1f} s  {self.lane}: {self.kind} for {self.duration:.1f} s"


# lane -> (kinds with weights, mean pause between, shortest and longest duration)
INGRESS = ({"kill": 4, "freeze": 3, "restart": 2}, 14.0, (0.0, 3.0))
ENRICHER = ({"kill": 4, "freeze": 3, "restart": 2}, 16.0, (0.0, 9.0))
BROKER = ({"kill": 3, "freeze": 2}, 6.0, (1.0, 9.0))
VENDOR = ({trouble: 1 for trouble in TROUBLES}, 18.0, (1.0, 6.0))
NO_FILES = ({trouble: 1 for trouble in TROUBLES if trouble != "cut"}, *VENDOR[1:])
DISK = ({"full": 1}, 12.0, (2.0, 8.0))
# The whole of Kafka is gone: not too often, or nothing would ever be done.
WHOLE_KAFKA = ({"kill": 3, "freeze": 2}, 12.0, (1.0, 8.0))
FIRST = 3.0    # nothing before: there is something to break by then
LAST = 0.85    # no fault begins after this share of the time


def draw_lane(seed, lane, how, seconds):
    kinds, pause, (shortest, longest) = how
    chance = random.Random(f"{seed}/{lane}")
    at, faults = FIRST + chance.uniform(0, pause / 2), []
    while at < seconds * LAST:
        kind = chance.choices(list(kinds), list(kinds.values()))[0]
        duration = min(chance.uniform(shortest, longest), seconds * 0.95 - at)
        faults.append(Fault(at, lane, kind, duration))
        at += duration + 1.0 + chance.expovariate(1 / pause)
    return faults


def draw(seed, seconds, mode, brokers, vendors, disk):
    """The schedule: the same for the same arguments. `vendors`: name -> has downloads."""
    lanes = {"ingress": INGRESS, "enricher one": ENRICHER, "enricher two": ENRICHER,
             **{f"vendor {name}": VENDOR if has_files else NO_FILES
                for name, has_files in vendors.items()}}
    if disk:
        lanes["disk"] = DISK
    faults = [fault for lane, how in lanes.items()
              for fault in draw_lane(seed, lane, how, seconds)]
    # One broker at a time, or there would be no majority: one lane for all of them.
    chance = random.Random(f"{seed}/which")
    for fault in draw_lane(seed, "kafka", BROKER if mode == "three" else WHOLE_KAFKA, seconds):
        fault.lane = f"broker {chance.randint(1, brokers)}"
        faults.append(fault)
    return sorted(faults, key=lambda fault: fault.at)


class Lanes:
    """Does what the schedule says, and remembers what it did."""

    def __init__(self, place, faults, say):
        self.place = place
        self.say = say
        self.done = {}          # "lane: kind" -> how often
        self.disk_full = []     # (begin, end), wall clock
        self.left_out = 0       # the lane was still recovering from the one before
        self.errors = []
        self._faults = faults
        self._began = 0.0
        self._threads = []

    def start(self, seconds):
        self._began, self._seconds = time.monotonic(), seconds
        lanes = {}
        for fault in self._faults:
            name = "kafka" if fault.lane.startswith("broker") else fault.lane
            lanes.setdefault(name, []).append(fault)
        for faults in lanes.values():
            thread = threading.Thread(target=self._lane, args=(faults,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def now(self):
        return time.monotonic() - self._began

    def _pause(self, seconds):
        threading.Event().wait(max(0.0, seconds))

    def _lane(self, faults):
        for fault in faults:
            self._pause(fault.at - self.now())
            duration = min(fault.duration, self._seconds * 0.97 - self.now())
            if duration < 0 or self.now() > self._seconds * 0.9:
                self.left_out += 1
                continue
            self.say(f"{self.now():6.1f} s  {fault.lane}: {fault.kind} for {duration:.1f} s")
            try:
                self._do(fault, lambda: self._pause(duration))
                name = f"{fault.lane}: {fault.kind}"
                self.done[name] = self.done.get(name, 0) + 1
            except Exception as error:   # whatever: the run has failed, and says by what
                self.errors.append(f"{fault}: {error!r}")
                self.say(f"{self.now():6.1f} s  {fault}: {error!r}")
                return

    def _do(self, fault, pause):
        lane, place = fault.lane, self.place
        for charge in place.charges:
            if charge.name == lane:
                return getattr(charge, fault.kind)(pause)
        if lane.startswith("broker"):
            return self._broker(place.kafka.brokers[int(lane.split()[1]) - 1], fault.kind, pause)
        if lane.startswith("vendor"):
            stub = next(s.stub for s in place.stack.sources if s.name == lane.split()[1])
            getattr(stub, fault.kind)()
            pause()
            return stub.well()
        assert lane == "disk", fault
        begin = time.time()
        place.disk.fill()
        pause()
        place.disk.relieve()
        self.disk_full.append((begin, time.time()))

    def _broker(self, broker, kind, pause):
        if kind == "freeze":
            broker.freeze()
            pause()
            broker.thaw()
        else:
            broker.kill()
            pause()
            broker.start()
        self.place.kafka.whole()
        self.say(f"{self.now():6.1f} s  broker {broker.number} is back, all copies in sync")

    def join(self, within):
        deadline = time.monotonic() + within
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            self.errors.append(f"a fault could not be lifted within {within:.0f} s")
