# SPDX-License-Identifier: Apache-2.0
"""The operator's side: configuration and its errors, topics, tail, signals."""

import json
import re
import secrets
import subprocess
import time

import pytest
from confluent_kafka.admin import ConfigResource, ResourceType

from daemons import BUILD, Source, run
from kafka import admin
from waiting import until

GOOD = """\
kafka:
  bootstrap_servers: 127.0.0.1:9092
  properties:
    client.rack: here
topics:
  prefix: test
ingress:
  listen: 127.0.0.1:0
  answer_within: 3s
  max_body: 1MiB
sources:
  - name: acme-vdr
    vendor: taegis-vdr
    base_url: https://acme.vdr.example.com
    hook: {secret: "0123456789abcdef-hook"}
    api: {token: "the-token-of-the-vendor"}
"""


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "vulnbus.yaml"
        path.write_text(text)
        return path
    return write


# --- check-config ---

@pytest.mark.parametrize("command", [
    ["vulnbus", "check-config", "-c"], ["vulnbus-ingress", "--check-config", "-c"],
    ["vulnbus-enricher", "--check-config", "-c"]], ids=lambda command: command[0])
def test_a_good_file_is_good_for_each_program(config, command):
    made = run(*command, config(GOOD))
    assert (made.returncode, made.stderr) == (0, "")


def change(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


# What is wrong, and the line that it is on (None: where it would stand is a matter of taste).
WRONG = {
    "an unknown key": (change("  max_body: 1MiB", "  max_bodies: 1MiB"), 10),
    "an unknown section": (GOOD + "outgress: {}\n", 17),
    "a key of a later version": (change("  max_body: 1MiB", "  tls: {key: /tmp/x}"), 10),
    "a key twice": (change("  max_body: 1MiB", "  answer_within: 4s"), 10),
    "a section twice": (GOOD + "topics: {prefix: other}\n", 17),
    "a duration without a unit": (change("3s", "3"), 9),
    "a duration of an unknown unit": (change("3s", "3 fortnights"), 9),
    "a negative duration": (change("3s", "-3s"), 9),
    "a duration beyond all bounds": (change("3s", "999999999999d"), 9),
    "a size without a unit": (change("1MiB", "1"), 10),
    "a size over its ceiling": (change("1MiB", "9999999GiB"), 10),
    "a number that is none": (change("  prefix: test", "  partitions: many"), 6),
    "a number below its floor": (change("  prefix: test", "  partitions: 0"), 6),
    "a boolean that is none": (change("  prefix: test", "  create: perhaps"), 6),
    "a format nobody knows": (change("  prefix: test", "  format: xml"), 6),
    "a list in place of a text": (change("127.0.0.1:9092", "[a, b]"), 2),
    "a text in place of a list": (GOOD[:GOOD.index("sources:")] + "sources: none\n", 11),
    "an unknown vendor": (change("taegis-vdr", "nobody"), 13),
    "no vendor": (change("    vendor: taegis-vdr\n", ""), None),
    "no base_url where there is no default": (
        change("    base_url: https://acme.vdr.example.com\n", ""), None),
    "a base_url without encryption": (change("https://acme", "http://acme"), 14),
    "a base_url that is none": (change("https://acme.vdr.example.com", "acme"), 14),
    "a base_url with a user": (change("https://acme", "https://me:pw@acme"), 14),
    "a secret too short": (change("0123456789abcdef-hook", "0123456789abcde"), 15),
    "no secret": (change('    hook: {secret: "0123456789abcdef-hook"}\n', ""), None),
    "a bad name": (change("name: acme-vdr", "name: Acme_VDR"), 12),
    "a name twice": (GOOD + GOOD[GOOD.index("  - name"):].replace("abcdef", "fedcba"), 17),
    "no brokers": (change("  bootstrap_servers: 127.0.0.1:9092\n", ""), None),
    "no kafka": (GOOD[GOOD.index("topics:"):], None),
    "a property librdkafka does not know": (change("client.rack", "client.shelf"), 4),
    "a property with a value it does not take": (
        change("client.rack: here", "security.protocol: smoke-signals"), 4),
    "an unclosed ${": (change("prefix: test", 'prefix: "${env:HOME"'), 6),
    "an unknown ${}": (change("prefix: test", 'prefix: "${vault:x}"'), 6),
    "an unset variable": (change("prefix: test", 'prefix: "${env:VULNBUS_SURELY_UNSET}"'), 6),
    "a file that is not there": (
        change('"the-token-of-the-vendor"', '"${file:/nowhere/at/all}"'), 16),
    "an address that is none": (change("127.0.0.1:0", "here"), 8),
    "a topic prefix that is none": (change("prefix: test", 'prefix: "a b"'), 6),
    "YAML that is none": (change("  prefix: test", "  prefix: [test"), None),
    "a tab for indentation": (change("  prefix: test", "\tprefix: test"), 6),
    "an empty file": ("", None),
    "a list": ("- kafka\n", 1),
    "bytes that are no text": (change("prefix: test", "prefix: \0"), None),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_bad_file_is_refused_with_its_place(config, name):
    text, line = WRONG[name]
    path = config(text)
    made = run("vulnbus", "check-config", "-c", path)
    assert made.returncode == 78, (made.stdout, made.stderr)
    found = re.match(rf"{re.escape(str(path))}:(\d+):(\d+): \S", made.stderr)
    assert found, made.stderr
    assert line is None or int(found[1]) == line, made.stderr
    assert int(found[2]) >= 1
    assert "0123456789abcde" not in made.stderr and "the-token-of" not in made.stderr


@pytest.mark.parametrize("program", ["vulnbus-ingress", "vulnbus-enricher"])
def test_a_daemon_does_not_start_on_a_bad_file(config, program):
    path = config(WRONG["an unknown key"][0])
    for made in (run(program, "-c", path), run(program, "--check-config", "-c", path)):
        assert made.returncode == 78
        assert f"{path}:10:" in made.stderr


@pytest.mark.parametrize("command", [
    ["vulnbus", "check-config", "-c"], ["vulnbus-ingress", "-c"], ["vulnbus-enricher", "-c"]],
    ids=lambda command: command[0])
def test_a_missing_file_is_66(tmp_path, command):
    made = run(*command, tmp_path / "nowhere.yaml")
    assert made.returncode == 66
    assert "nowhere.yaml" in made.stderr


@pytest.mark.parametrize("program", ["vulnbus", "vulnbus-ingress", "vulnbus-enricher"])
def test_the_version_is_told(program):
    made = run(program, "--version")
    assert made.returncode == 0
    assert re.match(rf"{program} \d+\.\d+\.\d+", made.stdout)


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["--no-such-option"],
                                       ["check-config", "--no-such-option"]], ids=str)
