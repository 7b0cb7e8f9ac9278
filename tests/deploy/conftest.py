# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

import pytest

# As it stands on disk: what is in there finds the repository from its own place.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

import containers  # noqa: E402
import kafka  # noqa: E402


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    made = kafka.Broker(tmp_path_factory.mktemp("broker"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def image():
    return containers.make_image()
