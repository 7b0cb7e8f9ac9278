# SPDX-License-Identifier: Apache-2.0
"""What is put under fire: Kafka, one ingress, two enrichers, and whoever starts them again, as
Kubernetes would."""

import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import requests

from daemons import Daemon, Stack, run
from kafka import Broker, Cluster, free_ports
from waiting import until

ANSWER_WITHIN = 3.0
# Failing over is what is tested, not waiting for it: a dead broker is noticed after 4 s, not 9.
QUICK = "broker.session.timeout.ms=4000\nbroker.heartbeat.interval.ms=500\n"
SPOOL_BYTES = 16 << 20
COUNTERS = {
    "transactions committed": ("vulnbus_transactions_total", "committed"),
    "aborted": ("vulnbus_transactions_total", "aborted"),
    "fatal": ("vulnbus_transactions_total", "fatal"),
    "redeliveries dropped": ("vulnbus_events_taken_total", "duplicate"),
}


class One(Broker):
    """A whole Kafka of one broker, with the cluster's face."""

    def __init__(self, folder):
        super().__init__(folder / "1", heap="384m", more=QUICK)
        self.brokers = [self]

    def whole(self, within=60):
        self.wait()


class Charge:
    """A daemon that is always started again, and what became of its processes."""

    def __init__(self, name, daemon):
        self.name = name
        self.daemon = daemon
        self.lock = threading.Lock()   # held by whoever does something to it
        self.frozen = []               # (begin, end), wall clock
        self.starts = 0
        self.slowest_start = 0.0       # until it listened
        self.deaths = []               # that nobody asked for
        self.high_water = 0            # KiB, of all its processes
        self.counters = {}             # metric -> [of processes that ended, of this one]

    def start(self):
        began = time.monotonic()
        self.daemon.start(ready=False)
        self.starts += 1
        self.slowest_start = max(self.slowest_start, time.monotonic() - began)
        for pair in self.counters.values():
            pair[0] += pair[1]
            pair[1] = 0

    def kill(self, pause):
        with self.lock:
            self.daemon.kill()
            pause()
            self.start()

    def restart(self, pause):
        """SIGTERM, as a rolling update does it: it must end by itself, with 0."""
        with self.lock:
            self.daemon.terminate()
            try:
                code = self.daemon.wait(30)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                code = "nothing within 30 s of SIGTERM"
            if code != 0:
                self.deaths.append(f"{self.name} ended with {code} on SIGTERM")
            pause()
            self.start()

    def freeze(self, pause):
        with self.lock:
            begin = time.time()
            process = self.daemon.process
            process.send_signal(signal.SIGSTOP)
            try:
                pause()
            finally:
                process.send_signal(signal.SIGCONT)
                self.frozen.append((begin, time.time()))

    def stack(self):
        """Where it is, for whoever looks for the cause; needs gdb."""
        if shutil.which("gdb") and self.daemon.process:
            done = subprocess.run(
                ["gdb", "-p", str(self.daemon.process.pid), "-batch", "-ex",
                 "thread apply all bt 24"], capture_output=True, text=True)
            self.daemon.log.with_suffix(".stack").write_text(done.stdout)

    def watch(self):
        """Once in a while: is it there, and how large has it grown?"""
        if not self.lock.acquire(blocking=False):
            return
        try:
            process = self.daemon.process
            if process is None:
                return
            if process.poll() is not None:
                self.deaths.append(f"{self.name} ended by itself with {process.returncode} "
                                   f"at {time.strftime('%H:%M:%S')}, see {self.daemon.log}")
                self.daemon.wait()
                self.start()
                return
            status = Path(f"/proc/{process.pid}/status").read_text()
            found = re.search(r"VmHWM:\s+(\d+)", status)
            self.high_water = max(self.high_water, int(found[1]) if found else 0)
            self._sample()
        except OSError:
            pass   # gone between two looks
        finally:
            self.lock.release()

    def _sample(self):
        """Counters survive restarts here."""
        try:
            text = requests.get(self.daemon.url("admin") + "/metrics", timeout=0.5).text
        except (requests.RequestException, KeyError):
            return
        for name, (metric, label) in COUNTERS.items():
            values = re.findall(rf"^{metric}{{.*{label}.*}} (\S+)", text, re.M)
            self.counters.setdefault(name, [0, 0])[1] = sum(map(float, values))

    def counted(self, name):
        return int(sum(self.counters.get(name, (0, 0))))


