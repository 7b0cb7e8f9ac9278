# SPDX-License-Identifier: Apache-2.0
"""The units under a systemd that was really booted: confined as they say, a webhook through them
to its record, reloaded, killed, stopped."""

import json
import secrets
import time

from confined import check_attempts, check_confined
from daemons import Source
from machine import Machine, state
from operate import check_record, configure, post
from reader import Tap
from roots import say
from waiting import until

INGRESS, ENRICHER = UNITS = ["vulnbus-ingress.service", "vulnbus-enricher.service"]


def told(machine, unit):
    """The daemon's own lines."""
    text = machine.journal("--output=cat", f"--identifier={unit.removesuffix('.service')}")
    return [json.loads(line) for line in text.splitlines()]


def address(machine, unit, port="public"):
    """Where it listens."""
    return [line["address"] for line in told(machine, unit) if line.get("port") == port][-1]


def check_sandbox(machine, unit, tell):
    """The unit's own filter lets the daemon take away more."""
    [said] = [line for line in told(machine, unit) if line["message"] == "sandbox"]
    assert said["seccomp"] == said["no_new_privs"] == "on", said
    # landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION), on every machine number 444.
    free, _ = machine.status("systemd-run", "--quiet", "--wait", "--property=User=vulnbus",
                             "/usr/bin/perl", "-e", "exit(syscall(444, 0, 0, 1) < 1)")
    if free != 0:
        tell(f"not tried, Landlock in {unit}: this machine has none for anybody")
    assert (said["landlock"] > 0) == (free == 0), said


def check_reload(machine, ingress, notify, later, change):
    """A source that the configuration has had since is known when systemctl has told them."""
    pids = [state(machine, unit, "MainPID") for unit in UNITS]
    change()
    answer = post(ingress, later, 1, later.stub.signer.token)
    assert answer == 404, f"{answer} for a source that nobody was told of"
    for unit in UNITS:
        machine.run("systemctl", "reload", unit)
        until(lambda: any(line["message"] == "configuration reloaded"
                          for line in told(machine, unit)), f"{unit} has reloaded")
    notify(later, 1)
    assert pids == [state(machine, unit, "MainPID") for unit in UNITS], "one was started again"


def check_killed(machine, notify, source):
    """It comes again by itself, and for what came in between."""
    pid, = state(machine, ENRICHER, "MainPID")
    machine.run("systemctl", "kill", "--signal=KILL", ENRICHER)
    until(lambda: state(machine, ENRICHER, "MainPID") != [pid], "the enricher is dead")
    notify(source, 2)
    until(lambda: state(machine, ENRICHER, "ActiveState", "NRestarts") == ["active", "1"],
          "the enricher is active again")


def check_stopped(machine):
    for unit in UNITS:
        began = time.monotonic()
        machine.run("systemctl", "stop", unit)
        took = time.monotonic() - began
        known = state(machine, unit, "ActiveState", "Result", "ExecMainStatus")
        assert known == ["inactive", "success", "0"], f"{unit} was stopped, and is {known}"
        assert took < 30, f"{unit} took {took:.1f} s to stop"


def check_misconfigured(machine, root):
    """A configuration that names no brokers is not tried again and again."""
    config = root.path / "etc/vulnbus/vulnbus.yaml"
    config.write_text("# nothing\n")
    for unit in UNITS:
        code, _ = machine.status("systemctl", "start", unit)
        known = state(machine, unit, "ActiveState", "ExecMainStatus", "NRestarts")
        assert code == 1 and known == ["failed", "78", "0"], f"{unit}, not configured, is {known}"


def check_journal(machine):
    """Nothing went wrong but what was done to them."""
    for unit in UNITS:
        for line in told(machine, unit):
            assert line["log.level"] in ("debug", "info", "warn"), line


def check_units(release, root, broker, folder):
    """`root` has the package and nothing of it running, and is not entered by anybody."""
    source, later, prefix = Source(), Source(name="later"), f"test-{secrets.token_hex(4)}"
    tap = Tap(broker.bootstrap, prefix)

    def tell(text):
        say(release, text)

    def notify(source, number):
        answer = post(ingress, source, number, source.stub.signer.token)
        assert answer == 202, f"the ingress answered {answer}"
        check_record(tap, source, number)

    try:
        configure(root, broker, [source], prefix)
        root.run("rm", "-rf", "/var/lib/vulnbus")
        root.run("systemctl", "enable", *UNITS)
        user = int(root.run("id", "-u", "vulnbus"))
        with Machine(root, folder / "console.log", UNITS) as machine:
            for unit in UNITS:
                known = state(machine, unit, "ActiveState", "SubState", "Type", "NRestarts")
                assert known == ["active", "running", "notify", "0"], \
                    f"{unit}, after the boot, is {known}"
                check_confined(machine, unit, user, tell)
                check_sandbox(machine, unit, tell)
            ingress = f"http://{address(machine, INGRESS)}"
            notify(source, 1)
            check_reload(machine, ingress, notify, later,
                         lambda: configure(root, broker, [source, later], prefix))
            check_killed(machine, notify, source)
            check_stopped(machine)
            check_journal(machine)
            for unit in UNITS:
                check_attempts(machine, unit, tell)
            check_misconfigured(machine, root)
            machine.power_off()
    finally:
        tap.close()
        source.stub.down()
        later.stub.down()
