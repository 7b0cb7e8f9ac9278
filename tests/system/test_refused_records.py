# SPDX-License-Identifier: Apache-2.0
"""Records that the brokers will never take: each ends as a dead letter, and keeps nobody waiting."""

import secrets

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from daemons import Source
from kafka import admin


@pytest.fixture
def site(stack):
    source = Source()
    made = stack([source], {"enricher": {"give_up_after": "10m"}})
    made.source = source
    return made.start()


def limit(site, topic, number):
    resource = ConfigResource(
        ConfigResource.Type.TOPIC, site.tap.topic(topic),
        incremental_configs=[ConfigEntry("max.message.bytes", str(number),
                                         incremental_operation=AlterConfigOpType.SET)])
    client = admin(site.broker.bootstrap)
    for done in client.incremental_alter_configs([resource]).values():
        done.result(10)


def check_others(site):
    """Exports and scans that fit are not held up."""
    for number in ("7", "8"):
        site.source.stub.scan(number)
    names = [site.notify(site.source, id=number, kind="scan", status="done")
             for number in ("7", "8")]
    for name in names:
        site.tap.one("scans", event_id=name)


def test_an_output_that_is_refused(site):
    limit(site, "scans", 2000)
    site.source.stub.scan("1")
    site.source.stub.website("2", url=f"https://{secrets.token_hex(1000)}")
    name = site.notify(site.source, id="1", kind="scan", status="done", assetId="2",
                       assetType="site")
    letter = site.tap.one("dead-letters", event_id=name).value
    assert "refuses its record" in letter["reason"] and letter["stage"] == "commit"
    assert letter["event"]["attributes"]["asset_id"] == "2"
    check_others(site)
    assert len(site.tap.find("dead-letters")) == 1 and not site.tap.find("scans", event_id=name)


def test_a_state_that_is_refused(site):
    limit(site, "state", 2000)
    name = site.notify(site.source, id="1", kind="scan", status="done",
                       assetType=secrets.token_hex(2000))
    letter = site.tap.one("dead-letters", event_id=name).value
    assert "refuses its record" in letter["reason"]
    check_others(site)
    assert len(site.tap.find("dead-letters")) == 1


def test_a_state_and_its_dead_letter_that_are_refused(site):
    limit(site, "state", 2000)
    limit(site, "dead-letters", 2000)
    name = site.notify(site.source, id="1", kind="scan", status="done",
                       assetType=secrets.token_hex(2000))
    letter = site.tap.one("dead-letters", event_id=name).value
    assert letter["event"]["subject"]["id"] == "1"
    assert "asset_type" not in letter["event"].get("attributes", {})
    check_others(site)
