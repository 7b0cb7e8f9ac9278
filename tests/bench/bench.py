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
MANY = 1900
BODY_BYTES = 650
THREADS = 2  # ingress.threads, when nothing is said
TURNS = 3


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid, word):
    """VmRSS: resident now; VmHWM: at most."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(word):
            return int(line.split()[1]) / 1024
    raise LookupError(word)


def figure(program, *arguments):
    """The one that the program prints."""
    done = subprocess.run([BUILD / program, *map(str, arguments)], capture_output=True, text=True,
                          check=True)
    return float(done.stdout)


def bare_verification(folder, seconds):
    """CPU microseconds of one bare verification."""
    return figure("bench-verify", folder / "key.pem", folder / "tokens", seconds)


def load(port, pid, path, webhooks, connections, seconds):
    """One run: (answers, others, seconds, p50 us, p99 us, CPU us per answer, RSS MiB at most)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # VmHWM begins anew
    before = cpu_seconds(pid)
    done = subprocess.run([BUILD / "bench-load", str(port), path, webhooks,
                           str(connections), str(seconds)], capture_output=True, text=True,
                          check=True)
    # Records still on their way are paid for too.
    time.sleep(0.2)
    used = cpu_seconds(pid) - before
    answers, others, took, p50, p99, _ = (float(word) for word in done.stdout.split())
    return answers, others, took, p50, p99, used * 1e6 / answers, memory_mib(pid, "VmHWM")


def load_ingress(stack, source, webhooks, connections, seconds):
    return load(stack.ingress.address()[1], stack.ingress.process.pid, source.path, webhooks,
                connections, seconds)


