# SPDX-License-Identifier: Apache-2.0
"""The promises under fire: a real Kafka, vendors that call as they say they do, and faults drawn
from a seed. At the end everything on the topics is read and held against what was answered.

    make chaos [S=seconds] [SEED=number] [MODE=three|one|both]

Exit status 0: nothing lost, nothing twice, nothing missing, no answer late."""

import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]

import faults  # noqa: E402
import self_test  # noqa: E402
from accounting import ENRICHED, account, table  # noqa: E402
from cluster import ANSWER_WITHIN, COUNTERS, Place  # noqa: E402
from daemons import Source  # noqa: E402
from ledger import Ledger  # noqa: E402
from load import Process, Sender  # noqa: E402
from policies import (  # noqa: E402
    BACKOFF,
    FIVE_TIMES,
    NEVER,
    Probely,
    SecurityScorecard,
    Signed,
)
from signing import Signer  # noqa: E402
from simulated import Simulated, digest_all  # noqa: E402
from waiting import TooLate, until  # noqa: E402

SHOWN = 10     # details of each kind


def say(text):
    print(text, flush=True)


def private_pem(signer: Signer):
    from cryptography.hazmat.primitives import serialization as how
    return signer.private.private_bytes(how.Encoding.PEM, how.PrivateFormat.PKCS8,
                                        how.NoEncryption())


def signed(name, stub):
    return Signed(name, private_pem(stub.signer))


# name, vendor, how it speaks, how it retries, its share of the load
VENDORS = (
    ("acme-vdr", "taegis-vdr", signed, NEVER, 0.35),
    ("old-delve", "delve", signed, NEVER, 0.15),
    ("ssc", "securityscorecard", lambda name, _: SecurityScorecard(name), FIVE_TIMES, 0.25),
    ("web", "probely", lambda name, _: Probely(name), BACKOFF, 0.25),
)


def make_sources(rate):
    """(Source, Sender) of each vendor; the rates add up to `rate`."""
    made = []
    for name, vendor, dialect, retry, share in VENDORS:
        source = Source(name=name, vendor=vendor, stub=Simulated(vendor),
                        settings={"api": {"timeout": "10s"}})
        if dialect is not signed:
            source.settings["signature"] = None
            source.settings["api"]["calls_per_hour"] = 1_000_000   # its own budget is 1.4 a second
        if vendor == "probely":
            source.settings["api"]["reconcile_every"] = "5s"
        made.append((source, Sender(name, dialect(name, source.stub), retry, source.path,
                                    share * rate)))
    return made


