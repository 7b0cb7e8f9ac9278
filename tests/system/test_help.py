# SPDX-License-Identifier: Apache-2.0
"""`vulnbus help` names every option of every command, and nothing else."""

import re

import pytest

from daemons import run
from kafka import ROOT

COMMON = {"config", "verbose", "no-color", "help"}


def options_of(text):
    return set(re.findall(r"^ {2,6}(?:-\w, )?--([a-z-]+)", text, re.M))


def commands():
    """Each command with options of its own, and what its getopt table has."""
    table = (ROOT / "bridge/vulnbus.c").read_text()
    names = {function: name for name, function in re.findall(
        r'^\t\{ "([a-z-]+)",.*?(tool_\w+) \},$', table, re.M | re.S)}
    for path in (ROOT / "bridge/tool").glob("*.c"):
        text = path.read_text()
        found, function = set(), None
        for each in re.finditer(r'\{ "([a-z-]+)",\s*(?:no|required|optional)_argument'
                                r"|^(tool_\w+)\(struct tool \*tool, int argc", text, re.M):
            if each[1] is not None:
                found.add(each[1])
                continue
            if found and function is not None:
                yield names[function], found
            function, found = each[2], found if function is None else set()
        if found and function is not None:
            yield names[function], found


COMMANDS = dict(commands())


def test_all_commands_are_looked_at():
    assert {"tail", "send", "topics", "replay", "register", "export", "demo"} <= COMMANDS.keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_each_option(command):
    said = run("vulnbus", "help", command)
    assert said.returncode == 0 and options_of(said.stdout) == COMMANDS[command] | COMMON
    assert run("vulnbus", command, "--help").stdout == said.stdout