class Tmpfs:
    """A small disk that can be filled up."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.error = None
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SPOOL_BYTES}", "vulnbus-chaos",
                               folder], capture_output=True, text=True)
        if done.returncode:
            self.error = done.stderr.strip()

    def fill(self):
        with open(self.folder / "ballast", "wb", buffering=0) as ballast:
            for size in (65536, 4096, 1):
                try:
                    while ballast.write(b"\0" * size):
                        pass
                except OSError:
                    pass

    def relieve(self):
        (self.folder / "ballast").unlink(missing_ok=True)

    def close(self):
        if not self.error:
            subprocess.run(["umount", "-l", self.folder], check=False)


class Place:
    def __init__(self, folder: Path, mode, sources, spool=None):
        self.folder = folder
        self.mode = mode
        brokers = folder / "kafka"
        self.kafka = Cluster(brokers, heap="320m", more=QUICK) if mode == "three" else One(brokers)
        copies = len(self.kafka.brokers)
        public, admin = free_ports(2)
        self.address = ("127.0.0.1", public)
        self.settings = {
            "topics": {"partitions": 6, "replication_factor": copies},
            "ingress": {"listen": f"127.0.0.1:{public}", "admin": f"127.0.0.1:{admin}",
                        "answer_within": f"{ANSWER_WITHIN:g}s", "retry_after": "1s"},
            "enricher": {"retry_from": "100ms", "retry_to": "2s", "poll_to": "300ms",
                         "give_up_after": "10m", "session_timeout": "6s",
                         "transaction_timeout": "5s"},
        }
        self.stack = Stack(self.kafka, folder / "vulnbus", sources, self.settings)
        self.stack.tap.close()   # the ledger reads
        self.disk, self.spool = None, "not asked for"
        if spool != "off":
            self._try_spool()
        two = self.stack.folder / "two.yaml"
        two.write_text(self.stack.config.read_text().replace(
            "instance_id: one", "instance_id: two"))
        self.ingress = Charge("ingress", self.stack.ingress)
        self.enrichers = [
            Charge("enricher one", self.stack.enricher),
            Charge("enricher two", Daemon("vulnbus-enricher", two, self.stack.folder / "two.log"))]
        self.charges = [self.ingress, *self.enrichers]
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def _try_spool(self):
        """With the spool if this build has one, on a disk of its own if that can be had."""
        disk = Tmpfs(self.folder / "disk")
        self.stack.settings["ingress"]["spool"] = {
            "path": str(disk.folder / "spool.db"), "max_size": "8MiB"}
        self.stack.write()
        done = run("vulnbus", "check-config", "-c", self.stack.config)
        if done.returncode == 0:
            self.spool = "on"
            self.disk = None if disk.error else disk
            if disk.error:
                self.spool = f"on; no fault of a full disk: {disk.error}"
        else:
            disk.close()
            del self.stack.settings["ingress"]["spool"]
            self.stack.write()
            self.spool = "off: this build's check-config does not take ingress.spool"

    def start(self):
        self.kafka.start()
        for charge in self.charges:
            charge.start()
        self._watcher.start()
        self.ready()

    def ready(self, within=90):
        for charge in self.charges:
            until(charge.daemon.ready, f"{charge.name} is ready (see {charge.daemon.log})",
                  within, 0.1)

    def _watch(self):
        while not self._over.wait(0.25):
            for charge in self.charges:
                charge.watch()

    def stop(self):
        """All daemons end in order, or it is a fault of theirs."""
        self._over.set()
        self._watcher.join()
        for charge in self.charges:
            if charge.daemon.process is None:
                continue
            charge.daemon.terminate()
            try:
                code = charge.daemon.wait(30)
            except subprocess.TimeoutExpired:
                charge.daemon.kill()
                code = "nothing within 30 s"
            if code != 0:
                charge.deaths.append(f"{charge.name} ended with {code} at the end")

    def close(self):
        self._over.set()
        for charge in self.charges:
            charge.daemon.kill()
        self.kafka.kill()
        for source in self.stack.sources:
            source.stub.down()
        if self.disk:
            self.disk.close()
