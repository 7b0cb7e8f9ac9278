# SPDX-License-Identifier: Apache-2.0
"""The manual pages: well formed to mandoc, and saying what the programs say."""

import re
import subprocess

import pytest

from daemons import BUILD, PROGRAMS, run

PAGES = {"vulnbus": "vulnbus.1", "vulnbus-ingress": "vulnbus-ingress.8",
         "vulnbus-enricher": "vulnbus-enricher.8"}
SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "ENVIRONMENT", "FILES", "EXIT STATUS", "SIGNALS",
            "EXAMPLES", "SEE ALSO"]


def page(name):
    return BUILD / "man" / name


def shown(name):
    """The page as somebody reads it, on lines long enough for anything."""
    made = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=500", page(name)],
                          capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr
    return re.sub(r".\x08", "", made.stdout)


def printed(program, *arguments):
    made = run(program, *arguments)
    assert (made.returncode, made.stderr) == (0, "")
    return made.stdout


def options(text):
    return re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", text, re.MULTILINE)


def words(text):
    """Without line breaks and what marks code."""
    return " ".join(text.replace("`", "").split())


@pytest.mark.parametrize("path", sorted((BUILD / "man").iterdir()), ids=lambda path: path.name)
def test_mandoc_has_nothing_to_warn_of(path):
    made = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], capture_output=True,
                          text=True, timeout=60)
    assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    assert not re.search(r"@[A-Z]+@", path.read_text())


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_has_its_page_with_every_section(program):
    text = shown(PAGES[program])
    assert [name for name in SECTIONS if f"\n{name}\n" not in text] == []
    version = printed(program, "--version").split()[1]
    assert f"vulnbus {version}" in text


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_option_of_a_program_stands_in_its_page(program):
    known = options(printed(program, "--help"))
    assert "--config" in known
    text = shown(PAGES[program])
    assert [name for name in known if not re.search(rf"^ +(-\w, )?{name}\b", text, re.M)] == []


def test_every_command_stands_in_the_page_with_what_its_help_says():
    text = shown("vulnbus.1")
    commands = re.findall(r"^  ([a-z][a-z-]*) ", printed("vulnbus", "help"), re.MULTILINE)
    assert len(commands) > 10
    for name in commands:
        found = re.search(rf"^   {name}\n(.*?)(?=^   \S|^\S)", text, re.MULTILINE | re.DOTALL)
        assert found, name
        for paragraph in printed("vulnbus", "help", name).split("\n\n")[3:]:
            for item in re.split(r"^ +(?=-)", paragraph, flags=re.MULTILINE):
                assert words(item) in words(found[1]), (name, item)


def test_every_key_of_the_configuration_stands_in_its_page():
    rows = re.findall(r"^\| `(\S+)` \| .* \| (.*) \| (.*) \|$",
                      printed("vulnbus", "config-reference"), re.MULTILINE)
    assert len(rows) > 70
    text = shown("vulnbus.yaml.5")
    for key, default, prose in rows:
        # A section may have the name of its one key.
        found = [after for after in re.findall(rf"^ +{re.escape(key)}(?=\s+(.*)$)", text, re.MULTILINE)
                 if words(prose) in words(after)]
        assert len(found) == 1, key
        if default.startswith("`"):
            assert f"default {words(default)})" in found[0], (key, found[0])


def test_the_example_of_the_page_is_a_good_configuration(tmp_path):
    text = shown("vulnbus.yaml.5")
    example = re.search(r"^EXAMPLES\n(.*?)^ {5}\S", text, re.MULTILINE | re.DOTALL)[1]
    for name in ("hook", "token"):
        (tmp_path / name).write_text("0123456789abcdef")
    example = re.sub(r"/etc/vulnbus/secrets/acme-vdr", str(tmp_path) + "/acme-vdr", example)
    for name in ("hook", "token"):
        (tmp_path / f"acme-vdr-{name}").write_text("0123456789abcdef")
    lines = [line for line in example.splitlines() if line.strip()]
    margin = min(len(line) - len(line.lstrip()) for line in lines)
    (tmp_path / "vulnbus.yaml").write_text("\n".join(line[margin:] for line in lines) + "\n")
    assert "ok" in printed("vulnbus", "check-config", "-c", tmp_path / "vulnbus.yaml")
