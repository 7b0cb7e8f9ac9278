# SPDX-License-Identifier: Apache-2.0
"""What the enricher makes of scans and of a large export, against a real Kafka; beside the export a
bare transactional producer with the same records (produce.c), which is what librdkafka and the
broker leave of this machine.

    build/venv/bin/python tests/bench/enricher.py [--export-mb 1000] [--runs 3]

CPU is that of the enricher alone (user and system, from /proc); vendor and broker run beside it on
the same cores. The export is written to a temporary folder first, and read from there again."""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

import msgpack  # noqa: E402
from confluent_kafka import Producer  # noqa: E402

import kafka  # noqa: E402
from daemons import BUILD, Source, Stack  # noqa: E402
from vendor import Csv  # noqa: E402
from waiting import until  # noqa: E402

SCANS = 2000
EXPORT_MB = 100
ENTRIES = 100_000
DAY_MS = 86_400_000
STARTS = 11
PARTITIONS = 3          # as Stack makes topics
BLOCK_BYTES = 1 << 18

# The columns that are known of a VDR export, and what stands there.
COLUMNS = ["address", "ip", "location", "severity", "description", "cve_number", "remedy",
           "references", "report_id", "vulnerability_id", "score_cvss", "score_cps",
           "group_description", "group_differentiator", "os_family", "os_name"]
DESCRIPTIONS = [
    "OpenSSL before 3.0.7 has a stack overflow in the verification of X.509 certificates: a name "
    "constraint with a long e-mail address in punycode lets whoever signs a certificate crash the "
    "service.",
    'The server answers with the header ""Server: Apache/2.4.52 (Ubuntu)"", which names a version '
    "with known weaknesses, request smuggling among them, and so tells where to begin.",
    "The session cookie is sent without the attribute Secure,\nso that a browser also sends it over "
    "plain HTTP, where everybody on the way can read it and go on with the session in their own.",
]
REMEDY = ("Install the vendor's update, restart the service and scan again; where that must wait, "
          "keep the port from networks that need not reach it.")
LINE = ('https://www{n}.example.com/,192.0.{a}.{b},{location},{severity},"{description}",'
        'CVE-2024-{n:05},"{remedy}","https://nvd.nist.gov/vuln/detail/CVE-2024-{n:05} '
        'https://www.example.com/advisories/{n}",{n},{v},{cvss:.1f},{cps:.2f},'
        '"Outdated software: {location}",tcp/443 www{n}.example.com,Linux,Debian GNU/Linux 12\r\n')


class Disk(Csv):
    """A file that is there already."""

    columns = COLUMNS

    def __init__(self, path, rows):
        super().__init__(rows)
        self.path = path

    def chunks(self):
        with open(self.path, "rb") as file:
            while block := file.read(BLOCK_BYTES):
                yield block


def make_export(path, megabytes):
    severities, locations = ("critical", "medium", "warning", "info"), ("dmz", "office", "")
    rows = 0
    with open(path, "w", newline="") as file:
        file.write("\ufeff" + ",".join(COLUMNS) + "\r\n")
        while file.tell() < megabytes * 1_000_000:
            first, rows = rows, rows + 1000
            file.write("".join(
                LINE.format(n=n, v=n * 7, a=n // 256 % 256, b=n % 256, location=locations[n % 3],
                            severity=severities[n % 4], description=DESCRIPTIONS[n % 3],
                            remedy=REMEDY, cvss=n % 101 / 10, cps=n % 997 / 99)
                for n in range(first, rows)))
    return Disk(path, rows)


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def starved_seconds(pid):
    """How long its main thread was ready to run and had no core."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[1]) / 1e9


def status_mib(pid, field):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    return 0.0


def report_scans(stack, source):
    """From notification to record; the vendor's answers are made by a Python process beside it."""
    pid = stack.enricher.process.pid
    print(f"\nenricher, idle: {status_mib(pid, 'VmRSS'):.1f} MiB RSS", flush=True)
    before = cpu_seconds(pid)
    for number in range(SCANS):
        source.stub.scan(str(number))
        stack.notify(source, id=str(number), kind="scan", status="done")
    began = time.monotonic()
    stack.tap.wait("scans", SCANS, 120)
    used = cpu_seconds(pid) - before
    print(f"{SCANS} scans: the last {time.monotonic() - began:.1f} s behind its webhook, "
          f"{used * 1e6 / SCANS:.0f} us CPU each")


def report_export(stack, source, file, number):
    pid = stack.enricher.process.pid
    size, seen = file.path.stat().st_size, stack.tap.length("exports")
    source.stub.export(number, file)
    before, began, starved = cpu_seconds(pid), time.monotonic(), starved_seconds(pid)
    stack.notify(source, id=number, kind="export", status="done")
    until(lambda: stack.tap.length("exports") > seen, "the manifest", 60 + size / 1e6, 0.1)
    took, used = time.monotonic() - began, cpu_seconds(pid) - before
    print(f"export of {file.rows} rows, {size / 1e6:.0f} MB: {took:.1f} s (of which "
          f"{starved_seconds(pid) - starved:.1f} without a core), "
          f"{file.rows / took:.0f} rows/s, {size / took / 1e6:.1f} MB/s; "
          f"{used * 1e6 / file.rows:.2f} us CPU a row, {size / used / 1e6:.1f} MB per CPU-s; "
          f"RSS at most {status_mib(pid, 'VmHWM'):.1f} MiB", flush=True)
    return used * 1e6 / file.rows


