# SPDX-License-Identifier: Apache-2.0
"""The programs as an operator runs them: a config file, two daemons, their logs."""

import json
import os
import re
import secrets
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import requests

from kafka import ROOT
from reader import Tap
from vendor import Vendor
from waiting import SLOW, until

BUILD = (ROOT / os.environ.get("VULNBUS_BUILD", "build")).resolve()
PROGRAMS = ("vulnbus-ingress", "vulnbus-enricher", "vulnbus")


def merge(base, more):
    """A copy of `base` with `more` put over it, mapping by mapping; None takes a key away."""
    result = dict(base)
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or re.fullmatch(r"[\w/][\w./:-]*", value):
        return str(value)
    return json.dumps(value)


def yaml(node, depth=0):
    """Just as much YAML as a config file needs."""
    pad, text = "  " * depth, ""
    for key, value in node.items():
        if isinstance(value, dict):
            text += f"{pad}{key}:\n{yaml(value, depth + 1)}"
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            text += f"{pad}{key}:\n"
            for item in value:
                text += f"{pad}  - {yaml(item, depth + 2).lstrip()}"
        elif isinstance(value, list):
            text += f"{pad}{key}: [{', '.join(map(scalar, value))}]\n"
        else:
            text += f"{pad}{key}: {scalar(value)}\n"
    return text


def run(program, *arguments, **more):
    """A program that ends by itself."""
    return subprocess.run([BUILD / program, *map(str, arguments)], capture_output=True, text=True,
                          timeout=60, **more)


class Daemon:
    """One process and its log. The log outlives restarts."""

    alive = []

    def __init__(self, program, config: Path, log: Path):
        self.program = program
        self.config = config
        self.log = log
        self.process = None
        self.ports = {}
        self.arguments = []
        self.expected_errors = []
        self._checked = 0
        self._began = 0

    def start(self, ready=True):
        assert self.process is None
        self.log.touch()
        self._began = self.log.stat().st_size
        with open(self.log, "ab") as log:
            self.process = self.spawn(stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        Daemon.alive.append(self)
        wanted = {"public", "admin"} if self.program == "vulnbus-ingress" else {"admin"}
        until(lambda: self._listens(wanted), f"{self.program} listens (see {self.log})", 30)
        if ready:
            until(self.ready, f"{self.program} is ready (see {self.log})", 30)
        return self

    def spawn(self, **streams):
        return subprocess.Popen([BUILD / self.program, "-c", self.config, *self.arguments], **streams)

    def _listens(self, wanted):
        assert self.process.poll() is None, \
            f"{self.program} ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}"
        self.ports = {line["port"]: line["address"] for line in self.lines(self._began)
                      if line["message"] == "listening"}
        return wanted <= self.ports.keys()

    def url(self, port="public"):
        return f"http://{self.ports[port]}"

    def address(self, port="public"):
        host, _, number = self.ports[port].rpartition(":")
        return host, int(number)

    def admin(self, path):
        return requests.get(self.url("admin") + path, timeout=10)

    def ready(self):
        assert self.process.poll() is None, \
            f"{self.program} ended with {self.process.returncode}; see {self.log}"
        try:
            return self.admin("/readyz").status_code == 200
        except requests.RequestException:
            return False

    def metric(self, name, **labels):
        """The sum of the samples of that name with those labels, 0 when there is none."""
        total = 0.0
        for line in self.admin("/metrics").text.splitlines():
            found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)(?: \d+)?", line)
            if found and found[1] == name and all(
                    f'{key}="{value}"' in (found[2] or "") for key, value in labels.items()):
                total += float(found[3])
        return total

    def lines(self, start=0):
        """The whole lines of the log from byte `start`; each must be JSON of the agreed form."""
        data = self.log.read_bytes()[start:]
        lines = []
        for text in data[: data.rfind(b"\n") + 1].decode(errors="replace").splitlines():
            try:
                line = json.loads(text)
                assert {"@timestamp", "log.level", "message"} <= line.keys()
            except (ValueError, AssertionError, AttributeError):
                tail = data.decode(errors="replace")[-8000:]
                raise AssertionError(f"{self.program} wrote no log line: {text}\n...{tail}") from None
            lines.append(line)
        return lines

    def expect_errors(self, pattern=""):
        """From now on, log lines of level error whose message or error matches are in order."""
        self.expected_errors.append(re.compile(pattern, re.I))

    def check_log(self):
        start, self._checked = self._checked, self.log.stat().st_size
        for line in self.lines(start):
            text = json.dumps(line)
            assert line["log.level"] not in ("error", "fatal", "critical") or any(
                pattern.search(text) for pattern in self.expected_errors), \
                f"{self.program} logged an error that no test expects: {text}"

    def hang_up(self):
        self.process.send_signal(signal.SIGHUP)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, within=25):
        code = self.process.wait(within * SLOW)
        self.process = None
        Daemon.alive.remove(self)
        return code

    def stop(self):
        """SIGTERM must end it in order: exit code 0 and no unexpected error in its log."""
        if self.process is None:
            return
        self.terminate()
        try:
            code = self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.program} did not end on SIGTERM; see {self.log}") from None
        self.check_log()
        assert code == 0, f"{self.program} ended with {code}:\n{self.log.read_text()[-8000:]}"

    def kill(self):
        """kill -9"""
        if self.process is not None:
            self.process.kill()
            self.wait()


