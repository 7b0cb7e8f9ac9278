# SPDX-License-Identifier: Apache-2.0
"""The consumers of schemas/README.md, as they stand there, beside a transaction that is aborted."""

import os
import re
import secrets
import subprocess
import sys
from shutil import copy

import msgpack
import pytest
from confluent_kafka import Producer

from daemons import Source
from others import GO_ENVIRONMENT, NODE_ENVIRONMENT, ROOT
from waiting import until

README = (ROOT / "schemas/README.md").read_text()
LANGUAGES = ("python", "go", "javascript")
# In each of them, what makes it read what is not committed too.
UNCOMMITTED = {"python": ('"read_committed"', '"read_uncommitted"'),
               "go": ("kgo.ReadCommitted()", "kgo.ReadUncommitted()"),
               "javascript": ("readUncommitted: false", "readUncommitted: true")}


def block(language):
    found, = re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return found


def command(language, text, folder):
    """How it is run: what it needs is installed, nothing of it is changed."""
    folder.mkdir()
    if language == "python":
        (folder / "scans.py").write_text(text)
        return [sys.executable, folder / "scans.py"], os.environ
    if language == "javascript":
        (folder / "scans.js").write_text(text)
        return ["node", folder / "scans.js"], NODE_ENVIRONMENT
    (folder / "main.go").write_text(text)
    for name in ("go.mod", "go.sum"):
        copy(ROOT / "tests/go" / name, folder)
    subprocess.run(["go", "build", "-o", "scans", "."], cwd=folder, env=GO_ENVIRONMENT, check=True,
                   timeout=300)
    return [folder / "scans"], os.environ


class Reader:
    """A consumer that runs, and the lines it has printed."""

    def __init__(self, language, text, folder, made):
        arguments, environment = command(language, text, folder)
        self.log = folder / "lines"
        with open(self.log, "wb") as lines, open(folder / "errors", "wb") as errors:
            self.process = subprocess.Popen([*arguments, made.broker.bootstrap, made.tap.topic("scans")],
                                            stdout=lines, stderr=errors, env=environment)
        self.errors = folder / "errors"

    def lines(self):
        assert self.process.poll() is None, self.errors.read_text()[-4000:]
        return [line for line in self.log.read_text().splitlines() if "/scan/" in line]

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def shop(module_stack):
    """Scans of the programs; between them one that nobody committed, and behind it one that is."""
    made = module_stack([Source()]).start()
    source, = made.sources
    for number, status in (("1", "done"), ("2", "failed")):
        source.stub.scan(number, status.upper())
        made.tap.one("scans", event_id=made.notify(source, id=number, kind="scan", status=status))
    made.tap.one("scans", event_id=made.notify(source, id="3", kind="scan", status="done"))  # 404
    producer = Producer({"bootstrap.servers": made.broker.bootstrap,
                         "transactional.id": f"{made.prefix}-{secrets.token_hex(4)}"})
    producer.init_transactions(20)
    for status, end in (("aborted", producer.abort_transaction), ("last", producer.commit_transaction)):
        producer.begin_transaction()
        for partition in range(3):
            producer.produce(made.tap.topic("scans"), key=f"somebody/scan/{status}", partition=partition,
                             value=msgpack.packb({"scan": {"status": status}}))
        assert producer.flush(20) == 0
        end(20)
    return made


SCANS = ["acme-vdr/scan/1 completed -", "acme-vdr/scan/2 failed -", "acme-vdr/scan/3 completed gone"]
LAST = ["somebody/scan/last last -"] * 3
ABORTED = ["somebody/scan/aborted aborted -"] * 3


@pytest.fixture
def started():
    readers = []
    yield lambda *arguments: readers.append(Reader(*arguments)) or readers[-1]
    for each in readers:
        each.stop()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_consumer_of_the_readme_prints_what_is_committed_and_nothing_else(
        shop, started, tmp_path, language):
    """Each partition's last record comes behind the aborted one: when it is there, all are."""
    reader = started(language, block(language), tmp_path / language, shop)
    until(lambda: len([line for line in reader.lines() if line in LAST]) == 3,
          f"the last of each partition (see {reader.errors})", 60)
    assert sorted(reader.lines()) == sorted(SCANS + LAST)


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_read_committed_the_aborted_one_is_printed(shop, started, tmp_path, language):
    text = block(language)
    for old, new in (UNCOMMITTED[language], (f"scans-{language}", f"all-scans-{language}")):
        assert text.count(old) == 1
        text = text.replace(old, new)
    reader = started(language, text, tmp_path / language, shop)
    until(lambda: len([line for line in reader.lines() if line in LAST]) == 3,
          f"the last of each partition (see {reader.errors})", 60)
    assert sorted(reader.lines()) == sorted(SCANS + ABORTED + LAST)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_consumer_is_short(language):
    """Its imports aside."""
    lines = [line for line in block(language).splitlines() if line.strip(" \t})(;") and not re.match(
        r"\s*(import|from|package|const .* = require|\")", line)]
    assert len(lines) <= 20
