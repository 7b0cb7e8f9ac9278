# SPDX-License-Identifier: Apache-2.0
"""Both daemons give up what they never do, before their first thread. Unit tests try what is forbidden;
all other tests here run inside."""

import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from daemons import BUILD, Source, Stack
from inside import open_files, places_in_memory, threads, without_landlock, without_seccomp
from waiting import until

if BUILD.name in ("asan", "tsan"):
    pytest.skip("a sanitizer's runtime needs what is given up", allow_module_level=True)

NOBODY = 65534
BAD_CONFIGURATION = 78


def sandbox_line(daemon):
    [said] = [line for line in daemon.lines() if line["message"] == "sandbox"]
    return said


@pytest.fixture(scope="module", params=["best-effort", "required", "off"])
def site(request, module_stack, tmp_path_factory):
    source = Source()
    token = tmp_path_factory.mktemp("tokens") / "token"     # not beside the rest
    token.write_text(source.stub.token)
    source.settings = {"api": {"token": f"${{file:{token}}}"}}
    made = module_stack([source], {"sandbox": request.param})
    made.source, made.mode = source, request.param
    return made.start()


def test_it_is_seen_from_outside(site):
    on = site.mode != "off"
    for daemon in (site.ingress, site.enricher):
        seen = {(status["Seccomp"], status["NoNewPrivs"]) for status in threads(daemon.process)}
        assert seen == {("2", "1") if on else ("0", "0")}
        said = sandbox_line(daemon)
        assert (said["landlock"] > 0, said["seccomp"], said["no_new_privs"]) == \
            (on, *["on" if on else "off"] * 2)
        assert said["ports"] == ("on" if said["landlock"] >= 4 else "off")
        limits = Path(f"/proc/{daemon.process.pid}/limits").read_text()
        assert ("Max core file size        0                    0" in limits) == on


def test_a_webhook_becomes_a_record_inside(site):
    site.source.stub.scan("1")
    site.tap.one("scans", event_id=site.notify(site.source, id="1", kind="scan", status="done"))


def reloaded(daemon, wanted):
    start = daemon.log.stat().st_size
    daemon.hang_up()
    return until(lambda: [line for line in daemon.lines(start) if wanted in line["message"]], wanted, 20)[-1]