def report_floor(broker, stack, file):
    """The same records by nothing but librdkafka: (seconds, CPU-seconds)."""
    size = file.path.stat().st_size
    done = subprocess.run([BUILD / "bench-produce", broker.bootstrap, stack.tap.topic("export-rows"),
                           str(file.rows), str(size // file.rows)],
                          capture_output=True, text=True, check=True)
    took, used = (float(word) for word in done.stdout.split())
    print(f"bare producer, as many records: {took:.1f} s, {file.rows / took:.0f} rows/s, "
          f"{size / took / 1e6:.1f} MB/s; {used * 1e6 / file.rows:.2f} us CPU a row", flush=True)
    return used * 1e6 / file.rows


def report_start(folder):
    """From exec until all ports listen; nobody answers as Kafka."""
    source = Source()
    stack = Stack(kafka.ForeignBroker("127.0.0.1:1"), folder / "started", [source])
    for program, ports in (("vulnbus-ingress", 2), ("vulnbus-enricher", 1)):
        took, used = [], []
        for _ in range(STARTS):
            began = time.monotonic()
            with subprocess.Popen([BUILD / program, "-c", stack.config], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
                lines = (line for line in process.stdout if '"listening"' in line)
                assert len(list(itertools.islice(lines, ports))) == ports
                took.append((time.monotonic() - began) * 1000)
                used.append(sum(int(thread.read_text().split()[0]) / 1e6 for thread in
                                Path(f"/proc/{process.pid}/task").glob("*/schedstat")))
                process.kill()
        print(f"{program}: listens after {statistics.median(took):.0f} ms "
              f"({min(took):.0f} to {max(took):.0f}), {statistics.median(used):.0f} ms of CPU",
              flush=True)
    stack.tap.close()
    source.stub.down()


def fill_state(broker, stack, count):
    """As many events as this: one half done, one half waiting for tomorrow."""
    now = int(time.time() * 1000)
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    event = {"id": "", "source": "acme-vdr", "vendor": "taegis-vdr", "kind": "scan.completed",
             "subject": {"type": "scan", "id": ""}, "occurred_ms": now, "received_ms": now,
             "attempt": 1, "proof": "jws-es512",
             "attributes": {"asset_id": "1", "asset_type": "site", "is_ad_hoc": True}}
    waiting = {"v": 1, "due_ms": now + DAY_MS, "first_ms": now, "attempts": 3, "polls": 0,
               "offset": 0, "json": False, "trace": trace, "origin": trace, "event": b""}
    done = msgpack.packb({"v": 1, "done_ms": now})
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 50,
                         "queue.buffering.max.messages": 100_000})
    partitions = itertools.cycle(range(PARTITIONS))
    for number in range(count):
        name = f"acme-vdr:scan:{number}:1:done"
        value = done
        if number % 2:
            event["id"], event["subject"]["id"] = name, str(number)
            waiting["event"] = msgpack.packb(event)
            value = msgpack.packb(waiting, use_bin_type=False)
        while True:
            try:
                producer.produce(stack.tap.topic("state"), value, name, next(partitions))
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def report_restore(broker, folder, count):
    """From its start until the enricher is ready, with an empty state and with this one."""
    stack = Stack(broker, folder / "restored", [Source()])
    try:
        for entries in (0, count):
            if entries:
                fill_state(broker, stack, entries)
            began = time.monotonic()
            stack.start(ingress=False)
            took, pid = time.monotonic() - began, stack.enricher.process.pid
            print(f"start with {entries} entries of state: ready in {took:.2f} s, of which "
                  f"{starved_seconds(pid):.2f} without a core; {cpu_seconds(pid):.2f} s of CPU, "
                  f"{status_mib(pid, 'VmRSS'):.1f} MiB RSS, "
                  f"at most {status_mib(pid, 'VmHWM'):.1f}", flush=True)
            stack.enricher.stop()
    finally:
        stack.close()


def run(broker, folder, megabytes=EXPORT_MB, runs=1, entries=ENTRIES):
    report_start(folder)
    report_restore(broker, folder, entries)
    print(f"writing an export of {megabytes} MB", flush=True)
    file = make_export(folder / "export.csv", megabytes)
    stack = Stack(broker, folder / "enriched", [Source()])
    try:
        stack.start()
        source = stack.sources[0]
        report_scans(stack, source)
        for number in range(runs):
            row = report_export(stack, source, file, str(1_000_000 + number))
            floor = report_floor(broker, stack, file)
            print(f"CPU a row, as a multiple of the bare producer's: {row / floor:.2f}")
    finally:
        stack.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--export-mb", type=int, default=EXPORT_MB)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vulnbus-bench-") as name:
        folder = Path(name)
        found = kafka.foreign()
        broker = kafka.ForeignBroker(found) if found else kafka.Broker(folder / "broker")
        broker.start()
        try:
            run(broker, folder, arguments.export_mb, arguments.runs, arguments.entries)
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
