# SPDX-License-Identifier: Apache-2.0
"""The image of deploy/Dockerfile, really built, looked into and run."""

import json
import re
import secrets
import subprocess
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import containers
import daemons
from containers import BASE, HARDENED, ROOT, VERSION, Mounted, buildah, podman
from daemons import Source, Stack
from waiting import until

PROGRAMS = ("vulnbus-ingress", "vulnbus-enricher", "vulnbus")
ABOVE_BASE_MAX = 20_000_000
PACKED_MAX = 60_000_000


@pytest.fixture
def stack(image, broker, tmp_path, monkeypatch):
    """The daemons in containers that hold nothing else that could be started."""
    monkeypatch.setattr(daemons, "BUILD", containers.wrap(containers.make_bare(image), tmp_path / "programs"))
    made = Stack(broker, tmp_path / "stack", [Source()])
    yield made
    made.close()


def process_in_container(program):
    """Its /proc folder: the process in the container, not podman's."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if words[0] == program.encode() and "10001" in (folder / "status").read_text():
                    return folder
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
    return None


@pytest.mark.parametrize("program", ["vulnbus-ingress", "vulnbus-enricher"])
def test_confined(stack, program):
    stack.start()
    folder = until(lambda: process_in_container(program), f"{program} runs", 10)
    status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines())
    assert status["Uid"].split() == ["10001"] * 4 and status["Gid"].split() == ["10001"] * 4
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, (name, status[name])
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    root = next(line.split() for line in (folder / "mountinfo").read_text().splitlines() if line.split()[4] == "/")
    assert "ro" in root[5].split(","), root


def test_a_webhook_becomes_a_record(stack):
    source = stack.sources[0]
    number = str(secrets.randbits(40))
    source.stub.scan(number)
    stack.start()
    event = stack.notify(source, kind="scan", id=number, status="done", attemptNumber=1)
    record = stack.tap.one("scans", event_id=event, within=40)
    assert record.value["source"] == source.name
    assert (record.value["scan"]["id"], record.value["scan"]["status"]) == (number, "completed")


def test_small(image, tmp_path):
    above = containers.inspect(image)["Size"] - containers.inspect(BASE)["Size"]
    archive = tmp_path / "image.tar"
    buildah("push", "-q", image, f"oci-archive:{archive}")
    packed = archive.stat().st_size
    print(f"{above / 1e6:.1f} MB above the base, {packed / 1e6:.1f} MB packed")
    assert above <= ABOVE_BASE_MAX and packed <= PACKED_MAX


def test_labels_and_user(image):
    about = containers.inspect(image)
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in about["Labels"].items()}
    assert labels["version"] == VERSION and labels["licenses"] == "Apache-2.0"
    assert re.fullmatch("[0-9a-f]{40}|unknown", labels["revision"])
    assert about["Config"]["User"] == "10001:10001"
    for program in PROGRAMS:
        said = podman("run", "--rm", *HARDENED, image, program, "--version" if program != "vulnbus" else "version")
        assert VERSION in said, said


def test_nothing_is_left_over(image):
    with Mounted(image) as root:
        assert not list(root.glob("usr/bin/*gcc*")) and not list(root.glob("src/*"))
        assert not list(root.glob("var/lib/apt/lists/*_*")) and not list(root.glob("var/cache/apt/archives/*.deb"))
        for path in (root / "usr/bin").glob("vulnbus*"):
            sections = subprocess.run(["readelf", "-S", path], capture_output=True, text=True, check=True).stdout
            assert ".dynamic" in sections and ".debug_info" not in sections
            assert path.stat().st_mode & 0o7022 == 0 and path.stat().st_uid == 0


def test_bill_of_materials(image):
    with Mounted(image) as root:
        text = (root / "usr/share/sbom/vulnbus.cdx.json").read_text()
        listed = subprocess.run(
            ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", "${Package}=${Version}\n"],
            capture_output=True, text=True, check=True).stdout.split()
        loaded = {line.split()[2].removeprefix(str(root)) for program in PROGRAMS for line in subprocess.run(
            ["chroot", root, "ldd", f"/usr/bin/{program}"], capture_output=True, text=True,
            check=True).stdout.splitlines() if "=>" in line}
        owners = {name for path in (root / "var/lib/dpkg/info").glob("*.list")
                  for name in [path.name.removesuffix(".list").split(":")[0]]
                  if any(Path(line).name in {Path(x).name for x in loaded} for line in path.read_text().splitlines())}
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    assert bill["metadata"]["component"]["version"] == VERSION
    assert sorted(f"{part['name']}={part['version']}" for part in bill["components"]) == sorted(listed)
    # Each library that the programs load is there, and reached from vulnbus by what depends on what.
    edges = {entry["ref"]: entry["dependsOn"] for entry in bill["dependencies"]}
    reached, open_ = set(), [bill["metadata"]["component"]["bom-ref"]]
    while open_:
        reference = open_.pop()
        if reference not in reached:
            reached.add(reference)
            open_ += edges[reference]
    names = {part["name"] for part in bill["components"] if part["bom-ref"] in reached}
    assert len(loaded) > 20 and owners and owners <= names, owners - names


def test_dockerfile_is_tidy():
    done = subprocess.run([containers.PLACE / "python/bin/hadolint", ROOT / "deploy/Dockerfile"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