def test_a_later_configuration_may_not_name_files_elsewhere(site, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "hook"
    elsewhere.write_text("another-secret-of-16-characters\n")
    written = site.config.read_text()
    inside = f"{site.folder}/{site.source.name}.hook"
    assert inside in written
    site.config.write_text(written.replace(inside, str(elsewhere)))
    if site.mode == "off":
        reloaded(site.ingress, "configuration reloaded")
    else:
        said = reloaded(site.ingress, "configuration not reloaded")
        assert str(elsewhere) in said["error.message"] and os.strerror(13) in said["error.message"]
        assert "after a restart" in said["hint"]
    site.config.write_text(written)
    reloaded(site.ingress, "configuration reloaded")


@pytest.mark.parametrize("settings", [
    {"api_jwt": {"key_file": "{}/key.pem"}},
    {"api_oauth2": {"refresh_token_file": "{}/token", "client_id": "one"}}], ids=["read", "written"])
def test_nor_files_that_are_used_later(site, settings, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("key.pem", "token"):
        (elsewhere / name).write_text("x\n")
    written, former = site.config.read_text(), site.source.settings
    [(section, keys)] = settings.items()
    site.source.settings = {"api": {"token": None},
                            section: {key: value.format(elsewhere) for key, value in keys.items()}}
    site.write()
    said = reloaded(site.enricher, "configuration ")
    assert ("not reloaded" in said["message"]) == (site.mode != "off"), said
    if site.mode != "off":
        assert str(elsewhere) in said["error.message"] and "after a restart" in said["hint"]
    site.source.settings = former
    site.config.write_text(written)
    reloaded(site.enricher, "configuration reloaded")


# --- where something is missing ---

def spawn(daemon, **more):
    return lambda **streams: subprocess.Popen(
        [BUILD / daemon.program, "-c", daemon.config, *daemon.arguments], **streams, **more)


@pytest.mark.parametrize("missing", [without_landlock, without_seccomp])
def test_best_effort_does_without_what_is_missing(stack, missing):
    made = stack([Source()])
    for daemon in (made.ingress, made.enricher):
        daemon.spawn = spawn(daemon, preexec_fn=missing)
    made.start()
    for daemon in (made.ingress, made.enricher):
        said = sandbox_line(daemon)
        assert (said["landlock"] == 0) == (missing is without_landlock)
        assert (said["seccomp"] == "off") == (missing is without_seccomp)
        assert said["no_new_privs"] == "on"
    made.sources[0].stub.scan("1")
    made.tap.one("scans", event_id=made.notify(made.sources[0], id="1", kind="scan", status="done"))


@pytest.mark.parametrize("missing, name", [(without_landlock, "Landlock"), (without_seccomp, "seccomp")])
@pytest.mark.parametrize("program", ["vulnbus-ingress", "vulnbus-enricher"])
def test_required_does_not_start_without(stack, program, missing, name):
    made = stack([Source()], {"sandbox": "required"})
    ended = subprocess.run([BUILD / program, "-c", made.config], preexec_fn=missing, capture_output=True,
                           text=True, timeout=30)
    assert ended.returncode == BAD_CONFIGURATION
    assert f"sandbox: required, but there is no {name} here" in ended.stderr


# --- what nobody else may see ---

@pytest.fixture
def unprivileged(broker):
    """Run by nobody, who could not look into a root's folders."""
    folder = Path(tempfile.mkdtemp(prefix="vulnbus-nobody-"))
    made = Stack(broker, folder / "stack", [Source()])
    for daemon in (made.ingress, made.enricher):
        own = folder / daemon.program
        shutil.copy(BUILD / daemon.program, own)
        daemon.spawn = lambda own=own, daemon=daemon, **streams: subprocess.Popen(
            [own, "-c", daemon.config], **streams,
            **({"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}))
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    yield made.start()
    made.close()
    shutil.rmtree(folder)


def test_whoever_is_not_root_is_measured_all_the_same(unprivileged):
    for daemon in (unprivileged.ingress, unprivileged.enricher):
        assert os.stat(f"/proc/{daemon.process.pid}/fd").st_uid == 0, "it can be dumped"
        assert daemon.metric("process_resident_memory_bytes") > 1 << 20
        if os.geteuid() == 0:
            assert abs(daemon.metric("process_open_fds") - open_files(daemon.process)) <= 3
        else:
            assert daemon.metric("process_open_fds") > 5
    source = unprivileged.sources[0]
    source.stub.scan("1")
    unprivileged.tap.one("scans", event_id=unprivileged.notify(source, id="1", kind="scan", status="done"))
    assert list((unprivileged.folder / "state").iterdir()), "no key was kept"


def test_secrets_are_not_where_a_core_dump_would_find_them(stack):
    """What comes by HTTP or goes out by it has been in memory of others' libraries (SECURITY.md)."""
    made = stack([Source()], {"sandbox": "off"})
    source = made.sources[0]
    tokens = [secrets.token_hex(16) for _ in range(3)]
    made.write_token(source, tokens[0])
    made.start()
    assert places_in_memory(made.ingress.process, source.secret.encode())[0] == 0
    assert places_in_memory(made.ingress.process, source.secret.encode())[1] > 0
    assert places_in_memory(made.enricher.process, tokens[0].encode())[0] == 0
    for token in tokens[1:]:
        made.write_token(source, token)
        reloaded(made.ingress, "configuration reloaded")
        reloaded(made.enricher, "configuration reloaded")
    assert places_in_memory(made.ingress.process, source.secret.encode())[0] == 0
    for token in tokens:
        assert places_in_memory(made.enricher.process, token.encode())[0] == 0
