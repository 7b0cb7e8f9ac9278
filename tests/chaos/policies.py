# SPDX-License-Identifier: Apache-2.0
"""How vendors deliver: what they say, how they prove it, how often they try again. Hours are
seconds here."""

import functools
import json
import secrets
import time
import uuid
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives import serialization

# Rows of an export, from its number alone: the loader, the vendor's stub and the accounting agree.
SIZES = (50, 80, 120, 200, 300, 500, 800, 1200, 2000)
LARGE = 30_000


def rows_of(number):
    number = int(number)
    return LARGE if number % 100 == 99 else SIZES[number % len(SIZES)]


@dataclass
class Event:
    id: str
    key: str
    body: dict
    rows: int = None


@dataclass
class Retry:
    """When a vendor calls again after a failure, and how long it waits for an answer."""
    timeout: float
    delays: tuple = ()
    for_ever: bool = False   # the last delay again and again

    def delay(self, failures):
        if failures <= len(self.delays):
            return self.delays[failures - 1]
        return self.delays[-1] if self.for_ever else None


NEVER = Retry(30.0)                                        # VDR: none documented
FIVE_TIMES = Retry(5.0, (1.0, 2.0, 4.0, 8.0, 15.0))        # SecurityScorecard: "retry 5 times"
BACKOFF = Retry(10.0, (0.5, 1.0, 2.0, 4.0), for_ever=True)  # Probely: "exponential back-off"


class Signed:
    """Taegis VDR and Delve: the token is the message. One scan id may fail, fail and succeed."""
    is_listed = False   # by the vendor's API, so that what was withheld can be found

    def __init__(self, name, pem):
        self.name = name
        self.pem = pem   # a parsed key could not go to another process

    @functools.cached_property
    def _key(self):
        return serialization.load_pem_private_key(self.pem, None)

    def story(self, number, random):
        """The events of one subject, in the order in which they happen."""
        if random.random() < 0.03:
            return [self._event("export", number, 0, "done", rows=rows_of(number))]
        attempts = random.choices((1, 2, 3), (80, 12, 8))[0]
        asset = {"assetId": str(number % 50), "assetType": random.choice(("site", "server")),
                 "isAdHoc": random.random() < 0.5} if random.random() < 0.3 else {}
        return [self._event("scan", number, attempt, "done" if attempt == attempts else "failed",
                            **asset) for attempt in range(1, attempts + 1)]

    def _event(self, kind, number, attempt, status, rows=None, **more):
        body = {"id": str(number), "kind": kind, "status": status, **more}
        if attempt:
            body["attemptNumber"] = attempt
        return Event(f"{self.name}:{kind}:{number}:{attempt}:{status}",
                     f"{self.name}/{kind}/{number}", body, rows)

    def request(self, event):
        token = jwt.encode({**event.body, "iat": int(time.time())}, self._key, algorithm="ES512")
        return json.dumps(event.body).encode(), {"Authorization": f"Signed {token}",
                                                 "X-Signature": "'ES512 /api/webhook.key"}


def stamp(form="%Y-%m-%dT%H:%M:%S.000Z"):
    return time.strftime(form, time.gmtime())


class SecurityScorecard:
    """Unsigned. `execution_id` is the same on each retry, and the time that of the first try."""
    is_listed = False

    def __init__(self, name):
        self.name = name

    def story(self, number, random):
        domain = f"www{random.randrange(200)}.example.com"
        execution = str(uuid.uuid4())
        return [Event(f"{self.name}:{execution}", f"{self.name}/scorecard/{domain}", {
            "trigger": {"type": "new_issues", "issues": {"csp_no_policy_v2": {
                "active": {"count": number % 30}}}, "selected": "by_severity", "severity": "low"},
            "created_at": stamp(), "execution_id": execution, "domain": domain,
            "scorecard_id": str(uuid.uuid4())})]

    def request(self, event):
        return json.dumps(event.body).encode(), {}


class Probely:
    """Unsigned. Scans that start and end, findings, targets."""
    is_listed = True

    def __init__(self, name):
        self.name = name

    def story(self, number, random):
        target = {"id": f"t{random.randrange(300)}"}
        kind = random.choices(("scan", "finding", "target"), (4, 5, 1))[0]
        if kind == "scan":
            return [self._event(word, kind, f"s{number}", {"id": f"s{number}", "target": target})
                    for word in ("scan_started", random.choice(("scan_completed", "scan_failed")))]
        if kind == "finding":
            return [self._event(word, kind, f"{target['id']}.{number}",
                                {"id": number, "target": target})
                    for word in ("finding_detected", "finding_fixed")[:random.choice((1, 1, 2))]]
        return [self._event("target_verified", kind, target["id"], target)]

    def _event(self, word, kind, subject, content):
        identity = secrets.token_urlsafe(9)
        return Event(f"{self.name}:{identity}", f"{self.name}/{kind}/{subject}", {
            "id": identity, "event_type": word, "object_type": kind, "content": content,
            "occurred_at": stamp("%Y-%m-%dT%H:%M:%S.221238Z"),
            "webhooks": [{"id": "w1", "api_version": "v1", "status": "scheduled", "retries": 0}]})

    def request(self, event):
        return json.dumps(event.body).encode(), {}
