# SPDX-License-Identifier: Apache-2.0
"""How much memory the daemons have while nothing happens, and under many connections."""

import subprocess
from pathlib import Path

import pytest

from daemons import BUILD, Source, Stack
from vendor import Vendor
from waiting import until

pytestmark = pytest.mark.skipif(any(word in str(BUILD) for word in ("asan", "tsan", "coverage")),
                                reason="sanitizers have memory of their own")

MIB = 1024 * 1024
IDLE = 12 * MIB
MANY = 1900
MANY_MAX = 96 * MIB


def memory(daemon, word):
    """VmRSS: resident now; VmHWM: at most."""
    for line in Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines():
        if line.startswith(word):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {word}")


@pytest.fixture
def stack(broker, tmp_path):
    made = Stack(broker, tmp_path / "stack", [Source(), Source("web", "probely", Vendor(word="JWT"))])
    made.start()
    yield made
    made.close()


def test_idle_daemons_are_small(stack):
    until(lambda: stack.ingress.metric("vulnbus_kafka_up") == 1, "the ingress has its Kafka")
    until(lambda: stack.enricher.metric("vulnbus_kafka_up") == 1, "the enricher has its own")
    for daemon in (stack.ingress, stack.enricher):
        assert memory(daemon, "VmRSS") <= IDLE, daemon.program


def test_many_connections_need_little_each(stack, tmp_path):
    bodies = tmp_path / "bodies"
    bodies.write_text('{"id":"event-1","event_type":"scan_completed","object_type":"scan",'
                      '"occurred_at":"2026-01-01T00:00:00Z","content":{"id":"scan-1"}}\n')
    source = stack.sources[1]
    done = subprocess.run([BUILD / "bench-load", str(stack.ingress.address()[1]), source.path, bodies,
                           str(MANY), "4"], capture_output=True, text=True, check=True)
    answers, others = (int(word) for word in done.stdout.split()[:2])
    assert answers > MANY and others == 0
    assert memory(stack.ingress, "VmHWM") <= MANY_MAX
