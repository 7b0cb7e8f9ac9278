# SPDX-License-Identifier: Apache-2.0
"""What an operator and a vendor do with an installed package: configure it, call it."""

import os
import time

import requests

import roots
from daemons import yaml


def group_of(root):
    for line in (root.path / "etc/group").read_text().splitlines():
        if line.startswith("vulnbus:"):
            return int(line.split(":")[2])
    raise roots.Failed("no group vulnbus")


def write(root, name, text):
    path = root.path / "etc/vulnbus" / name
    path.write_text(text)
    path.chmod(0o640)
    os.chown(path, 0, group_of(root))


def entry(source):
    return {"name": source.name, "vendor": source.vendor, "base_url": source.stub.url,
            "hook": {"secret": f"${{file:/etc/vulnbus/secrets/{source.name}.hook}}"},
            "api": {"token": f"${{file:/etc/vulnbus/secrets/{source.name}.token}}"}}


def configure(root, broker, sources, prefix):
    """Secrets in the packaged place. What changes is read again when somebody says so."""
    for source in sources:
        write(root, f"secrets/{source.name}.hook", source.secret + "\n")
        write(root, f"secrets/{source.name}.token", source.stub.token + "\n")
    write(root, "vulnbus.yaml", yaml({
        "kafka": {"bootstrap_servers": broker.bootstrap},
        "topics": {"prefix": prefix, "create": True, "partitions": 2, "replication_factor": 1},
        "reload": {"every": "0s"},
        "ingress": {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0",
                    "state_dir": "/var/lib/vulnbus",
                    "spool": {"path": "/var/lib/vulnbus/spool.db"}},
        "enricher": {"admin": "127.0.0.1:0", "group_id": f"{prefix}-enricher"},
        "sources": [entry(source) for source in sources]}))


def post(url, source, number, sign):
    """The webhook of a scan that is done, signed by `sign`; the status of the answer."""
    source.stub.scan(number, asset={"id": 7, "type": "website"})
    source.stub.website(7)
    token = sign({"iat": int(time.time()), "kind": "scan", "id": number, "status": "done",
                  "attemptNumber": 1})
    return requests.post(url + source.path, data=b"{}", timeout=30,
                         headers={"Authorization": f"Signed {token}",
                                  "Content-Type": "application/json"}).status_code


def check_record(tap, source, number):
    """The event is on its topic, and the scan that the vendor's API tells of on its own."""
    event = f"{source.name}:scan:{number}:1:done"
    tap.one("events", within=60, id=event)
    record = tap.one("scans", within=60, event_id=event)
    assert record.value["scan"]["status"] == "completed", record
