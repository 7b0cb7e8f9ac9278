# SPDX-License-Identifier: Apache-2.0
"""deploy/compose: of the form that the Compose Specification has, and with a configuration that the programs take."""

import os
import re
import subprocess

import yaml

from chart import ROOT, TOOLS

HERE = ROOT / "deploy/compose"
BUILD = (ROOT / os.environ.get("VULNBUS_BUILD", "build")).resolve()
COMPOSE = yaml.safe_load((HERE / "compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if name != "kafka"}


def example():
    lines = (HERE / "env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled(text):
    """As compose fills in a text, from the example environment."""
    def value(found):
        name, operator, rest = found[1], found[2], found[3]
        said = example().get(name)
        assert said or operator == ":-", f"{name} is neither in env.example nor has it a default"
        return said or rest
    return re.sub(r"\$\{(\w+)(:[-?])?([^}]*)\}", value, text)


def check(schema_of, path):
    return subprocess.run([TOOLS / "python/bin/check-jsonschema", "--builtin-schema", schema_of, path],
                          capture_output=True, text=True, timeout=60)


def test_form(tmp_path):
    done = check("vendor.compose-spec", HERE / "compose.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((HERE / "compose.yaml").read_text().replace("stop_grace_period", "stop_grace"))
    assert check("vendor.compose-spec", wrong).returncode != 0


def test_the_programs_take_the_configuration(tmp_path):
    text = (HERE / "vulnbus.yaml").read_text()
    for name in re.findall(r"/run/secrets/([\w-]+)", text):
        (tmp_path / name).write_text("0123456789abcdef0123456789abcdef\n")
        assert f"secrets/{name}" in (HERE / "README.md").read_text()
    path = tmp_path / "vulnbus.yaml"
    path.write_text(text.replace("/run/secrets", str(tmp_path)).replace("/var/lib/vulnbus", str(tmp_path)))
    for service in OURS.values():
        environment = {name: filled(value) for name, value in service["environment"].items()}
        done = subprocess.run([BUILD / "vulnbus", "-c", path, "check-config"], capture_output=True, text=True,
                              env={**environment, "HOSTNAME": "h"}, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_kafka_as_in_the_tests():
    version = re.search(r"<artifactId>kafka_[\d.]+</artifactId>\s*<version>([\d.]+)<",
                        (ROOT / "tests/kafka/pom.xml").read_text())[1]
    assert COMPOSE["services"]["kafka"]["image"] == f"apache/kafka:{version}"


def test_confined():
    for service in OURS.values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["user"] == "10001:10001"
        assert service["security_opt"] == ["no-new-privileges:true"]
        for volume in service["volumes"]:
            here = volume.split(":")[0]
            assert not here.startswith("./") or volume.endswith(":ro")
            assert here in ("./vulnbus.yaml", "./secrets") or here in COMPOSE["volumes"]
    # Only webhooks are for others than this machine.
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == ["${WEBHOOKS_PORT:-8080}:8080"]
