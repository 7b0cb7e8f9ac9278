# SPDX-License-Identifier: Apache-2.0
"""Vendors' APIs that know every scan, asset and export, and can be put into trouble."""

import json
import random
import threading

from policies import LARGE, SIZES, rows_of
from vendor import Csv, Export, Reply, Vendor

FILES = {rows: Csv(rows) for rows in (*SIZES, LARGE)}


def digest_all():
    """The sums of all files, before any clock runs."""
    for file in FILES.values():
        file.sums


class Troubles(dict):
    """In place of the stub's scripts: one answer for whatever is asked, while there is trouble."""

    def __init__(self):
        super().__init__()
        self.reply = None    # () -> Reply

    def get(self, path, default=None):
        usual = super().get(path, default)
        if usual is None and self.reply and not path.endswith(".key"):
            return self.reply()
        return usual


class Items(dict):
    """Every scan and asset there could be."""

    def __contains__(self, path):
        kind, _, number = path.removeprefix("/api/v2/").partition("/")
        return path.startswith("/api/v2/") and number.isdigit() and kind in (
            "scans", "websites", "servers")

    def __getitem__(self, path):
        kind, _, number = path.removeprefix("/api/v2/").partition("/")
        if kind == "scans":
            return {"id": number, "status": "DONE", "requestDate": "2020-08-27T14:00:00Z"}
        return {"id": number, "hostname": f"host{number}.example.com", "isActive": True,
                "url": f"https://www{number}.example.com/", "ip": "192.0.2.7"}


class Exports(dict):
    """Every export there could be; some take a while, some downloads end early."""

    def __init__(self):
        super().__init__()
        self._lock = threading.Lock()
        self.random = random.Random(0)
        self.cuts = False

    def __contains__(self, number):
        return number.isdigit()

    def __getitem__(self, number):
        with self._lock:
            if not super().__contains__(number):
                file = FILES[rows_of(number)]
                super().__setitem__(number, Export(
                    file, pending=int(number) % 3, sized=int(number) % 2 == 0))
            export = super().__getitem__(number)
            if self.cuts and not export.truncate:
                export.truncate.append(self.random.randrange(export.file.sums[0]))
            return export


class Companies(dict):
    """Every scorecard there could be."""

    def __contains__(self, path):
        return path.startswith("/companies/")

    def __getitem__(self, path):
        domain, _, part = path.removeprefix("/companies/").partition("/")
        if part:
            return {"total": 1, "entries": [{"name": "dns_health", "score": 95, "grade": "A"}]
                    if part == "factors" else []}
        return {"name": "Example", "domain": domain, "grade": "B", "score": 85,
                "industry": "technology"}


class Sites(dict):
    """Every scan, finding and target there could be."""

    def __contains__(self, path):
        return path.startswith(("/scans/", "/targets/"))

    def __getitem__(self, path):
        *_, kind, number, _ = path.split("/")
        if kind == "scans":
            return {"id": number, "status": "completed", "criticals": 1, "highs": 2,
                    "created": "2024-09-11T15:51:56.221238Z"}
        if kind == "findings":
            return {"id": int(number), "severity": 30, "state": "notfixed", "cvss_score": 7.5,
                    "definition": {"id": "xss", "name": "Cross-site scripting"}}
        return {"id": number, "type": "single", "risk": 20,
                "site": {"host": "www.example.com", "verified": True}}


class Listing:
    """What the load has written down so far, in that order."""

    def __init__(self, path):
        self._path = path
        self._read = 0
        self._items = {}
        self._lock = threading.Lock()

    def __iter__(self):
        with self._lock:
            if self._path.exists():
                with open(self._path, "rb") as lines:
                    lines.seek(self._read)
                    new = lines.read()
                new = new[:new.rfind(b"\n") + 1]
                self._read += len(new)
                for line in map(json.loads, new.splitlines()):
                    if "listed" in line:
                        self._items.setdefault(line["id"], line["listed"])
            return iter(sorted(self._items.values(), key=lambda item: item["occurred_at"]))


WORLDS = {"taegis-vdr": (Items, "Bearer"), "delve": (Items, "Bearer"),
          "securityscorecard": (Companies, "Token"), "probely": (Sites, "JWT")}


class Simulated(Vendor):
    def __init__(self, vendor):
        world, word = WORLDS[vendor]
        super().__init__(word=word)
        self.items = world()
        self.exports = Exports()
        self._scripts = Troubles()

    def list(self, path):
        """From now on the API lists the events of that file."""
        self.lists = {"/events/": Listing(path), "/scans/": []}

    # --- trouble: begins, and usual() ends it ---

    def throttle(self):
        self._scripts.reply = lambda: Reply(
            429, {"Retry-After": str(random.randint(1, 3))}, b'{"error":"too many"}')

    def fail(self):
        self._scripts.reply = lambda: Reply(500, {}, b"<html>oops</html>")

    def slow(self):
        """Half of the answers take seconds, and are right."""
        def reply():
            if random.random() < 0.5:
                threading.Event().wait(random.uniform(2.0, 5.0))
            return None
        self._scripts.reply = reply

    def cut(self):
        """Downloads end anywhere."""
        self.exports.cuts = True

    def away(self):
        self.down()

    def well(self):
        self._scripts.reply = None
        self.exports.cuts = False
        if self._server is None:
            self.up()


TROUBLES = ("throttle", "fail", "slow", "cut", "away")   # "cut" is of downloads only
