# SPDX-License-Identifier: Apache-2.0
"""What a release says it is made of (`make dist`), judged by CycloneDX's validator and held against the programs."""

import hashlib
import json
import os
import platform
import re
import subprocess
import uuid
from datetime import datetime
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("VULNBUS_BUILD", "build")).resolve()
PROGRAMS = ("vulnbus-ingress", "vulnbus-enricher", "vulnbus")
# Which row of .github/DEPENDENCIES.md a library's licence stands in.
ROWS = {
    "libc": "glibc", "libcrypto": "openssl", "libcurl": "curl", "libgnutls": "gnutls28",
    "libjansson": "jansson", "libmicrohttpd": "libmicrohttpd", "libmsgpackc": "msgpack-c", "libmsgpack-c": "msgpack-c",
    "librdkafka": "librdkafka", "libseccomp": "libseccomp", "libsqlite3": "sqlite3", "libssl": "openssl",
    "libyaml-0": "libyaml",
}


def said(*words):
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def text():
    path, = (BUILD / "dist").glob("vulnbus-*.cdx.json")
    return path.read_text()


@pytest.fixture(scope="module")
def bill(text):
    return json.loads(text)


@pytest.fixture(scope="module")
def needed():
    """The libraries that the programs name: where each is."""
    found = {}
    for program in PROGRAMS:
        names = set(re.findall(r"\(NEEDED\).*\[(.*)\]", said("readelf", "-Wd", BUILD / program)))
        places = dict(re.findall(r"(\S+) => (\S+)", said("ldd", BUILD / program)))
        found |= {name: places[name] for name in names}
    assert len(found) > 8
    return found


def files(component):
    return {part["name"]: part["hashes"][0]["content"] for part in component["components"]
            if part["hashes"][0]["alg"] == "SHA-256"}


def owner(path):
    """The package that has the file: name, version, architecture."""
    path = os.path.realpath(path)
    for spelt in (path, path.removeprefix("/usr")):
        done = subprocess.run(["dpkg-query", "-S", spelt], capture_output=True, text=True)
        if done.returncode == 0:
            name = done.stdout.rsplit(": ", 1)[0]
            return tuple(said("dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture}", name).split())
    raise AssertionError(f"{path} is of no package")


def test_valid(text):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_named_by_what_it_says(text, bill):
    number = f'"serialNumber": "{bill["serialNumber"]}", '
    assert text.count(number) == 1
    assert bill["serialNumber"] == f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text.replace(number, ''))}"


def test_of_this_commit_and_these_programs(bill):
    about = bill["metadata"]["component"]
    version = re.search(r'VULNBUS_VERSION "(.*)"', (ROOT / "include/vulnbus/version.h").read_text())[1]
    clean = said("git", "status", "--porcelain") == ""
    assert about["version"] == version + ("" if clean else "+dirty")
    assert about.get("swhid") == ([f"swh:1:rev:{said('git', 'rev-parse', 'HEAD')}"] if clean else None)
    assert datetime.fromisoformat(bill["metadata"]["timestamp"]).timestamp() == int(said("git", "log", "-1", "--format=%ct"))
    assert about["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert files(about) == {name: digest(BUILD / name) for name in PROGRAMS}
    compiler, = (each["value"] for each in about["properties"] if each["name"] == "vulnbus:compiler")
    assert said("gcc", "-dumpfullversion") in compiler


def test_the_libraries_are_those_that_the_programs_name(bill, needed):
    held = {name: value for component in bill["components"] for name, value in files(component).items()}
    assert held == {name: digest(path) for name, path in needed.items()}


def test_packages(bill, needed):
    release = platform.freedesktop_os_release()
    for component in bill["components"]:
        expected, = {owner(needed[name]) for name in files(component)}
        assert (component["name"], component["version"]) == expected[:2]
        url = PackageURL.from_string(component["purl"])
        assert (url.type, url.namespace, url.name, url.version) == ("deb", release["ID"], *expected[:2])
        assert url.qualifiers == {"arch": expected[2], "distro": f"{release['ID']}-{release['VERSION_ID']}"}
    edges = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    references = {component["bom-ref"] for component in bill["components"]}
    assert set(edges) == references | {bill["metadata"]["component"]["bom-ref"]}
    assert set(edges[bill["metadata"]["component"]["bom-ref"]]) == references
    assert all(set(ends) <= references for ends in edges.values())


def test_licences(bill):
    table = {}
    for line in (ROOT / ".github/DEPENDENCIES.md").read_text().partition("| source package |")[2].splitlines()[2:]:
        if not line.startswith("|"):
            break
        _, name, _, _, licence, *_ = re.split(r"\s*\|\s*", line)
        table[name] = licence
    assert len(table) > 8
    for component in bill["components"]:
        assert component.get("licenses"), component["name"]
        given = [each.get("expression") or each["license"].get("id") for each in component["licenses"]]
        for name in files(component):
            assert given == [table[ROWS[name.split(".so")[0]]]], name