def test_a_call_that_is_wrong_is_64(arguments):
    assert run("vulnbus", *arguments).returncode == 64


def test_environment_and_files_are_put_in(config, tmp_path):
    (tmp_path / "token").write_text("from-a-file-12345\n")
    text = change('"the-token-of-the-vendor"', f'"${{file:{tmp_path}/token}}"').replace(
        "prefix: test", 'prefix: "${env:VULNBUS_TEST_PREFIX}.${env:NO_SUCH_THING:-rest}"')
    made = run("vulnbus", "print-config", "-c", config(text),
               env={"PATH": "/usr/bin:/bin", "VULNBUS_TEST_PREFIX": "given"})
    assert made.returncode == 0
    assert "from-a-file" not in made.stdout


# --- print-config ---

def test_the_effective_configuration_is_printed_with_masked_secrets(config):
    path = config(change("client.rack: here", "sasl.password: hunter2-hunter2"))
    before = run("vulnbus", "-c", path, "print-config")
    after = run("vulnbus", "print-config", "-c", path)
    assert (before.returncode, after.returncode) == (0, 0)
    assert before.stdout == after.stdout
    for secret in ("0123456789abcdef-hook", "the-token-of-the-vendor", "hunter2"):
        assert secret not in before.stdout
    assert before.stdout.count("********") >= 2
    for line in ("  bootstrap_servers: 127.0.0.1:9092", "  answer_within: 3s",
                 "  max_body: 1MiB", "  group_id: vulnbus-enricher", "acme-vdr"):
        assert line in before.stdout.replace('"', ""), line


def test_what_is_printed_is_a_configuration_again(config, tmp_path):
    first = run("vulnbus", "print-config", "-c", config(GOOD)).stdout
    again = tmp_path / "again.yaml"
    again.write_text(first.replace("********", "0123456789abcdef"))
    made = run("vulnbus", "check-config", "-c", again)
    assert made.returncode == 0, made.stderr
    second = run("vulnbus", "print-config", "-c", again).stdout
    for before, after in zip(first.splitlines(), second.splitlines(), strict=True):
        assert before == after or "********" in before


# --- topics ---

TOPICS = {   # topic -> cleanup policy, days of retention
    "events": ("delete", 30), "scans": ("delete", 90), "exports": ("delete", 90),
    "export-rows": ("delete", 30), "dead-letters": ("delete", 90),
    "state": ("compact,delete", None),
}


