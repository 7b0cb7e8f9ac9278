# SPDX-License-Identifier: Apache-2.0
"""Each example that readers are shown is what the programs write, through a real Kafka.

`make examples` (VULNBUS_WRITE_EXAMPLES=1) writes them in place of comparing."""

import json
import os
import time
from shutil import copy, copytree

import pytest
import yaml
from confluent_kafka.admin import ConfigResource

import examples
from daemons import Source, run
from examples import TOPIC_OF, Gathered, settled
from kafka import ROOT, admin
from test_ocsf import projection
from vendor import Reply, Vendor
from waiting import until


def source_of(path):
    said = json.loads(path.read_text())
    about = said["source"]
    source = Source(about["name"], path.stem, Vendor(word=about["word"]))
    for place, document in said["api"].items():
        if isinstance(document, str):
            source.stub.always(place, Reply(headers={"Content-Type": "text/csv"},
                                            body=document.encode()))
        else:
            source.stub.items[place] = document
    for place, status in said.get("refused", {}).items():
        source.stub.always(place, Reply(status))
    return source, said


@pytest.fixture(scope="module")
def shop(module_stack):
    pairs = [source_of(path) for path in examples.DOCUMENTED]
    made = module_stack([source for source, _ in pairs], {"topics": {"ocsf": True}})
    made.pairs = pairs
    return made.start()


def tell(shop, source, said, document):
    """Sends a documented webhook; the milliseconds of its signature, if it has one."""
    signs, iat = said["source"].get("signs"), int(time.time())
    headers = {"Content-Type": "application/json"}
    if signs:
        headers["Authorization"] = f"Signed {source.stub.signer.token({**document, 'iat': iat})}"
    answer = shop.session.post(shop.ingress.url() + source.path, data=json.dumps(document),
                               headers=headers, timeout=30)
    assert (answer.status_code, answer.content) == (202, b"")
    return iat * 1000 if signs else None


def find(shop, name, event):
    """The record of that name that was made of an event."""
    short = TOPIC_OF[name]
    if name == "event":
        return event
    if name == "target-deleted":
        def deleted():
            shop.tap.drain()
            return [each for each in shop.tap.records[short]
                    if each.value is None and each.key == event.key]
        return until(deleted, "the deletion")[0]
    if name == "ocsf":
        return projection(shop, event.value["id"])
    return shop.tap.wait(short, event_id=event.value["id"])[0]


@pytest.fixture(scope="module")
def gathered(shop):
    made = Gathered()
    for source, said in shop.pairs:
        for each in said["notifications"]:
            signed_ms = tell(shop, source, said, each["document"])
            event = shop.tap.one("events", id=each["event"])
            attributes = made.attributes.setdefault(source.vendor, [])
            if event.value["attributes"] not in attributes:
                attributes.append(event.value["attributes"])
            for name in each["examples"]:
                record = find(shop, name, event)
                made.add(name, settled(record, shop.prefix, said, signed_ms))
    return made


def test_the_examples_are_what_the_programs_write(gathered):
    if os.environ.get("VULNBUS_WRITE_EXAMPLES"):
        for path, text in examples.texts(gathered).items():
            path.write_text(text)
    assert not examples.not_as_written(gathered), "make examples writes them"


FILES = [path.relative_to(ROOT).as_posix() for path in
         [*sorted((ROOT / "schemas").rglob("*.json")), ROOT / "README.md",
          ROOT / "schemas/asyncapi.yaml"] if path.parent.name != "released"]


@pytest.mark.parametrize("file", FILES)
def test_an_example_that_no_program_writes_is_found(gathered, tmp_path, file):
    copytree(ROOT / "schemas", tmp_path / "schemas")
    copy(ROOT / "README.md", tmp_path)
    assert not examples.not_as_written(gathered, tmp_path)
    path = tmp_path / file
    if path.suffix == ".json":
        document = json.loads(path.read_text())
        word = next(name for name, said in document["examples"][-1].items() if isinstance(said, str))
        document["examples"][-1][word] += "x"
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        text = path.read_text()
        at = text.rindex('"status_word": "DONE"')
        path.write_text(text[:at] + text[at:].replace("DONE", "OVER", 1))
    assert examples.not_as_written(gathered, tmp_path) == [file]


@pytest.mark.parametrize("name", examples.TOPIC_OF)
def test_a_record_of_which_there_is_no_example_is_found(gathered, name):
    less = Gathered({each: made for each, made in gathered.records.items() if each != name},
                    gathered.attributes)
    with pytest.raises(AssertionError, match=f"nothing produces .*{name}"):
        examples.texts(less)


def channels(prefix):
    """By the topic's name, of those that readers are told of."""
    found = yaml.safe_load((ROOT / "schemas/asyncapi.yaml").read_text())["channels"].values()
    return {each["address"].replace("vulnbus", prefix, 1): each for each in found}


def topics(made):
    """All that there are; the state topic is private."""
    found = admin(made.broker.bootstrap).list_topics(timeout=10).topics
    return {name for name in found if name.startswith(f"{made.prefix}.")} - {f"{made.prefix}.state.v1"}


def test_what_is_off_by_default_says_so(stack):
    made = stack([Source()])
    assert run("vulnbus", "-c", made.config, "topics", "--create").returncode == 0
    wanted = {name for name, each in channels(made.prefix).items() if not each.get("x-off-by-default")}
    until(lambda: topics(made) >= wanted, "the topics")
    assert topics(made) == wanted


def test_the_topics_are_as_the_document_says(shop, gathered):
    """Names, how records are kept, and for how long."""
    told = channels(shop.prefix)
    client = admin(shop.broker.bootstrap)
    assert topics(shop) == told.keys()
    asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in told]
    for resource, answer in client.describe_configs(asked).items():
        bound, found = told[resource.name]["bindings"]["kafka"], answer.result(20)
        assert bound["topic"] == told[resource.name]["address"]
        wanted = bound["topicConfiguration"]
        assert found["cleanup.policy"].value.split(",") == wanted["cleanup.policy"]
        assert int(found["retention.ms"].value) == wanted["retention.ms"]
