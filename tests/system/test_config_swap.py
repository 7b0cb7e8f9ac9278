# SPDX-License-Identifier: Apache-2.0
"""A configuration and its secrets as Kubernetes mounts them, changed under running daemons that
nobody tells."""

import json
import secrets
import shutil
import socket
import threading

import pytest

from certificates import SERVER, Authority
from daemons import Source
from signing import Signer
from vendor import Vendor, tls_context
from waiting import until

BROKEN = "configuration not reloaded, the old one stays"


class Mount:
    """A ConfigMap's or Secret's folder, laid out and changed as kubelet's atomic writer does it:
    the files lie in a folder named after the time, ..data leads to that, and each name to
    ..data/name; a change is another such folder and one rename of ..data."""

    def __init__(self, folder):
        self.folder = folder
        self.files = {}
        folder.mkdir()

    def __truediv__(self, name):
        return self.folder / name

    def put(self, **files):
        """With None for what goes away. Names have - for _ and . for __."""
        for name, text in files.items():
            self.files[name.replace("__", ".").replace("_", "-")] = text
        self.files = {name: text for name, text in self.files.items() if text is not None}
        former = (self.folder / "..data").resolve()
        fresh = self.folder / f"..2026_11_23_12_00_00.{secrets.randbelow(10**9)}"
        fresh.mkdir()
        for name, text in self.files.items():
            (fresh / name).write_text(text)
        (self.folder / "..data_tmp").symlink_to(fresh.name)
        (self.folder / "..data_tmp").rename(self.folder / "..data")
        for name in self.files:
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
        for link in self.folder.iterdir():
            if link.is_symlink() and not link.exists():
                link.unlink()
        if former.name.startswith("..2026"):
            shutil.rmtree(former)