class Run:
    def __init__(self, options, mode):
        self.options = options
        self.mode = mode
        self.folder = Path(tempfile.mkdtemp(prefix=f"vulnbus-chaos-{mode}-"))
        self.problems = []     # other than the table's
        pairs = make_sources(options.rate)
        self.place = Place(self.folder, mode, [source for source, _ in pairs], options.spool)
        self.schedule = faults.draw(options.seed, options.seconds, mode,
                                    len(self.place.kafka.brokers),
                                    {source.name: isinstance(sender.dialect, Signed)
                                     for source, sender in pairs}, self.place.disk)
        self.load = Process(self.place.address, [sender for _, sender in pairs], options.seed,
                            self.folder / "attempts.jsonl")
        for source, sender in pairs:
            if sender.dialect.is_listed:
                source.stub.list(self.load.path)
        self.lanes = faults.Lanes(self.place, self.schedule, say)

    def _progress(self, over):
        while not over.wait(10):
            attempts = self.load.attempts()
            acked = sum(a.status == 202 for a in attempts)
            refused = sum(a.status is not None and a.status >= 500 for a in attempts)
            say(f"{self.lanes.now():6.1f} s  {len(attempts)} attempts, {acked} told 202, "
                f"{refused} told 5xx, {sum(a.status is None for a in attempts)} not answered")

    def fire(self):
        """Load and faults for the time given, and a while in which nothing is broken."""
        say("starting Kafka and the daemons")
        self.place.start()
        over = threading.Event()
        progress = threading.Thread(target=self._progress, args=(over,), daemon=True)
        self.lanes.start(self.options.seconds)
        self.load.start()
        progress.start()
        try:
            threading.Event().wait(self.options.seconds)
            self.lanes.join(180)
            over.set()
            say(f"{self.lanes.now():6.1f} s  all faults are lifted, the load ends")
            self.load.stop()
        finally:
            over.set()

    def settle(self):
        """Until all outcomes are there, or --settle seconds."""
        began = time.monotonic()
        try:
            self.place.ready(self.options.settle)
        except TooLate as error:
            self.stuck(error)
        attempts = self.load.attempts()
        ledger = Ledger(self.place.kafka.bootstrap, self.place.stack.prefix)
        listed = {source.name for source in self.place.stack.sources if source.stub.lists}
        promised = {a.id for a in attempts if a.status == 202 or a.source in listed}

        def complete():
            ledger.read(0.5)
            events = {r.event for r in ledger.records if r.topic == "events"}
            ended = {r.event for r in ledger.records
                     if r.topic in ENRICHED[:-1] or r.topic == "dead-letters"}
            return promised <= events | ended and events <= ended

        try:
            until(complete, "every event has ended",
                  max(10.0, self.options.settle - (time.monotonic() - began)), 0.0)
            say(f"settled {time.monotonic() - began:.1f} s after the load ended "
                f"(allowed: {self.options.settle:.0f} s)")
        except TooLate as error:
            self.stuck(error)
        self.place.stop()
        ledger.drain(60)
        ledger.close()
        self.problems += ledger.faults[:SHOWN]
        return attempts, ledger.records

    def stuck(self, error):
        """Stacks are taken while it is."""
        self.problems.append(f"{error}; stacks are beside the logs if gdb is there")
        for charge in self.place.charges:
            charge.stack()

    def report(self, attempts, records):
        found = account(attempts, records, self.place.ingress.frozen, ANSWER_WITHIN)
        say(f"\nmode {self.mode}, seed {self.options.seed}, {self.options.seconds:.0f} s, "
            f"answer_within {ANSWER_WITHIN:g} s, spool {self.place.spool}\n")
        say(table(found))
        say("\nfaults done: " + ", ".join(
            f"{name} x{count}" for name, count in sorted(self.lanes.done.items()))
            + f"; left out, the one before took too long: {self.lanes.left_out}")
        if self.place.spool.startswith("on"):
            apart = [a for a in attempts if a.status is not None and a.status >= 500 and not any(
                begin <= a.answered <= end + 1 for begin, end in self.lanes.disk_full)]
            say(f"5xx while the spool's disk had room: {len(apart)}" + (
                f", the first at {apart[0].answered:.3f}" if apart else ""))
        for charge in self.place.charges:
            say(f"{charge.name}: {charge.starts} starts, listening within "
                f"{charge.slowest_start:.2f} s, RSS at most {charge.high_water / 1024:.1f} MiB" + "".join(
                    f", {name} {charge.counted(name)}" for name in COUNTERS
                    if charge.counted(name)))
        if not found.kept or found.disorder:
            with open(self.folder / "records.jsonl", "w") as out:
                out.writelines(json.dumps(vars(record)) + "\n" for record in records)
        shown = {}
        for detail in found.details:
            kind = detail.partition(":")[0]
            shown[kind] = shown.get(kind, 0) + 1
            if shown[kind] <= SHOWN:
                say(f"  {detail}")
        for charge in self.place.charges:
            self.problems += charge.deaths
        self.problems += self.lanes.errors
        for problem in self.problems:
            say(f"  PROBLEM {problem}")
        return found.kept and not self.problems

    def __call__(self):
        kept = False
        try:
            say(f"\nmode {self.mode}, seed {self.options.seed}, logs in {self.folder}")
            say(f"spool {self.place.spool}; schedule:")
            for fault in self.schedule:
                say(f"  {fault}")
            self.fire()
            kept = self.report(*self.settle())
        finally:
            self.load.kill()
            self.place.close()
            if kept and not self.options.keep:
                shutil.rmtree(self.folder, ignore_errors=True)
        say(f"{'kept' if kept else 'BROKEN'}: mode {self.mode}, seed {self.options.seed}"
            + ("" if kept and not self.options.keep else f", logs in {self.folder}"))
        return kept


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--mode", choices=("three", "one", "both"), default="three")
    parser.add_argument("--rate", type=float, default=60, help="events a second")
    parser.add_argument("--spool", choices=("auto", "off"), default="auto")
    parser.add_argument("--settle", type=float, default=120,
                        help="seconds after the last fault by which all must be done")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a good run too")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    self_test.main()
    if options.self_test:
        return 0
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    digest_all()
    modes = ("three", "one") if options.mode == "both" else (options.mode,)
    return 0 if all([Run(options, mode)() for mode in modes]) else 1


if __name__ == "__main__":
    sys.exit(main())