@dataclass
class Source:
    """One vendor instance as configured here, and its simulation."""

    name: str = "acme-vdr"
    vendor: str = "taegis-vdr"
    stub: Vendor = field(default_factory=Vendor)
    secret: str = field(default_factory=lambda: secrets.token_hex(16))
    settings: dict = field(default_factory=dict)

    @property
    def path(self):
        return f"/hooks/{self.name}/{self.secret}"

    def token(self, **claims):
        return self.stub.signer.token({"iat": int(time.time()), **claims})


class Stack:
    """A config file, its daemons and a tap on its topics."""

    def __init__(self, broker, folder: Path, sources, settings=None):
        self.broker = broker
        self.folder = folder
        self.sources = list(sources)
        self.prefix = f"test-{secrets.token_hex(4)}"
        self.config = folder / "vulnbus.yaml"
        self.settings = settings or {}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "state").mkdir(exist_ok=True)
        self.write()
        self.ingress = Daemon("vulnbus-ingress", self.config, folder / "ingress.log")
        self.enricher = Daemon("vulnbus-enricher", self.config, folder / "enricher.log")
        more = ["ocsf"] if self.settings.get("topics", {}).get("ocsf") else []
        self.tap = Tap(broker.bootstrap, self.prefix, more)
        self.session = requests.Session()

    def token_file(self, source):
        return self.folder / f"{source.name}.token"

    def write_token(self, source, token):
        """Replaces the file in one step, as secret stores do."""
        new = self.folder / "token.new"
        new.write_text(token + "\n")
        new.rename(self.token_file(source))

    def write(self):
        """The config file of the sources and settings as they are now."""
        entries = []
        for source in self.sources:
            if not self.token_file(source).exists():
                self.write_token(source, source.stub.token)
            (self.folder / f"{source.name}.hook").write_text(source.secret + "\n")
            entries.append(merge({
                "name": source.name,
                "vendor": source.vendor,
                "base_url": source.stub.url,
                "hook": {"secret": f"${{file:{self.folder}/{source.name}.hook}}"},
                "signature": {"max_age": "24h"},
                "api": {"token": f"${{file:{self.token_file(source)}}}", "timeout": "30s"},
            }, source.settings))
        document = merge({
            "kafka": {"bootstrap_servers": self.broker.bootstrap},
            "topics": {"prefix": self.prefix, "create": True, "partitions": 3,
                       "replication_factor": 1},
            "ingress": {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0",
                        "public_url": "https://hooks.example.com", "answer_within": "5s",
                        "state_dir": str(self.folder / "state")},
            "enricher": {"admin": "127.0.0.1:0", "group_id": f"{self.prefix}-enricher",
                         "instance_id": "one", "retry_from": "100ms", "retry_to": "1s",
                         "poll_to": "300ms", "session_timeout": "6s"},
        }, self.settings)
        if BUILD.name == "coverage":
            # What was reached is written at the end, into files that the sandbox keeps shut.
            document.setdefault("sandbox", "off")
        document["sources"] = entries
        self.config.write_text(yaml(document))

    def start(self, ingress=True, enricher=True):
        if ingress:
            self.ingress.start()
        if enricher:
            self.enricher.start()
        return self

    def expect_errors(self, pattern=""):
        self.ingress.expect_errors(pattern)
        self.enricher.expect_errors(pattern)

    def post(self, source, token, body=b"", **headers):
        """One webhook call as the vendor makes it."""
        return self.session.post(
            self.ingress.url() + source.path, data=body, timeout=30,
            headers={"Content-Type": "application/json", "Authorization": f"Signed {token}",
                     "X-Signature": "'ES512 /api/webhook.key", **headers})

    def notify(self, source, **claims):
        """A signed notification that must be taken."""
        answer = self.post(source, source.token(**claims), json.dumps(claims))
        assert answer.status_code == 202, (answer.status_code, answer.text, claims)
        return f"{source.name}:{claims['kind']}:{claims['id']}:" \
               f"{claims.get('attemptNumber', 0)}:{claims['status']}"

    def close(self):
        """Ends everything; says what went wrong only after that."""
        failures = []
        self.session.close()     # an ingress waits for who keeps a connection
        for daemon in (self.ingress, self.enricher):
            try:
                daemon.stop()
            except AssertionError as failure:
                failures.append(str(failure))
        self.tap.close()
        for source in self.sources:
            source.stub.down()
        assert not failures, "\n".join(failures)
