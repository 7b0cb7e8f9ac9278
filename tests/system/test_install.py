# SPDX-License-Identifier: Apache-2.0
"""make install and make uninstall, into a folder."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from daemons import BUILD
from kafka import ROOT

# As a person's shell has it, not as the make above this test.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")
               and name not in ("MFLAGS", "VARIANT")}
VARIANT = "release" if BUILD == ROOT / "build" else BUILD.name


def make(target, folder, *more):
    made = subprocess.run(["make", "-C", ROOT, "-s", target, f"VARIANT={VARIANT}",
                           f"DESTDIR={folder}", *more], env=ENVIRONMENT, umask=0o077,
                          capture_output=True, text=True, timeout=600)
    assert made.returncode == 0, made.stderr
    return made


def files(folder: Path):
    return {str(path.relative_to(folder)): path for path in folder.rglob("*")
            if not path.is_dir()}


@pytest.fixture(scope="module", params=["/usr", "/opt/vulnbus"])
def installed(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    make("install", folder, f"PREFIX={request.param}")
    return folder, request.param.lstrip("/")


def test_everything_is_where_the_fhs_has_it(installed):
    folder, prefix = installed
    found = files(folder)
    manuals = [path.name for path in (ROOT / "deploy/man").iterdir()]
    schemas = [str(path.relative_to(ROOT / "schemas")) for path in
               (ROOT / "schemas").rglob("*") if path.suffix in (".json", ".yaml")]
    assert len(manuals) == 4 and len(schemas) > 10
    expected = {f"{prefix}/{path}" for path in [
        "bin/vulnbus", "sbin/vulnbus-ingress", "sbin/vulnbus-enricher",
        *(f"share/man/man{name[-1]}/{name}" for name in manuals),
        *(f"share/vulnbus/schemas/{name}" for name in schemas),
        "lib/systemd/system/vulnbus-ingress.service",
        "lib/systemd/system/vulnbus-enricher.service",
        "lib/sysusers.d/vulnbus.conf",
        "share/bash-completion/completions/vulnbus",
        "share/zsh/site-functions/_vulnbus",
        "share/fish/vendor_completions.d/vulnbus.fish",
        "share/doc/vulnbus/examples/vulnbus.yaml"]}
    assert set(found) == expected
    for name, path in found.items():
        is_program = "/bin/" in name or "/sbin/" in name
        assert path.stat().st_mode & 0o777 == (0o755 if is_program else 0o644), name
        assert path.parent.stat().st_mode & 0o777 == 0o755, name


def test_the_units_start_what_was_installed(installed):
    folder, prefix = installed
    for name in ("vulnbus-ingress", "vulnbus-enricher"):
        unit = (folder / prefix / f"lib/systemd/system/{name}.service").read_text()
        command = re.search(r"^ExecStart=(\S+) -c /etc/vulnbus/vulnbus.yaml$", unit, re.M)
        assert command and command[1] == f"/{prefix}/sbin/{name}"
        assert (folder / command[1].lstrip("/")).exists()


def test_the_demo_finds_the_daemons_where_they_are_installed(installed):
    folder, prefix = installed
    made = subprocess.run([folder / prefix / "bin/vulnbus", "demo", "--rows", "20"],
                          capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stdout + made.stderr


def test_uninstall_takes_away_what_install_put_there_and_nothing_else(tmp_path):
    other = tmp_path / "usr/local/share/man/man1/other.1"
    other.parent.mkdir(parents=True)
    other.write_text("not ours\n")
    make("install", tmp_path)
    assert len(files(tmp_path)) > 20
    make("uninstall", tmp_path)
    assert list(files(tmp_path)) == [str(other.relative_to(tmp_path))]
    assert not [path for path in tmp_path.rglob("*vulnbus*")]
