# SPDX-License-Identifier: Apache-2.0
"""Kafka is away for S seconds and everybody goes on calling as fast as they can: how much memory
do the daemons take, is every answer in time, and is what was answered 202 there afterwards?

    make outage [S=seconds]

Exit status 0: memory below the ceilings of the configuration, no late answer, nothing lost."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system"), str(HERE.parent / "bench")]

import kafka  # noqa: E402
from bench import make_tokens  # noqa: E402
from daemons import BUILD, Source, Stack  # noqa: E402
from waiting import until  # noqa: E402

MIB = 1 << 20
ANSWER_WITHIN = 3.0
# The defaults of the configuration: what waits for Kafka, and as much again for the spool's disk;
# the headers of every connection; and the process itself.
CONNECTIONS = {"spool": 64, "no spool": 1000}
QUEUE, HEADERS, PROCESS = 64 * MIB, 32 * 1024, 32 * MIB


def memory(process, what):
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024
    return 0


def run(folder, mode, seconds):
    broker = kafka.Broker(folder / "broker")
    broker.start()
    source = Source()
    tokens = make_tokens(source, folder)
    spool = {"path": str(folder / "spool.db"), "max_size": "4GiB"} if mode == "spool" else None
    stack = Stack(broker, folder / "stack", [source],
                  {"ingress": {"answer_within": f"{ANSWER_WITHIN:g}s", "spool": spool}})
    stack.expect_errors()
    try:
        stack.start()
        broker.kill()
        host, port = stack.ingress.address()
        line = subprocess.run(
            [BUILD / "bench-load", str(port), source.path, tokens, str(CONNECTIONS[mode]),
             str(seconds)], capture_output=True, text=True, check=True).stdout.split()
        answers, others, _, _, p99, worst = map(float, line)
        ceiling = 2 * QUEUE + CONNECTIONS[mode] * HEADERS + PROCESS
        peaks = {each.program: memory(each.process, "VmHWM") for each in
                 (stack.ingress, stack.enricher)}
        now = memory(stack.ingress.process, "VmRSS")
        spooled = stack.ingress.metric("vulnbus_spool_events")
        broker.start()
        until(lambda: stack.ingress.metric("vulnbus_spool_events") == 0, "the spool is drained", 900)
        written = stack.tap.length("events")
        print(f"{mode}: {seconds:.0f} s without Kafka, {CONNECTIONS[mode]} connections\n"
              f"  {answers:.0f} answers, {answers - others:.0f} told 202, {others:.0f} told 503; "
              f"p99 {p99 / 1e6:.3f} s, longest {worst / 1e6:.3f} s\n"
              f"  in the spool at its end {spooled:.0f}; on the topic afterwards {written}\n"
              + "".join(f"  {name}: RSS at most {peak / MIB:.1f} MiB\n"
                        for name, peak in peaks.items())
              + f"  ingress at the end {now / MIB:.1f} MiB; ceiling {ceiling / MIB:.0f} MiB",
              flush=True)
        return (max(peaks.values()) <= ceiling and worst / 1e6 <= ANSWER_WITHIN + 0.5
                and written >= answers - others)
    finally:
        stack.close()
        broker.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--mode", choices=[*CONNECTIONS, "both"], default="both")
    options = parser.parse_args()
    kept = True
    for mode in CONNECTIONS if options.mode == "both" else [options.mode]:
        with tempfile.TemporaryDirectory(prefix="vulnbus-outage-") as name:
            kept = run(Path(name), mode, options.seconds) and kept
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
