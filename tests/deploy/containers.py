# SPDX-License-Identifier: Apache-2.0
"""Images and containers without an engine: buildah in chroot isolation on a base made by mmdebstrap, then podman with
runc. Everything is kept under build/deploy, so what has not changed is not built again."""

import json
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = (ROOT / "build/deploy").resolve()
STORAGE = ["--root", str(PLACE / "storage/root"), "--runroot", str(PLACE / "storage/run"),
           "--storage-driver", "overlay"]
RELEASE = os.environ.get("VULNBUS_IMAGE_RELEASE", "trixie")   # or bookworm
BASE = f"localhost/debian:{RELEASE}-slim"
IMAGE = f"localhost/vulnbus:{RELEASE}"
VERSION = re.search(r'VULNBUS_VERSION "(.*)"', (ROOT / "include/vulnbus/version.h").read_text())[1]
# Raising limits needs a right that not every machine gives; these are below any ceiling.
CONTAINERS_CONF = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n'
# As a Kubernetes pod of the "restricted" level has it, and more.
HARDENED = ["--network", "host", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
            "--pull", "never", "--tmpfs", "/tmp"]


def command(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done.stdout.strip()


def buildah(verb, *words, **more):
    return command("buildah", *STORAGE, verb, *words, **more)


def podman_words():
    (PLACE / "containers.conf").write_text(CONTAINERS_CONF)
    return ["env", f"CONTAINERS_CONF={PLACE}/containers.conf", "podman", *STORAGE, "--runtime", "runc",
            "--cgroup-manager", "cgroupfs"]


def podman(*words, **more):
    return command(*podman_words(), *words, **more)


def sources():
    """The line of the Debian archive that this machine uses, if it uses one; mmdebstrap knows Debian's own."""
    for path in sorted(Path("/etc/apt").glob("sources.list*")) + sorted(Path("/etc/apt").glob("sources.list.d/*")):
        if path.is_file() and (found := re.search(r"https?://\S+/debian/?(?=\s)", path.read_text())):
            return [f"deb {found[0]} {RELEASE} main"]
    return []


def make_base():
    """What debian:trixie-slim is: a minimal Debian without manuals and translations."""
    tar = PLACE / f"base-{RELEASE}.tar"
    if not tar.exists():
        PLACE.mkdir(parents=True, exist_ok=True)
        part = tar.with_suffix(".part.tar")
        command("mmdebstrap", "--variant=minbase",
                *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "locale")),
                "--dpkgopt=path-include=/usr/share/doc/*/copyright",
                RELEASE, part, *sources())
        part.rename(tar)
    if BASE not in buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
        container = buildah("from", "scratch")
        buildah("add", "-q", container, tar, "/")
        buildah("config", "--cmd", "bash",
                "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
        buildah("commit", "-q", "--rm", container, BASE)


def revision():
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def make_image():
    make_base()
    buildah("bud", "--isolation", "chroot", "--pull-never", "--layers", "--format", "docker",
            "--ignorefile", ROOT / "deploy/Dockerfile.dockerignore", "-f", ROOT / "deploy/Dockerfile",
            "--build-arg", f"BASE={BASE}", "--build-arg", f"VERSION={VERSION}",
            "--build-arg", f"REVISION={revision()}", "-t", IMAGE, ROOT)
    return IMAGE


def inspect(image):
    return json.loads(podman("image", "inspect", image))[0]


class Mounted:
    """The files of an image, in a container that is made for it and never run."""

    def __init__(self, image):
        self.container = buildah("from", "--pull-never", image)

    def __enter__(self):
        return Path(buildah("mount", self.container))

    def __exit__(self, *_):
        buildah("rm", self.container)


def make_bare(image):
    """The image without any program but ours: no shell, no tool, nothing to start."""
    name = f"{image}-bare"
    container = buildah("from", "--pull-never", image)
    root = Path(buildah("mount", container))
    for folder in ("usr/bin", "usr/sbin"):
        for path in (root / folder).iterdir():
            if not path.name.startswith("vulnbus"):
                path.unlink()
    buildah("commit", "-q", "--rm", container, name)
    return name


def wrap(image, folder):
    """Programs in `folder` that are those of the image in hardened containers; the folder of their configuration is
    mounted where it is, and they may write into its `state`."""
    words = " ".join(podman_words())
    folder.mkdir(parents=True, exist_ok=True)
    for program in ("vulnbus-ingress", "vulnbus-enricher", "vulnbus"):
        path = folder / program
        path.write_text(f"""#!/bin/sh
# {program} -c FILE ...
folder=$(dirname "$2")
chown -R 10001 "$folder/state"
exec {words} run --rm {" ".join(HARDENED)} -v "$folder:$folder:ro" -v "$folder/state:$folder/state" \\
    {image} {program} "$@"
""")
        path.chmod(0o755)
    return folder