class Supervisor:
    """What systemd is told (sd_notify): so tries can be counted that say nothing in the log."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.reloads = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            self.reloads += self.socket.recv(1000) == b"RELOADING=1"

    def more_reloads(self, count):
        """Waits for so many, of either daemon."""
        end = self.reloads + count
        until(lambda: self.reloads >= end, f"{count} tries to reload", 30)


class Pod:
    def __init__(self, stack, tmp_path, sources, monkeypatch):
        self.secrets = Mount(tmp_path / "secrets")
        self.settings = Mount(tmp_path / "settings")
        supervisor = tmp_path / "notify"
        self.supervisor = Supervisor(supervisor)
        monkeypatch.setenv("NOTIFY_SOCKET", str(supervisor))
        self.made = stack(sources, {"reload": {"every": "1s"}})
        for source in sources:
            source.settings.setdefault("hook", {})["secret"] = \
                f"${{file:{self.secrets / source.name}-hook}}"
            source.settings.setdefault("api", {})["token"] = \
                f"${{file:{self.secrets / source.name}-token}}"
            self.secrets.put(**{f"{source.name}-hook": source.secret + "\n",
                                f"{source.name}-token": source.stub.token + "\n"})
        self.write()
        self.daemons = (self.made.ingress, self.made.enricher)
        for daemon in self.daemons:
            daemon.config = self.settings / "vulnbus.yaml"
        self.made.start()
        self.numbers = iter(range(1000, 10**6))

    def text(self):
        self.made.write()
        return self.made.config.read_text()

    def write(self):
        self.settings.put(vulnbus__yaml=self.text())

    def said(self, message):
        return [sum(line["message"] == message for line in daemon.lines())
                for daemon in self.daemons]

    def reloaded(self, times):
        until(lambda: self.said("configuration reloaded") == [times, times],
              f"reloaded {times} times by both", 20)
        assert self.metric() == [1, 1]

    def metric(self):
        return [daemon.metric("vulnbus_config_last_reload_successful") for daemon in self.daemons]

    def call(self, source, secret, number=None):
        number = number or str(next(self.numbers))
        claims = {"id": number, "kind": "scan", "status": "done"}
        return self.made.session.post(
            f"{self.made.ingress.url()}/hooks/{source.name}/{secret}", data=json.dumps(claims),
            timeout=10, headers={"Authorization": f"Signed {source.token(**claims)}"}).status_code

    def enriched(self, source):
        number = str(next(self.numbers))
        source.stub.scan(number)
        assert self.call(source, source.secret, number) == 202
        return self.made.tap.one("scans", event_id=f"{source.name}:scan:{number}:0:done")


@pytest.fixture
def pod(stack, tmp_path, monkeypatch):
    def make(*sources):
        return Pod(stack, tmp_path, sources, monkeypatch)
    return make


def test_a_rotated_hook_secret_is_taken_and_the_old_one_refused(pod):
    source = Source()
    place = pod(source)
    processes = [daemon.process.pid for daemon in place.daemons]
    for turn in (1, 2, 3):
        former, source.secret = source.secret, secrets.token_hex(16)
        assert place.call(source, source.secret) == 404
        place.secrets.put(**{"acme-vdr-hook": source.secret + "\n"})
        until(lambda: place.call(source, source.secret) == 202, "the new secret is taken", 10)
        assert place.call(source, former) == 404
        place.reloaded(turn)
    place.enriched(source)
    assert processes == [daemon.process.pid for daemon in place.daemons]
    assert all(daemon.process.poll() is None for daemon in place.daemons)


def test_what_waits_for_a_restart_is_named(pod):
    source = Source()
    place = pod(source)
    place.made.settings |= {"topics": {"ocsf": True}, "ingress": {"retry_after": "9s", "threads": 3},
                            "enricher": {"drain_within": "9s", "max_row": "100KiB"}}
    place.write()
    place.reloaded(1)
    told = [[line["keys"] for line in daemon.lines() if "change at a restart" in line["message"]]
            for daemon in place.daemons]
    assert told == [["topics.ocsf, ingress.threads"], ["topics.ocsf, enricher.drain_within"]]
    place.enriched(source)


def test_a_broken_configuration_is_said_once_and_then_mended(pod):
    source = Source()
    place = pod(source)
    good = place.text()
    place.settings.put(vulnbus__yaml=good.replace("prefix:", "perfix:"))
    until(lambda: place.metric() == [0, 0], "both have seen it", 20)
    place.supervisor.more_reloads(6)     # both have tried again and again
    assert place.said(BROKEN) == [1, 1]
    for daemon in place.daemons:
        [line] = [line for line in daemon.lines() if line["message"] == BROKEN]
        assert "vulnbus.yaml:" in line["error.message"]
        assert "perfix" in line["error.message"]
        assert source.secret not in line["error.message"]
    place.enriched(source)               # as before
    # Broken otherwise is another thing to say.
    place.settings.put(vulnbus__yaml=good + "\nmore: 1\n")
    until(lambda: place.said(BROKEN) == [2, 2], "said again", 20)
    place.settings.put(vulnbus__yaml=good)
    place.reloaded(1)
    place.enriched(source)
    assert place.said(BROKEN) == [2, 2]


def test_a_source_may_come_before_its_secret(pod):
    """Two mounts change when kubelet gets to them, in either order."""
    source, more = Source(), Source("other-vdr", "delve")
    place = pod(source)
    more.settings = {"hook": {"secret": f"${{file:{place.secrets / 'other-hook'}}}"},
                     "api": {"token": f"${{file:{place.secrets / 'other-token'}}}"}}
    place.made.sources.append(more)
    place.write()
    until(lambda: place.metric() == [0, 0], "its secret is missing", 20)
    place.enriched(source)
    place.secrets.put(other_hook=more.secret, other_token=more.stub.token)
    place.reloaded(1)
    place.enriched(more)
    place.enriched(source)


def test_a_key_file_is_swapped(pod):
    source = Source()
    first, second = Signer(), Signer()
    keys = {"key": first.pem}
    source.stub.signer = first
    source.settings["signature"] = {"max_age": "24h", "overlap": "1s"}
    place = pod(source)
    place.settings.put(key=keys["key"])
    source.settings["signature"]["key_files"] = [str(place.settings / "key")]
    place.write()
    place.reloaded(1)
    assert place.call(source, source.secret) == 202
    place.settings.put(key=second.pem)
    place.reloaded(2)
    assert place.call(source, source.secret) == 401
    source.stub.signer = second
    assert place.call(source, source.secret) == 202


def test_a_token_is_read_again_anyway_and_nothing_is_reloaded_for_it(pod):
    source = Source()
    place = pod(source)
    place.enriched(source)
    source.stub.token = "another-" + secrets.token_hex(8)
    place.secrets.put(**{"acme-vdr-token": source.stub.token})
    place.enriched(source)
    # A swap changes the inode of every file in the folder, so the hook's secret is another file:
    # that is a reload, with nothing new in it.
    place.reloaded(1)


def test_the_authority_of_a_vendor_is_swapped(pod, tmp_path):
    """libcurl may keep what it read of such a file for a day."""
    folder = tmp_path / "authorities"
    folder.mkdir()
    old, new = Authority(folder, "old"), Authority(folder, "new")
    served = [tls_context(*authority.issue(stem, purpose=SERVER, host="localhost"))
              for stem, authority in (("first", old), ("second", new))]
    source = Source(stub=Vendor(tls=served[0]))
    mount = Mount(tmp_path / "trust")
    mount.put(ca__pem=old.file.read_text())
    source.settings = {"ca_file": str(mount / "ca.pem"),
                       "base_url": source.stub.url.replace("127.0.0.1", "localhost")}
    place = pod(source)
    place.enriched(source)
    source.stub.down()
    source.stub._tls = served[1]
    source.stub.up()
    mount.put(ca__pem=new.file.read_text())
    place.reloaded(1)
    place.enriched(source)
