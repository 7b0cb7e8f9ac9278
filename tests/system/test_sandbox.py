# SPDX-License-Identifier: Apache-2.0
"""Both daemons give up what they never do, before their first thread. Unit tests try what is forbidden;
all other tests here run inside."""

import os
from pathlib import Path

import pytest

from daemons import BUILD, Source
from waiting import until

if BUILD.name in ("asan", "tsan"):
    pytest.skip("a sanitizer's runtime needs what is given up", allow_module_level=True)


@pytest.fixture(scope="module", params=["best-effort", "required", "off"])
def site(request, module_stack):
    made = module_stack([Source()], {"sandbox": request.param})
    made.source, made.mode = made.sources[0], request.param
    return made.start()


def test_it_is_seen_from_outside(site):
    on = site.mode != "off"
    for daemon in (site.ingress, site.enricher):
        status = dict(line.split(":\t", 1) for line in Path(
            f"/proc/{daemon.process.pid}/status").read_text().splitlines() if ":\t" in line)
        assert (status["Seccomp"], status["NoNewPrivs"]) == (("2", "1") if on else ("0", "0"))
        [said] = [line for line in daemon.lines() if line["message"] == "sandbox"]
        assert (said["landlock"] > 0, said["seccomp"]) == (on, "on" if on else "off")
        limits = Path(f"/proc/{daemon.process.pid}/limits").read_text()
        assert ("Max core file size        0                    0" in limits) == on


def test_a_webhook_becomes_a_record_inside(site):
    site.source.stub.scan("1")
    site.tap.one("scans", event_id=site.notify(site.source, id="1", kind="scan", status="done"))


def test_a_later_configuration_may_not_name_files_elsewhere(site, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "hook"
    elsewhere.write_text("another-secret-of-16-characters\n")
    written = site.config.read_text()
    inside = f"{site.folder}/{site.source.name}.hook"
    assert inside in written
    site.config.write_text(written.replace(inside, str(elsewhere)))
    site.ingress.hang_up()
    wanted = "configuration reloaded" if site.mode == "off" else "configuration not reloaded"
    said = until(lambda: [line for line in site.ingress.lines() if wanted in line["message"]], wanted, 20)
    if site.mode != "off":
        assert str(elsewhere) in said[-1]["error.message"]
        assert os.strerror(13) in said[-1]["error.message"]
    site.config.write_text(written)
    site.ingress.hang_up()
    until(lambda: site.ingress.admin("/metrics").text.find(
        "vulnbus_config_last_reload_successful 1") > 0, "the former one again", 20)
