# SPDX-License-Identifier: Apache-2.0
"""`vulnbus tail`: any record of any topic, as lines, a table and JSON, to a terminal and a pipe."""

import json
import os
import pty
import re
import secrets
import signal
import subprocess

import msgpack
import pytest
from confluent_kafka import Producer

from daemons import BUILD, run
from waiting import until

MSGPACK, JSON = b"application/vnd.msgpack", b"application/json"
TOPICS = ("events", "scans", "exports", "export-rows", "findings", "targets", "scorecards",
          "dead-letters", "state")
# What may reach a terminal: no C0 but the line feed, no DEL, no C1, no bidirectional overrides.
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
COLOUR = re.compile(r"\x1b\[\d+m")
NASTY = "a\x1b]0;owned\x07\x9b31mb\x7fc\u202ed\u2066e\u2028f\r\ng"


class Site:
    """Topics of their own, and records put there by hand."""

    def __init__(self, broker, folder):
        self.prefix = f"tail-{secrets.token_hex(4)}"
        self.config = folder / "vulnbus.yaml"
        self.config.write_text(f"""\
kafka: {{bootstrap_servers: "{broker.bootstrap}"}}
topics: {{prefix: {self.prefix}, partitions: 1, replication_factor: 1}}
sources:
  - {{name: one, vendor: probely, hook: {{secret: 0123456789abcdef}}}}
""")
        made = run("vulnbus", "-c", self.config, "topics", "--create")
        assert made.returncode == 0, made.stderr
        self.producer = Producer({"bootstrap.servers": broker.bootstrap})

    def put(self, topic, value, key="one/scan/1", kind=MSGPACK, headers=(), **more):
        if isinstance(value, dict):
            value = json.dumps(value).encode() if kind == JSON else msgpack.packb(value)
        self.producer.produce(f"{self.prefix}.{topic}.v1", value, key, headers=[
            *([("content-type", kind)] if kind else []), *headers], **more)
        assert self.producer.flush(10) == 0

    def command(self, *arguments):
        return [BUILD / "vulnbus", "-c", self.config, "tail", *map(str, arguments)]

    def tail(self, *arguments, code=0, **more):
        done = subprocess.run(self.command(*arguments), capture_output=True, timeout=60, **more)
        assert done.returncode == code, done.stderr
        return done.stdout.decode(), done.stderr.decode()

    def documents(self, *arguments):
        return [json.loads(line) for line in self.tail("--json", *arguments)[0].splitlines()]

    def terminal(self, *arguments, **env):
        """What a terminal is sent, on both outputs."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(self.command(*arguments), stdout=theirs, stderr=theirs,
                                   stdin=subprocess.DEVNULL,
                                   env={**os.environ, "TERM": "xterm", **env})
        os.close(theirs)
        data = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:     # EIO: the other side is closed
                break
            if not piece:
                break
            data += piece
        os.close(ours)
        assert process.wait(30) == 0, data
        return data.decode().replace("\r\n", "\n")


@pytest.fixture
def site(broker, tmp_path):
    return Site(broker, tmp_path)


def value(number, **more):
    return {"id": f"one:scan:{number}", "event_id": f"one:event:{number}", "source": "one",
            "vendor": "probely", "kind": "scan.completed", **more}


# What can be wrong with a record, and its content type.
BROKEN = {
    "msgpack cut off": (b"\x82\xa2id\xa1x", MSGPACK),
    "msgpack with more behind it": (msgpack.packb({"id": "x"}) + b"x", MSGPACK),
    "msgpack that is no map": (msgpack.packb(["id"]), MSGPACK),
    "msgpack that claims 4 GiB": (b"\xdf\xff\xff\xff\xff", MSGPACK),
    "msgpack with an ext": (msgpack.packb({"id": msgpack.ExtType(1, b"x")}), MSGPACK),
    "msgpack with a number as a name": (msgpack.packb({1: 2}), MSGPACK),
    "msgpack too deep": (b"\x81\xa1x" * 100 + b"\x01", MSGPACK),
    "msgpack with too large a number": (msgpack.packb({"id": 2**64 - 1}), MSGPACK),
    "no bytes, which is no tombstone": (b"", MSGPACK),
    "JSON cut off": (b'{"id": "x', JSON),
    "JSON with a name twice": (b'{"id": 1, "id": 2}', JSON),
    "JSON that is no object": (b"[1]", JSON),
    "JSON with bytes that are no UTF-8": (b'{"id": "\xff"}', JSON),
    "JSON as msgpack": (b'{"id": "x"}', MSGPACK),
    "msgpack as JSON": (msgpack.packb({"id": "x"}), JSON),
    "text without a content type": (b"hello", None),
    "noise": (bytes(range(256)), b"\xff\x1b"),
}


@pytest.mark.parametrize("form", [[], ["--table"], ["--json"], ["--pretty"]], ids=str)
def test_broken_records_are_told_and_passed_over(site, form):
    site.put("scans", value(0))
    for data, kind in BROKEN.values():
        site.put("scans", data, key=b"\xff\x1b[31m", kind=kind)
    site.put("scans", value(1))
    out, err = site.tail(*form, "scans")
    assert "one:scan:0" in out and "one:scan:1" in out
    if "--json" in form:
        assert not err
        lines = [json.loads(line) for line in out.splitlines()]
        assert [line["offset"] for line in lines if line.get("error")] == \
            list(range(1, len(BROKEN) + 1))
        assert not any("error" in lines[at] for at in (0, -1)) and "value" in lines[0]
    elif "--pretty" in form:
        assert not err and out.count('"error": ') == len(BROKEN)
    else:
        told = re.findall(rf"^{site.prefix}\.scans\.v1/0/(\d+): \S.+$", err, re.M)
        assert [int(at) for at in told] == list(range(1, len(BROKEN) + 1)), err
        assert len(out.splitlines()) == 2 + ("--table" in form)
    assert not RAW.search(out) and not RAW.search(err)


# Nothing is wrong with these, but that JSON could not say it as it stands.
ODD = {
    "no UTF-8": ({"id": b"\xff\xfe caf\xc3\xa9", "source": "one"}, "\ufffd\ufffd café"),
    "a name that is no UTF-8": (b"\x81\xa2x\xff\xa5there", "there"),
    "not a number": ({"score": float("nan"), "kind": "odd"}, "odd"),
    "a name of 300 characters": ({"x" * 300: 1}, None),
    "70,000 values": ({"many": list(range(65_500))}, "65499"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_json_cannot_say_is_said_somehow(site, name):
    data, text = ODD[name]
    site.put("events", data, headers=[(b"x\xff\x1b".decode("latin-1"), b"\xff\x1b")])
    site.put("events", value(1))
    first, second = site.documents("events")
    assert first["offset"] == 0 and second["value"]["id"] == "one:scan:1"
    assert (text in json.dumps(first, ensure_ascii=False)) if text else first["error"]
    for form in ([], ["--table"], ["--pretty"]):
        assert "one:scan:1" in site.tail(*form, "events")[0]


@pytest.mark.parametrize("form", [[], ["--table"], ["--json"], ["--pretty"]], ids=str)
def test_nothing_that_steers_a_terminal_reaches_it_raw(site, form):
    for kind in (MSGPACK, JSON):
        site.put("events", value(NASTY, kind=NASTY, **{NASTY: NASTY, "list": [NASTY]}), key=NASTY,
                 kind=kind, headers=[("nasty", NASTY.encode()), ("raw", b"\x9b\x1b[31m\xff")])
    site.put("events", msgpack.packb({"id": b"\x9b31m\xff\x1b", "kind": "\x9b"}), key=b"\x9b\xff")
    site.put("events", None, key=NASTY)
    site.put("events", b"broken", key=NASTY)
    for seen in (site.terminal(*form, "events"), "".join(site.tail(*form, "events"))):
        assert not RAW.search(COLOUR.sub("", seen)), RAW.search(COLOUR.sub("", seen))
    if "--json" in form:
        lines = [json.loads(line) for line in site.tail("--json", "events")[0].splitlines()]
        assert lines[0]["key"] == lines[0]["value"]["kind"] == NASTY
        assert lines[0]["value"][NASTY] == lines[0]["headers"]["nasty"] == NASTY


def test_every_topic_is_read_and_tombstones_are_seen(site):
    for topic in TOPICS:
        site.put(topic, value(topic), key=f"one/scan/{topic}")
        site.put(topic, value(f"{topic}-j"), key=f"one/scan/{topic}", kind=JSON)
        site.put(topic, value(f"{topic}-n"), key=f"one/scan/{topic}", kind=None)
        site.put(topic, None, key=f"one/scan/{topic}")
        one = site.documents(topic)
        assert [line["value"] and line["value"]["id"] for line in one] == \
            [f"one:scan:{topic}", f"one:scan:{topic}-j", f"one:scan:{topic}-n", None]
        for form in ([], ["--table"]):
            out, err = site.tail(*form, topic)
            assert not err and out.count("(deleted)") == 1 and len(out.splitlines()) >= 4
    assert len(site.documents()) == 4 * (len(TOPICS) - 1)       # all but state
    assert len(site.documents(f"{site.prefix}.scans.v1", "state")) == 8


def test_the_table_has_columns(site):
    site.put("scans", value(1), key="one/scan/1", timestamp=1700000000000)
    site.put("dead-letters", value(2, kind="a.kind.that.is.longer.than.that"),
             key="é" * 40, timestamp=1700000000000)
    out, _ = site.tail("--table", "scans", "dead-letters")
    head, *rows = out.splitlines()
    assert head.split() == ["TIME", "TOPIC", "PARTITION/OFFSET", "KIND", "KEY", "ID"]
    begins = [head.index(title) for title in head.split()] + [None]
    cells = {tuple(row[a:b].strip() for a, b in zip(begins, begins[1:])) for row in rows}
    assert cells == {
        ("2023-11-14T22:13:20Z", "scans", "0/0", "scan.completed", "one/scan/1", "one:scan:1"),
        ("2023-11-14T22:13:20Z", "dead-letters", "0/0", "a.kind.that.is.lo...",
         "é" * 29 + "...", "one:scan:2")}
    assert site.tail("--table", "findings")[0] == ""


def test_filters(site):
    for number in range(6):
        site.put("scans", value(number, source="two" if number % 2 else "one",
                                kind="scan.failed" if number == 4 else "scan.completed"),
                 key=f"k{number // 2}", timestamp=1700000000000 + number * 1000)
    site.put("scans", None, key="one/scan/9", timestamp=1700000009000)

    def ids(*arguments):
        return [line["value"]["id"][-1] if line["value"] else "deleted"
                for line in site.documents(*arguments, "scans")]
    assert ids() == ["0", "1", "2", "3", "4", "5", "deleted"]
    assert ids("--source", "two") == ["1", "3", "5"]
    assert ids("--source", "one") == ["0", "2", "4", "deleted"]
    assert ids("--kind", "scan.failed") == ["4"]
    assert ids("--kind", "scan") == ["0", "1", "2", "3", "4", "5"]
    assert ids("--key", "k1") == ["2", "3"]
    assert ids("--key", "k1", "--source", "two") == ["3"]
    assert ids("--id", "one:scan:2") == ids("--id", "one:event:2") == ["2"]
    assert ids("--id", "one/scan/9") == ["deleted"]
    assert ids("--since", "2023-11-14T22:13:23Z", "--until", "2023-11-14T22:13:24Z") == ["3", "4"]
    assert ids("--count", "2") == ["0", "1"]
    assert ids("--count", "2", "--source", "two") == ["1", "3"]


def test_colour_is_for_terminals_that_want_it(site):
    site.put("scans", value(1))
    for form in ([], ["--table"]):
        assert COLOUR.search(site.terminal(*form, "scans"))
        for other in (site.terminal(*form, "--no-color", "scans"),
                      site.terminal(*form, "scans", NO_COLOR="1"),
                      site.terminal(*form, "scans", TERM="dumb"), site.tail(*form, "scans")[0]):
            assert "one:scan:1" in other and "\x1b" not in other
        assert COLOUR.search(site.terminal(*form, "scans", NO_COLOR=""))     # no-color.org
    assert "\x1b" not in site.terminal("--json", "scans")


def follow(site, *arguments):
    process = subprocess.Popen(site.command("--follow", *arguments), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    return process


def test_following_ends_with_the_count(site):
    """Only what comes from now on, across topics, and broken ones do not count."""
    site.put("scans", value("old"))
    process = follow(site, "--json", "--count", "3", "scans", "findings")
    numbers = iter(range(10**6))

    def ended():
        site.put("scans", value(f"new-{next(numbers)}"))
        site.put("scans", b"broken")
        site.put("findings", value(f"new-{next(numbers)}"))
        return process.poll() is not None
    try:
        until(ended, "three records", 30, 0.1)
    finally:
        process.kill()
    out, _ = process.communicate()
    assert process.returncode == 0
    lines = [json.loads(line) for line in out.splitlines()]
    good = [line for line in lines if "error" not in line]
    assert len(good) == 3 and all("new-" in line["value"]["id"] for line in good)


@pytest.mark.parametrize("arguments", [["--from-beginning"], ["--since", "-1h"]], ids=str)
def test_following_may_begin_at_the_beginning(site, arguments):
    site.put("scans", value("old"))
    process = follow(site, "--json", *arguments, "scans")
    try:
        assert json.loads(process.stdout.readline())["value"]["id"] == "one:scan:old"
        site.put("scans", value("new"))
        assert json.loads(process.stdout.readline())["value"]["id"] == "one:scan:new"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, b"", b"")
    finally:
        process.kill()


def test_head_ends_it_quietly(site):
    for number in range(3000):
        site.producer.produce(f"{site.prefix}.scans.v1", msgpack.packb(value(number, text="x" * 500)),
                              "k")
        site.producer.poll(0)
    assert site.producer.flush(30) == 0
    for form in ("", "--table", "--json", "--pretty", "--json --count 3000", "--follow --since -1h"):
        command = f'"{BUILD}/vulnbus" tail -c "{site.config}" {form} scans | head -1'
        done = subprocess.run(["bash", "-c", f"{command}; echo ${{PIPESTATUS[0]}}"],
                              capture_output=True, timeout=30, text=True)
        assert done.stderr == "" and done.stdout.splitlines()[-1] == "0", (form, done)
        assert len(done.stdout.splitlines()) == 2


def test_a_reader_that_goes_ends_following_even_when_nothing_comes(site):
    site.put("scans", value("old"))
    process = follow(site, "--since", "-1h", "scans")
    try:
        assert b"one:scan:old" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(10) == 0
        assert process.stderr.read() == b""
    finally:
        process.kill()


def test_a_full_disk_is_told(site):
    site.put("scans", value(1))
    with open("/dev/full", "w") as full:
        done = subprocess.run(site.command("scans"), stdout=full, stderr=subprocess.PIPE,
                              timeout=30)
    assert done.returncode == 74 and b"cannot be written" in done.stderr


def test_wrong_calls(site):
    assert "no such topic" in site.tail("nothing", code=64)[1]
    assert site.tail("--count", "0", code=64)[1]
    assert site.tail("--since", "yesterday", code=64)[1]
    assert site.tail("--no-such", code=64)[1]