def test_topics_are_created_and_compared(broker, config):
    prefix = f"topics-{secrets.token_hex(4)}"
    text = GOOD.replace("127.0.0.1:9092", broker.bootstrap).replace(
        "prefix: test", f"prefix: {prefix}\n  partitions: 2\n  replication_factor: 1")
    path = config(text)
    assert run("vulnbus", "-c", path, "topics").returncode != 0    # none is there
    made = run("vulnbus", "-c", path, "topics", "--create")
    assert made.returncode == 0, made.stderr
    assert run("vulnbus", "-c", path, "topics").returncode == 0
    assert run("vulnbus", "-c", path, "topics", "--create").returncode == 0

    client = admin(broker.bootstrap)
    known = client.list_topics(timeout=10).topics
    for short, (policy, days) in TOPICS.items():
        topic = f"{prefix}.{short}.v1"
        assert len(known[topic].partitions) == 2
        resource = ConfigResource(ResourceType.TOPIC, topic)
        values = client.describe_configs([resource])[resource].result(10)
        assert set(values["cleanup.policy"].value.split(",")) == set(policy.split(","))
        if days:
            assert int(values["retention.ms"].value) == days * 86400 * 1000

    # Another number of partitions than configured is a difference.
    path = config(text.replace("partitions: 2", "partitions: 3"))
    made = run("vulnbus", "-c", path, "topics")
    assert made.returncode != 0
    assert f"{prefix}.events.v1" in made.stdout + made.stderr


def test_topics_say_when_kafka_is_away(config):
    path = config(GOOD.replace("127.0.0.1:9092", "127.0.0.1:9"))
    assert run("vulnbus", "-c", path, "topics").returncode == 69


# --- with running daemons ---

@pytest.fixture(scope="module")
def shop(module_stack):
    made = module_stack([Source()], {"enricher": {"instance_id": "tool"}})
    made.source = made.sources[0]
    return made.start()


def test_tail_prints_records_as_json_lines(shop):
    """Whether it begins at the end or at the beginning: what comes while it runs is shown."""
    process = subprocess.Popen(
        [BUILD / "vulnbus", "-c", shop.config, "tail", "--json", "--count", "3", "scans"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    numbers = iter(range(10**6))

    def ended():
        number = str(next(numbers))
        shop.source.stub.scan(number)
        shop.notify(shop.source, id=number, kind="scan", status="done")
        return process.poll() is not None

    try:
        until(ended, "tail has its three records", 30, 0.1)
    finally:
        process.kill()
    out, err = process.communicate()
    assert process.returncode == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert len(lines) == 3
    for line in lines:
        text = json.dumps(line)
        assert f"{shop.source.name}:scan:" in text and "DONE" in text
        assert shop.prefix in text


def test_sighup_adds_a_source_to_both(shop):
    new = Source("new-vdr")
    new.stub.scan("1")
    pids = [shop.ingress.process.pid, shop.enricher.process.pid]
    token = new.token(id="1", kind="scan", status="done")
    assert shop.post(new, token).status_code == 404
    shop.sources.append(new)
    shop.write()
    shop.enricher.hang_up()
    shop.ingress.hang_up()
    until(lambda: shop.post(new, token).status_code == 202, "the new source is known", 5)
    shop.tap.one("scans", event_id="new-vdr:scan:1:0:done")
    assert [shop.ingress.process.pid, shop.enricher.process.pid] == pids
    shop.source.stub.scan("90001")
    name = shop.notify(shop.source, id="90001", kind="scan", status="done")
    shop.tap.one("scans", event_id=name)


def test_sighup_on_a_bad_file_keeps_the_old_configuration(shop):
    good = shop.config.read_text()
    shop.expect_errors("config|reload|vulnbus.yaml|unknown")
    before = [daemon.log.stat().st_size for daemon in (shop.ingress, shop.enricher)]
    shop.config.write_text(good + "nonsense: true\n")
    try:
        for daemon, size in zip((shop.ingress, shop.enricher), before):
            daemon.hang_up()
            until(lambda: any("nonsense" in json.dumps(line) for line in daemon.lines(size)),
                  f"{daemon.program} says what is wrong", 5)
    finally:
        shop.config.write_text(good)
    assert shop.ingress.ready() and shop.enricher.ready()
    shop.source.stub.scan("90002")
    name = shop.notify(shop.source, id="90002", kind="scan", status="done")
    shop.tap.one("scans", event_id=name)
    for daemon in (shop.ingress, shop.enricher):
        daemon.hang_up()
    name = shop.notify(shop.source, id="90003", kind="scan", status="done")
    shop.tap.one("scans", event_id=name)


def test_sigterm_ends_both_with_0_and_they_start_again(shop):
    """Under load: what was promised before the end is there after it."""
    names = []
    for number in range(100):
        shop.source.stub.scan(f"t{number}")
        names.append(shop.notify(shop.source, id=f"t{number}", kind="scan", status="done"))
    began = time.monotonic()
    shop.ingress.stop()
    shop.enricher.stop()
    assert time.monotonic() - began < 20
    shop.start()
    for name in names:
        shop.tap.one("scans", event_id=name)
    shop.tap.drain()
    assert len(shop.tap.find("events", kind="scan.completed")) == len(
        shop.tap.records["events"])


def test_the_log_says_what_it_is(shop):
    for daemon in (shop.ingress, shop.enricher):
        lines = daemon.lines()
        assert lines
        for line in lines:
            assert line["log.level"] in ("debug", "info", "warn", "warning", "error")
            assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", line["@timestamp"])
