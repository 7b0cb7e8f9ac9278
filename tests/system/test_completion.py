# SPDX-License-Identifier: Apache-2.0
"""Completion as people meet it: bash and zsh on a terminal, with keys typed into them, and fish,
which can be asked. Each is told what `vulnbus completion` prints and knows nothing else."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from daemons import BUILD, run
from test_tool import GOOD

INSERT_ALL, WRITE = "\x18a", "\x18w"

# Each ends its setting up, and each line, by writing a file.
SETUP = {
    "bash": r"""
PS1=; . ./vulnbus.bash
bind '"\C-xa": insert-completions'
write() { printf %s "$READLINE_LINE" > line; }
bind -x '"\C-xw": write'
: > ready
""",
    "zsh": r"""
PS1=; autoload -U compinit; compinit -u -d dump; . ./vulnbus.zsh
""",
    "zsh, installed": r"""
PS1=; fpath=($PWD/functions $fpath); autoload -U compinit; compinit -u -d dump
""",
}
ZSH = r"""
zle -C all complete-word _generic
zstyle ':completion:all:*' completer _all_matches _complete
zstyle ':completion:all:*' insert true
write() { print -rn -- "$BUFFER" > line; }
zle -N write
bindkey '^Xa' all; bindkey '^Xw' write
: > ready
"""
SHELLS = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a configuration and every shell's script."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "vulnbus.yaml").write_text(
        GOOD + GOOD[GOOD.index("  - name"):].replace("acme-vdr", "cards").replace("abcdef", "fed"))
    for shell in ("bash", "zsh", "fish"):
        made = run("vulnbus", "completion", shell)
        assert (made.returncode, made.stderr) == (0, "")
        (folder / f"vulnbus.{shell}").write_text(made.stdout)
    (folder / "functions").mkdir()
    shutil.copy(folder / "vulnbus.zsh", folder / "functions/_vulnbus")
    return folder


def environment():
    return {"PATH": f"{BUILD}:{os.environ['PATH']}", "TERM": "dumb", "LC_ALL": "C.UTF-8",
            "HOME": "/nonexistent"}


class Terminal:
    """A shell that reads from a terminal, in a folder."""

    def __init__(self, shell, folder):
        assert shutil.which(shell), f"{shell} is not installed (make test-deps)"
        self.folder = folder
        self.screen = b""
        process, self.fd = pty.fork()
        if process == 0:
            os.chdir(folder)
            os.execvpe(shell, SHELLS[shell], environment())
        self.process = process
        self.type(". ./setup\r")
        self.file("ready")

    def type(self, text):
        os.write(self.fd, text.encode())

    def file(self, name):
        """The text of a file that the shell writes, once it is there."""
        path, deadline = self.folder / name, time.monotonic() + 20
        while not path.exists() or path.stat().st_size == 0 and name != "ready":
            assert time.monotonic() < deadline, (name, self.screen.decode(errors="replace"))
            if select.select([self.fd], [], [], 0.02)[0]:
                self.screen += os.read(self.fd, 65536)
        text = path.read_text()
        path.unlink()
        return text

    def complete(self, line):
        """What the line becomes when everything that fits is put in."""
        self.type(line + INSERT_ALL + WRITE)
        made = self.file("line")
        self.type("\x15")
        return made.split()

    def close(self):
        os.close(self.fd)
        os.waitpid(self.process, 0)
        (self.folder / "dump").unlink(missing_ok=True)


class Fish:
    def __init__(self, folder):
        self.folder = folder

    def complete(self, line):
        made = subprocess.run(
            ["fish", "--no-config", "-c", ". vulnbus.fish; complete -C $argv[1]", line],
            cwd=self.folder, env={**environment(), "HOME": str(self.folder)},
            capture_output=True, text=True, timeout=60)
        assert (made.returncode, made.stderr) == (0, "")
        words = line.split(" ")
        return words[:-1] + [row.split("\t")[0] for row in made.stdout.splitlines()]

    def close(self):
        pass


@pytest.fixture(scope="module", params=[*SETUP, "fish"])
def shell(request, place):
    if request.param == "fish":
        made = Fish(place)
    else:
        name = request.param.partition(",")[0]
        (place / "setup").write_text(SETUP[request.param] + (ZSH if name == "zsh" else ""))
        made = Terminal(name, place)
    yield made
    made.close()


def help_of(*command):
    made = run("vulnbus", *command)
    assert made.returncode == 0
    return made.stdout


def commands():
    return re.findall(r"^  ([a-z][a-z-]*) ", help_of("help"), re.MULTILINE)


def options(command):
    return re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", help_of("help", command), re.MULTILINE)


def found(shell, line):
    """What came in the place of the last word."""
    return sorted(set(shell.complete(line)) - set(line.split(" ")[:-1]))


def test_every_command_is_offered(shell):
    assert len(commands()) > 10
    assert found(shell, "vulnbus ") == sorted(commands())
    assert found(shell, "vulnbus help ") == sorted(set(commands()) - {"help"})


@pytest.mark.parametrize("command", commands())
def test_every_option_of_a_command_is_offered(shell, command):
    assert found(shell, f"vulnbus {command} --") == sorted(options(command))


def test_what_is_begun_is_ended(shell):
    assert shell.complete("vulnbus conf") == ["vulnbus", "config-example", "config-reference"] or \
        sorted(shell.complete("vulnbus conf")) == ["config-example", "config-reference", "vulnbus"]
    assert shell.complete("vulnbus print-") == ["vulnbus", "print-config"]
    assert shell.complete("vulnbus tail --fo") == ["vulnbus", "tail", "--follow"]


def test_topics_are_offered(shell):
    assert found(shell, "vulnbus tail s") == ["scans", "scorecards", "state"]
    assert found(shell, "vulnbus tail scans --json ex") == ["export-rows", "exports"]
    assert found(shell, "vulnbus replay --to-topic dea") == ["dead-letters"]
    assert found(shell, "vulnbus replay --to-topic=dea") in (["--to-topic=dead-letters"],
                                                             ["dead-letters"])


def test_sources_are_those_of_the_configuration(shell):
    both = ["acme-vdr", "cards"]
    assert found(shell, "vulnbus -c vulnbus.yaml export ") == both
    assert found(shell, "vulnbus tail -c vulnbus.yaml -f --source ") == both
    assert shell.complete("vulnbus export --config=vulnbus.yaml c")[-1] == "cards"


def test_files_are_offered_behind_c(shell):
    assert shell.complete("vulnbus -c vulnbus.y")[-1] == "vulnbus.yaml"
    assert shell.complete("vulnbus tail --config vulnbus.y")[-1] == "vulnbus.yaml"
    assert shell.complete("vulnbus tail --config=vulnbus.y")[-1] == "--config=vulnbus.yaml"


def test_nothing_is_offered_where_nothing_is_known(shell):
    """A wrong word would be worse than none."""
    assert found(shell, "vulnbus tail --id ac") in ([], ["ac"])
    assert found(shell, "vulnbus -c nowhere.yaml export ac") in ([], ["ac"])
    assert found(shell, "vulnbus nonsense ta") in ([], ["ta"])


def test_a_shell_that_is_not_known_is_64():
    assert run("vulnbus", "completion", "tcsh").returncode == 64
    assert run("vulnbus", "completion").returncode == 64