def load_bare(stack, webhooks, connections, seconds, *key):
    """The same of libmicrohttpd and librdkafka with nothing between them, or the verification."""
    with subprocess.Popen([BUILD / "bench-bare", stack.broker.bootstrap,
                           f"{stack.prefix}.events.v1", str(THREADS), *key],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bare:
        port = int(bare.stdout.readline())
        load(port, bare.pid, "/", webhooks, connections, 2)
        done = load(port, bare.pid, "/", webhooks, connections, seconds)
        bare.stdin.close()
    return done


def in_turns(*runs):
    """Of each the one in the middle by CPU, so that a machine's whims hit all alike."""
    rows = zip(*[[run() for run in runs] for _ in range(TURNS)])
    return [sorted(each, key=lambda row: row[5])[TURNS // 2] for each in rows]


def round_trip(broker, topic, records, seconds):
    """The broker's, for a bare producer: (p50 us, p99 us, CPU us a record)."""
    done = subprocess.run([BUILD / "bench-round-trip", broker.bootstrap, topic, str(records),
                           str(BODY_BYTES), str(seconds)], capture_output=True, text=True,
                          check=True)
    _, _, p50, p99, cpu = (float(word) for word in done.stdout.split())
    return p50, p99, cpu


def make_tokens(source, folder):
    """A file of signed webhooks, one a line."""
    print(f"signing {WEBHOOKS} webhooks", flush=True)
    with open(folder / "tokens", "w") as tokens:
        for number in range(WEBHOOKS):
            print(source.token(id=str(number), kind="scan", status="done", assetId=str(number),
                               assetType="site", attemptNumber=1, isAdHoc=True), file=tokens)
    return folder / "tokens"


def make_forged(folder):
    """The same with another signature each: the next one's."""
    parts = [line.rsplit(".", 1) for line in (folder / "tokens").read_text().splitlines()]
    with open(folder / "forged", "w") as forged:
        for (text, _), (_, signature) in zip(parts, parts[1:] + parts[:1]):
            print(f"{text}.{signature}", file=forged)
    return folder / "forged"


def make_bodies(folder):
    """A file of unsigned webhooks as Probely documents them, one a line."""
    name = Path(__file__).parents[1] / "system/documented/probely.json"
    document = next(each["document"] for each in json.loads(name.read_text())["notifications"]
                    if each["document"]["event_type"] == "scan_completed")
    # Without what says how to log in.
    site = {name: document["content"]["target"]["site"][name] for name in ("id", "name", "url")}
    with open(folder / "bodies", "w") as bodies:
        for number in range(WEBHOOKS):
            content = document["content"] | {"id": f"scan-{number:06}"}
            content["target"] = {"id": f"target-{number:06}", "name": "Shop", "site": site,
                                 "type": "single"}
            body = json.dumps(document | {"id": f"event-{number:06}", "content": content},
                              separators=(",", ":"))
            assert len(body) <= BODY_BYTES
            print(body + " " * (BODY_BYTES - len(body)), file=bodies)
    return folder / "bodies"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=4)
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
        stack = Stack(broker, folder / "stack", [signed, unsigned],
                      {"ingress": {"bad_signatures_per_minute": 1_000_000}})
        stack.expect_errors()
        try:
            stack.start(enricher=False)
            print(f"ingress, idle: {memory_mib(stack.ingress.process.pid, 'VmRSS'):.1f} MiB RSS")
            is_good = report_signed(stack, signed, folder, seconds)
            is_good &= report_unsigned(stack, unsigned, folder, seconds)
        finally:
            stack.close()
            broker.stop()
    if not is_good:
        sys.exit("some answers were not 202")


HEADER = ("                    connections  answers/s  other than 202  CPU us/event  "
          "per CPU-s  p50 ms  p99 ms  RSS MiB")


def report(name, connections, row, *more):
    answers, others, took, p50, p99, cpu, rss = row
    print(f"{name:18}  {connections:11d}  {answers / took:9.0f}  {others:14.0f}  {cpu:12.1f}  "
          f"{1e6 / cpu:9.0f}  {p50 / 1000:6.2f}  {p99 / 1000:6.2f}  {rss:7.1f}", *more, flush=True)
    return others == 0


def report_signed(stack, source, folder, seconds):
    tokens = make_tokens(source, folder)
    load_ingress(stack, source, tokens, 16, 2)  # warm: JIT of the broker, caches
    print(f"\n{HEADER}  over a bare verification right before and after")
    is_good, before = True, bare_verification(folder, 2)
    for connections in CONNECTIONS:
        row, floor = in_turns(
            lambda n=connections: load_ingress(stack, source, tokens, n, seconds),
            lambda n=connections: load_bare(stack, tokens, n, seconds, folder / "key.pem"))
        after = bare_verification(folder, 2)
        least, before = (before + after) / 2, after
        is_good &= report("signed", connections, row, f" {row[5] / least:.2f} of {least:.0f} us, "
                          f"{row[5] / floor[5]:.2f} of bare")
        is_good &= report("bare", connections, floor, f" {floor[5] / least:.2f}")
    [row] = in_turns(lambda: load_ingress(stack, source, make_forged(folder), 16, seconds))
    report("forged", 16, row, f" {row[5] / before:.2f} of {before:.0f} us")
    cost = figure("bench-malformed", tokens, seconds)
    print(f"a malformed token is refused within {cost:.2f} us", flush=True)
    return is_good and row[0] == row[1]


def report_unsigned(stack, source, folder, seconds):
    """Each beside what the libraries alone take, and the broker's own round trip."""
    bodies = make_bodies(folder)
    broker, topic = stack.broker, f"{stack.prefix}.events.v1"
    load_ingress(stack, source, bodies, 64, 4)  # warm
    print(f"\nunsigned, bodies of {BODY_BYTES} bytes; bare: libmicrohttpd and librdkafka, "
          f"nothing between them\n{HEADER}")
    is_good = True
    for connections in CONNECTIONS:
        row, floor = in_turns(
            lambda n=connections: load_ingress(stack, source, bodies, n, seconds),
            lambda n=connections: load_bare(stack, bodies, n, seconds))
        p50, p99, cpu = round_trip(broker, topic, connections, seconds)
        is_good &= report("unsigned", connections, row, f" {row[5] / floor[5]:.2f} of bare")
        report("bare", connections, floor)
        print(f"                    the broker's round trip for as many records: "
              f"p50 {p50 / 1000:.2f} ms, p99 {p99 / 1000:.2f} ms, {cpu:.1f} us CPU each",
              flush=True)
    return is_good & report("unsigned", MANY, load_ingress(stack, source, bodies, MANY, seconds))


if __name__ == "__main__":
    main()
