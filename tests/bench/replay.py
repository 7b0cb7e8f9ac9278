# SPDX-License-Identifier: Apache-2.0
"""How fast `vulnbus replay` is: a million small records of export-rows to another topic, on a
broker of its own. `build/venv/bin/python tests/bench/replay.py [RECORDS]`"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "system"))

from kafka import Broker            # noqa: E402
from test_replay import Place       # noqa: E402

HEADERS = [("content-type", b"application/vnd.msgpack"), ("ce_specversion", b"1.0"),
           ("ce_id", b"acme-vdr:export:123:row:456"), ("ce_type", b"vulnbus.export-row.enriched"),
           ("ce_source", b"https://acme.vdr.example.com"), ("ce_subject", b"export/123"),
           ("ce_partitionkey", b"acme-vdr/export/123"),
           ("ce_dataschema", b"urn:vulnbus:schema:export-row:v1"),
           ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]


def measure(place, topic, what, *arguments):
    copy = place.new_topic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    made = subprocess.run(place.command(topic, "--yes", "--to-topic", copy, *arguments),
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{what}: {made.stdout.strip()}; {cpu:.1f} s of processor time", flush=True)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    now = int(time.time() * 1000)
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder) / "broker")
        broker.start()
        try:
            place = Place(broker, Path(folder))
            for topic, headers in (("export-rows", None), ("scans", HEADERS)):
                place.produce(place.topic(topic), (
                    (b"acme-vdr/%d" % (n % 1000), b"%0100d" % n, now, headers)
                    for n in range(count)))
                for _ in range(2):
                    measure(place, topic, "plain" if headers is None else "9 headers",
                            *sys.argv[2:])
        finally:
            broker.kill()


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    main()
