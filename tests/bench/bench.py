# SPDX-License-Identifier: Apache-2.0
"""The signed path, from HTTP to Kafka's delivery report, beside a bare EVP_DigestVerify with a
cached key; the unsigned path: all in this run, on this machine, against a real Kafka. The enricher
is measured by enricher.py.

    make bench [BENCH_ARGS="--seconds 10"]

CPU is that of the ingress process alone (user and system, from /proc), the load generator and the
broker run beside it on the same cores. Latency is therefore that of a full machine."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

import kafka  # noqa: E402
from daemons import BUILD, Source, Stack  # noqa: E402
from vendor import Vendor  # noqa: E402

WEBHOOKS = 1000
CONNECTIONS = (1, 16, 64)
BODY_BYTES = 650


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def bare(folder, seconds):
    """CPU microseconds of one bare verification."""
    done = subprocess.run([BUILD / "bench-verify", folder / "key.pem", folder / "tokens",
                           str(seconds)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def load(stack, source, webhooks, connections, seconds):
    """One run: (answers, others, seconds, p50 us, p99 us, CPU us per answer, RSS MiB)."""
    port = stack.ingress.address()[1]
    pid = stack.ingress.process.pid
    before = cpu_seconds(pid)
    done = subprocess.run([BUILD / "bench-load", str(port), source.path, webhooks,
                           str(connections), str(seconds)], capture_output=True, text=True,
                          check=True)
    # Records still on their way are paid for too.
    time.sleep(0.2)
    used = cpu_seconds(pid) - before
    answers, others, took, p50, p99, _ = (float(word) for word in done.stdout.split())
    return answers, others, took, p50, p99, used * 1e6 / answers, resident_mib(pid)


def make_tokens(source, folder):
    """A file of signed webhooks, one a line."""
    print(f"signing {WEBHOOKS} webhooks", flush=True)
    with open(folder / "tokens", "w") as tokens:
        for number in range(WEBHOOKS):
            print(source.token(id=str(number), kind="scan", status="done", assetId="1",
                               assetType="site", attemptNumber=1, isAdHoc=True), file=tokens)
    return folder / "tokens"


def make_bodies(folder):
    """A file of unsigned webhooks as Probely documents them, one a line."""
    name = Path(__file__).parents[1] / "system/documented/probely.json"
    document = next(each["document"] for each in json.loads(name.read_text())["notifications"]
                    if each["document"]["event_type"] == "scan_completed")
    with open(folder / "bodies", "w") as bodies:
        for number in range(WEBHOOKS):
            body = json.dumps(document | {"id": f"event-{number:06}"})
            print(body + " " * (BODY_BYTES - len(body)), file=bodies)
    return folder / "bodies"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=6)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="vulnbus-bench-") as name:
        folder = Path(name)
        found = kafka.foreign()
        broker = kafka.ForeignBroker(found) if found else kafka.Broker(folder / "broker")
        broker.start()
        signed = Source()
        unsigned = Source("web", "probely", Vendor(word="JWT"))
        (folder / "key.pem").write_text(signed.stub.signer.pem)
        signed.settings = {"signature": {"key_files": [str(folder / "key.pem")]}}
        stack = Stack(broker, folder / "stack", [signed, unsigned])
        try:
            stack.start(enricher=False)
            print(f"ingress, idle: {resident_mib(stack.ingress.process.pid):.1f} MiB RSS")
            is_good = report_signed(stack, signed, folder, seconds)
            is_good &= report_unsigned(stack, unsigned, folder, seconds)
        finally:
            stack.close()
            broker.stop()
    if not is_good:
        sys.exit("some answers were not 202")


def report_signed(stack, source, folder, seconds):
    tokens = make_tokens(source, folder)
    load(stack, source, tokens, 16, 2)  # warm: JIT of the broker, caches
    floors, rows = [bare(folder, 2)], []
    for connections in CONNECTIONS:
        rows.append((connections, *load(stack, source, tokens, connections, seconds)))
        floors.append(bare(folder, 2))
    floor = sum(floors) / len(floors)
    print(f"\nbare EVP_DigestVerify, cached key: {floor:.1f} us CPU "
          f"(runs: {', '.join(f'{f:.1f}' for f in floors)})\n")
    print("signed")
    print("connections  answers/s  other than 202  CPU us/event  ratio  p50 ms  p99 ms  RSS MiB")
    for connections, answers, others, took, p50, p99, cpu, rss in rows:
        print(f"{connections:11d}  {answers / took:9.0f}  {others:14.0f}  {cpu:12.1f}  "
              f"{cpu / floor:5.2f}  {p50 / 1000:6.2f}  {p99 / 1000:6.2f}  {rss:7.1f}")
    return not any(row[2] for row in rows)


def report_unsigned(stack, source, folder, seconds):
    bodies = make_bodies(folder)
    load(stack, source, bodies, 64, 4)  # warm
    rows = [(connections, *load(stack, source, bodies, connections, seconds))
            for connections in CONNECTIONS]
    print(f"\nunsigned, bodies of {BODY_BYTES} bytes")
    print("connections  answers/s  other than 202  CPU us/event  per CPU-s  p50 ms  p99 ms  RSS MiB")
    for connections, answers, others, took, p50, p99, cpu, rss in rows:
        print(f"{connections:11d}  {answers / took:9.0f}  {others:14.0f}  {cpu:12.1f}  "
              f"{1e6 / cpu:9.0f}  {p50 / 1000:6.2f}  {p99 / 1000:6.2f}  {rss:7.1f}")
    return not any(row[2] for row in rows)


if __name__ == "__main__":
    main()
