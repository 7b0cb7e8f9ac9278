# SPDX-License-Identifier: Apache-2.0
"""The signed path, from HTTP to Kafka's delivery report, beside a bare EVP_DigestVerify with a
cached key: both in this run, on this machine, against a real Kafka.

    make bench [BENCH_ARGS="--seconds 10"]

CPU is that of the ingress process alone (user and system, from /proc), the load generator and the
broker run beside it on the same cores. Latency is therefore that of a full machine."""

import argparse
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

TOKENS = 1000
CONNECTIONS = (1, 16, 64)


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


def load(stack, source, folder, connections, seconds):
    """One run: (answers, others, seconds, p50 us, p99 us, CPU us per answer, RSS MiB)."""
    port = stack.ingress.address()[1]
    pid = stack.ingress.process.pid
    before = cpu_seconds(pid)
    done = subprocess.run([BUILD / "bench-load", str(port), source.path, folder / "tokens",
                           str(connections), str(seconds)], capture_output=True, text=True,
                          check=True)
    # Records still on their way are paid for too.
    time.sleep(0.2)
    used = cpu_seconds(pid) - before
    answers, others, took, p50, p99, _ = (float(word) for word in done.stdout.split())
    return answers, others, took, p50, p99, used * 1e6 / answers, resident_mib(pid)


def make_tokens(source, folder):
    """A file of signed webhooks, one a line."""
    print(f"signing {TOKENS} webhooks", flush=True)
    with open(folder / "tokens", "w") as tokens:
        for number in range(TOKENS):
            print(source.token(id=str(number), kind="scan", status="done", assetId="1",
                               assetType="site", attemptNumber=1, isAdHoc=True), file=tokens)
    return folder / "tokens"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=6)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="vulnbus-bench-") as name:
        folder = Path(name)
        found = kafka.foreign()
        broker = kafka.ForeignBroker(found) if found else kafka.Broker(folder / "broker")
        broker.start()
        source = Source()
        (folder / "key.pem").write_text(source.stub.signer.pem)
        make_tokens(source, folder)
        source.settings = {"signature": {"key_files": [str(folder / "key.pem")]}}
        stack = Stack(broker, folder / "stack", [source])
        try:
            stack.start(enricher=False)
            report(stack, source, folder, seconds)
        finally:
            stack.close()
            broker.stop()


def report(stack, source, folder, seconds):
    load(stack, source, folder, 16, 2)  # warm: JIT of the broker, caches
    floors, rows = [bare(folder, 2)], []
    for connections in CONNECTIONS:
        rows.append((connections, *load(stack, source, folder, connections, seconds)))
        floors.append(bare(folder, 2))
    floor = sum(floors) / len(floors)
    print(f"\nbare EVP_DigestVerify, cached key: {floor:.1f} us CPU "
          f"(runs: {', '.join(f'{f:.1f}' for f in floors)})\n")
    print("connections  answers/s  other than 202  CPU us/event  ratio  p50 ms  p99 ms  RSS MiB")
    for connections, answers, others, took, p50, p99, cpu, rss in rows:
        print(f"{connections:11d}  {answers / took:9.0f}  {others:14.0f}  {cpu:12.1f}  "
              f"{cpu / floor:5.2f}  {p50 / 1000:6.2f}  {p99 / 1000:6.2f}  {rss:7.1f}")
    if any(row[2] for row in rows):
        sys.exit("some answers were not 202")


if __name__ == "__main__":
    main()
