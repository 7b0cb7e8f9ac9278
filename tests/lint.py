#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The project's rules as a program: `make lint`.

Every violation is a line "file:line: text"; any makes the exit status 1.
`--self-test` feeds each rule something bad and expects it to fire.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# --- (a) the dependency law --------------------------------------------------
#
# programs -> flow, tool -> source interface, net -> core. A layer includes the
# layers named here, and itself where it names itself.

LAYERS = {
    "core": {"core"},
    "net": {"core", "net"},
    "interface": {"core"},                  # include/vulnbus/source.h
    "source": set(),                        # a vendor: see SOURCE_MAY
    "flow": {"core", "interface"},          # and what FLOW says, no more
    "tool": {"core", "net", "interface", "tool"},  # and what TOOL_MAY says
    "program": {"core", "net", "interface", "flow", "program", "tool"},
}

# A vendor owns nothing, does no input or output, sees no clock.
SOURCE_MAY = {"vulnbus/source.h", "vulnbus/json.h"}
SOURCE_MAY_SYSTEM = {
    "assert.h", "ctype.h", "inttypes.h", "limits.h", "stdbool.h", "stddef.h",
    "stdint.h", "string.h", "strings.h",
}

STAGES = {
    "accept", "authenticate", "normalise", "produce", "spool",   # of the ingress
    "consume", "fetch", "rows", "commit",               # of the enricher
}

# Each module under bridge/flow: the modules of flow and net it may include.
# No stage includes another, with the exceptions of STAGE_SEAMS.
FLOW = {
    # data and tables that stages share
    "binding": {"kafka"},
    "credential": {"binding"},
    "oauth2": set(),
    "grant": {"binding", "http_client", "oauth2"},
    "topics": {"kafka"},
    "ocsf": {"topics"},
    "encode": {"ocsf", "topics"},
    "keys": {"binding", "http_client", "ring"},
    "ring": {"http_client", "keys"},
    "partition": {"kafka_consumer", "topics", "work"},
    "read_back": {"kafka_consumer", "partition", "topics", "work"},
    "site": {"binding", "keys", "authenticate", "http_tls"},
    "work": {"encode"},
    "feed": {"binding", "credential", "grant", "site", "work"},
    "overview": {"binding", "site"},
    "admin": {"http_server", "overview"},
    "shipment": set(),
    "spool_record": {"kafka", "topics"},
    "spool_rows": {"kafka", "shipment", "spool_record", "topics"},
    # the ingress
    "accept": {"address", "binding"},
    "authenticate": {"binding", "keys"},
    "normalise": {"binding"},
    "produce": {"kafka_producer", "shipment", "topics"},
    "spool": {"spool_record", "spool_rows"},
    # the enricher
    "consume": {"kafka_bounds", "kafka_consumer", "partition", "read_back",
                "topics", "work"},
    "fetch": {"binding", "credential", "grant", "http_client", "rows",
              "site", "work"},
    "rows": {"work"},
    "commit": {"kafka_consumer", "kafka_producer", "topics", "work"},
}

# The only places where a stage is seen from another module of flow: a site
# owns the offenders' table that authenticate reads; a conversation owns the
# reader of the file it fetches.
STAGE_SEAMS = {("site", "authenticate"), ("fetch", "rows")}

# A subcommand sees no stage.
TOOL_MAY = {"binding", "credential", "encode", "grant", "keys", "site",
            "topics"}

# Headers that are not named after a file: where they belong.
HEADER_HOME = {"status": "core", "version": "core", "source": "interface",
               "shipment": "flow"}

# --- (b) doors ---------------------------------------------------------------

KAFKA_DOORS = {f"bridge/net/{n}.c"
               for n in ("kafka", "kafka_bounds", "kafka_check", "kafka_consumer",
                         "kafka_describe", "kafka_forward", "kafka_producer",
                         "kafka_statistics", "kafka_transaction")}
DOORS = [
    (r"microhttpd\.h", {"bridge/net/http_server.c",
                        "bridge/net/http_request.c"}),
    (r"gnutls/.*", {"bridge/net/http_tls.c"}),
    (r"curl/.*", {"bridge/net/http_client.c"}),
    (r"librdkafka/.*", KAFKA_DOORS),
    (r"jansson\.h", {"bridge/core/json.c"}),
    (r"msgpack(\.h|/.*)", {"bridge/core/msgpack.c"}),
    (r"yaml\.h", {"bridge/core/yaml.c"}),
    (r"openssl/.*", {"bridge/core/crypto.c",
                     "bridge/core/crypto_private.c",
                     "bridge/core/secret.c"}),
    (r"sqlite3\.h", {"bridge/core/spool_file.c"}),
    (r"seccomp\.h", {"bridge/core/sandbox_calls.c"}),
    (r"cmocka\.h", re.compile(r"tests/(unit|torture)/")),
]
# Measured against the bare library.
NO_DOOR_NEEDED = re.compile(r"tests/bench/")

# ISO C, POSIX and glibc; anything else in <> is a library, and needs a door.
SYSTEM = set("""
aio alloca arpa/inet assert complex ctype dirent dlfcn endian errno execinfo fcntl fenv
float fnmatch getopt glob grp iconv ifaddrs inttypes iso646 langinfo libgen
limits link linux/landlock locale malloc math net/if netdb netinet/in
netinet/tcp nl_types poll pthread
pwd regex sched search semaphore setjmp signal spawn stdalign stdarg stdatomic
stdbool stddef stdint stdio stdlib stdnoreturn string strings sysexits syslog
termios threads time uchar unistd utime wchar wctype
sys/epoll sys/eventfd sys/file sys/inotify sys/ioctl sys/mman sys/prctl sys/ptrace
sys/random sys/resource sys/select sys/signalfd sys/socket sys/stat sys/statvfs
sys/syscall sys/time sys/timerfd sys/types sys/uio sys/un sys/wait
""".split())

# --- (c) words ---------------------------------------------------------------

BANNED = {
    "sprintf": "snprintf, or buffer_print",
    "vsprintf": "vsnprintf",
    "strcpy": "a buffer",
    "stpcpy": "a buffer",
    "strncpy": "a buffer",
    "strcat": "a buffer",
    "strncat": "a buffer",
    "strtok": "view_cut",
    "strtok_r": "view_cut",
    "atoi": "view_to_int",
    "atol": "view_to_int",
    "atoll": "view_to_int",
    "atof": "strtod, checked",
    "gets": "fgets",
    "alloca": "a bounded array or the heap",
    "system": "posix_spawn",
    "popen": "posix_spawn",
    "localtime": "UTC",
    "localtime_r": "UTC",
    "gmtime": "gmtime_r",
    "ctime": "timestamp_print",
    "asctime": "timestamp_print",
    "rand": "random_bytes",
    "srand": "random_bytes",
    "random": "random_bytes",
    "drand48": "random_bytes",
    "mktemp": "mkstemp",
    "tmpnam": "mkstemp",
    "tempnam": "mkstemp",
}
BANNED_CALL = re.compile(r"\b(" + "|".join(BANNED) + r")\s*\(")
# In two halves, so that this file may be read too.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")

# --- (d) sizes ---------------------------------------------------------------

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400

# --- (h) what belongs to one machine -----------------------------------------

MACHINE_PATH = re.compile(r"(?<![\w.$})/~-])/(?:work|home|root)/")
REGISTRY = re.compile(
    r"http://[\w.-]*(?:"
    r"debian\.org|ubuntu\.com|pypi\.|pythonhosted\.|maven\.org|maven\.google|"
    r"npmjs\.|crates\.io|proxy\.golang|docker\.io|ghcr\.io|gcr\.io|quay\.io|"
    r"registry|mirror|artifactory|nexus|proxy)", re.IGNORECASE)

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
COMMENT_OR_LITERAL = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def blank(match):
    """The same lines, without what stood in them."""
    return re.sub(r"[^\n]", " ", match.group())


class Lint:
    def __init__(self, root, files, clang_format=None):
        self.root = Path(root)
        self.files = sorted(files)
        self.clang_format = clang_format
        self.found = []
        self.texts = {}
        for name in self.files:
            raw = (self.root / name).read_bytes()
            if b"\0" not in raw:
                self.texts[name] = raw.decode("utf-8", "replace")

    def say(self, name, line, text):
        self.found.append((name, line, text))

    def run(self):
        for name, text in self.texts.items():
            if name.endswith((".c", ".h")):
                self.includes(name, text)
                self.words(name, text)
                self.sizes(name, text)
            self.unfinished(name, text)
            self.licence(name, text)
            self.machine(name, text)
        self.cycles()
        self.sources()
        self.variable_length_arrays()
        self.format()
        return sorted(set(self.found))

    # -- (a) and (b) ----------------------------------------------------------

    def module(self, stem, known):
        """The module a file belongs to: its name, or the one it extends."""
        if stem in known:
            return stem
        fits = [k for k in known if stem.startswith(k + "_")]
        return max(fits, key=len) if fits else None

    def header_layer(self, stem):
        if stem in HEADER_HOME:
            return HEADER_HOME[stem]
        for layer in ("core", "net", "flow", "tool"):
            if f"bridge/{layer}/{stem}.c" in self.texts:
                return layer
        if f"bridge/{stem}.c" in self.texts:
            return "program"
        for layer in ("core", "net", "flow", "tool"):
            stems = {Path(n).stem for n in self.texts
                     if n.startswith(f"bridge/{layer}/")}
            if self.module(stem, stems) is not None:
                return layer
        return None

    def layer(self, name):
        parts = Path(name).parts
        if name.startswith("include/vulnbus/") and len(parts) == 3:
            return self.header_layer(Path(name).stem)
        if parts[0] == "bridge":
            return "program" if len(parts) == 2 else parts[1]
        return None

    def includes(self, name, text):
        layer = self.layer(name)
        stem = Path(name).stem
        if name.startswith(("bridge/", "include/")) and layer not in LAYERS:
            self.say(name, 1, "belongs to no layer: core, net, source, flow, "
                     "tool, or a program")
            layer = None
        if layer == "flow" and self.module(stem, FLOW) is None:
            self.say(name, 1, "a module of flow that lint.py's FLOW table "
                     "does not know")
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start(1)) + 1
            is_system = match.group(1) == "<"
            target = match.group(2)
            self.door(name, line, target, is_system)
            if layer is None:
                continue
            if target.startswith("vulnbus/") and is_system:
                self.say(name, line, f'"{target}", not <{target}>')
            elif layer == "source":
                self.source_include(name, line, target, is_system)
            elif target.startswith("vulnbus/"):
                self.edge(name, line, layer, Path(target).stem)
            elif not is_system:
                self.private(name, line, target)

    def private(self, name, line, target):
        """A header of one's own folder, if not of the project's."""
        if name == "bridge/vulnbus.c" and target.startswith("tool/"):
            return
        if "/" in target or name.startswith("include/"):
            self.say(name, line, f'"{target}": only vulnbus/ headers and '
                     "those of the same folder")

    def source_include(self, name, line, target, is_system):
        allowed = SOURCE_MAY_SYSTEM if is_system else SOURCE_MAY
        own = vendor_of(name) + ".h"
        if target not in allowed and (is_system or target != own):
            self.say(name, line, f"a source may not include {target}")

    def edge(self, name, line, layer, target):
        to_layer = self.header_layer(target)
        stem = Path(name).stem
        if to_layer is None:
            self.say(name, line, f"vulnbus/{target}.h belongs to no layer")
            return
        if to_layer in LAYERS[layer]:
            return
        if layer == "flow" and to_layer in ("flow", "net"):
            self.flow_edge(name, line, stem, target)
            return
        known = self.module(target, FLOW) or target
        if layer == "tool" and known in TOOL_MAY:
            return
        self.say(name, line, f"{layer} may not include {to_layer}: "
                 f"vulnbus/{target}.h")

    def flow_edge(self, name, line, stem, target):
        me = self.module(stem, FLOW)
        if me is None or target == stem:
            return
        it = self.module(target, FLOW) or target
        if it == me:
            return
        if it in STAGES and (me, it) not in STAGE_SEAMS:
            if me in STAGES:
                self.say(name, line, f"stage {me} includes stage {it}")
            else:
                self.say(name, line, f"{me} includes a stage: {it}")
        elif it not in FLOW[me]:
            self.say(name, line, f"{me} may not include {it} (lint.py: FLOW)")

    def door(self, name, line, target, is_system):
        if NO_DOOR_NEEDED.match(name):
            return
        for pattern, doors in DOORS:
            if not re.fullmatch(pattern, target):
                continue
            if isinstance(doors, set):
                is_open = name in doors
                where = " or ".join(sorted(doors))
            else:
                is_open = doors.match(name) is not None
                where = doors.pattern
            if not is_open:
                self.say(name, line, f"{target} is for {where} only")
            return
        if (is_system and not target.startswith("vulnbus/") and
                target.removesuffix(".h") not in SYSTEM):
            self.say(name, line, f"<{target}> is no header of the system: "
                     "a library needs a door in lint.py")

    def cycles(self):
        graph = {}
        for name, text in self.texts.items():
            if name.startswith("include/vulnbus/"):
                graph[Path(name).stem] = sorted(
                    Path(m.group(2)).stem for m in INCLUDE.finditer(text)
                    if m.group(2).startswith("vulnbus/"))
        done, path = set(), []

        def visit(node):
            if node in path:
                circle = path[path.index(node):] + [node]
                self.say(f"include/vulnbus/{node}.h", 1,
                         "headers in a circle: " + " -> ".join(circle))
                return
            if node in done:
                return
            path.append(node)
            for other in graph.get(node, ()):
                visit(other)
            path.pop()
            done.add(node)

        for node in sorted(graph):
            visit(node)

    # -- (c) ------------------------------------------------------------------

    def words(self, name, text):
        code = COMMENT_OR_LITERAL.sub(blank, text)
        for number, line in enumerate(code.split("\n"), 1):
            for match in BANNED_CALL.finditer(line):
                word = match.group(1)
                self.say(name, number,
                         f"{word} is banned: use {BANNED[word]}")

    def unfinished(self, name, text):
        if not re.search(r"(\.(c|h|py|sh|ya?ml|mk)|Makefile|Dockerfile)$",
                         name) and not text.startswith("#!"):
            return
        for number, line in enumerate(text.split("\n"), 1):
            match = UNFINISHED.search(line)
            if match is not None:
                self.say(name, number, f"unfinished: {match.group()}")

    def variable_length_arrays(self):
        """The compiler finds them; here, that it is asked to."""
        text = self.texts.get("Makefile")
        if text is not None and not re.search(r"-Wvla\b", text):
            self.say("Makefile", 1, "-Wvla is missing from the warnings")

    # -- (d) ------------------------------------------------------------------

    def sizes(self, name, text):
        lines = text.split("\n")
        if name.startswith("bridge/") and len(lines) - 1 > FILE_LINES_MAX:
            self.say(name, FILE_LINES_MAX + 1, f"{len(lines) - 1} lines: "
                     f"at most {FILE_LINES_MAX} a file")
        start = None
        for number, line in enumerate(lines, 1):
            if line == "{":
                start = number
            elif line.startswith("}") and start is not None:
                count = number - start - 1
                if count > FUNCTION_LINES_MAX:
                    self.say(name, start, f"a function of {count} lines: "
                             f"at most {FUNCTION_LINES_MAX}")
                start = None

    # -- (e) ------------------------------------------------------------------

    def licence(self, name, text):
        if not (name.endswith((".c", ".h", ".py", ".sh", ".js", ".go")) or
                Path(name).name == "Makefile" or text.startswith("#!")):
            return
        head = "\n".join(text.split("\n")[:5])
        if text and "SPDX-License-Identifier: Apache-2.0" not in head:
            self.say(name, 1, "no SPDX-License-Identifier in the first lines")

    # -- (f) ------------------------------------------------------------------

    def sources(self):
        for name, text in self.texts.items():
            match = re.fullmatch(r"bridge/source/(.+)\.c", name)
            if match is None or match.group(1) == "source":
                continue
            vendor = match.group(1)
            first = f"bridge/source/{vendor_of(name)}.c"
            if name != first and first in self.texts:
                continue
            if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", vendor):
                self.say(name, 1, "a vendor's name is [a-z0-9] and '-'")
            symbol = "source_" + vendor.replace("-", "_")
            if not re.search(r"^const struct source " + re.escape(symbol) +
                             r" = \{", text, re.MULTILINE):
                self.say(name, 1, f"no constant {symbol}")
            if not re.search(r'^\t\.name = "' + re.escape(vendor) + '"', text,
                             re.MULTILINE):
                self.say(name, 1, f'no .name = "{vendor}"')
            folder = f"tests/unit/vendors/{vendor}/"
            if not any(f.startswith(folder) for f in self.files):
                self.say(name, 1, f"no cases in {folder}")

    # -- (g) ------------------------------------------------------------------

    def format(self):
        if self.clang_format is None:
            return
        names = [n for n in self.texts if n.endswith((".c", ".h"))]
        if not names:
            return
        result = subprocess.run(
            [self.clang_format, "--dry-run", "-Werror", "--style=file"] + names,
            cwd=self.root, stderr=subprocess.PIPE, text=True, check=False)
        places = re.findall(r"^(\S+?):(\d+):\d+: error: code should be",
                            result.stderr, re.MULTILINE)
        for name, line in places:
            self.say(name, int(line), "not as .clang-format has it "
                     "(make format)")
        if result.returncode != 0 and not places:
            self.say(".clang-format", 1, result.stderr.strip())

    # -- (h) ------------------------------------------------------------------

    def machine(self, name, text):
        for number, line in enumerate(text.split("\n"), 1):
            match = MACHINE_PATH.search(line)
            if match is not None:
                self.say(name, number, f"a path of one machine: "
                         f"{match.group()}")
            match = REGISTRY.search(line)
            if match is not None:
                self.say(name, number, f"a registry without TLS: "
                         f"{match.group()}")


def vendor_of(name):
    """some-vendor of some-vendor.c and of its second file, some-vendor_records.c."""
    return Path(name).stem.split("_")[0]


def committed(root):
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=root,
        stdout=subprocess.PIPE, text=True, check=True).stdout.split("\0")
    return [n for n in names if n and (Path(root) / n).is_file()]


# --- the rules, tried --------------------------------------------------------

SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
VENDOR = (SPDX + '#include "vulnbus/source.h"\n\nextern const struct source '
          'source_some_vendor;\n\nconst struct source source_some_vendor = {\n'
          '\t.name = "some-vendor",\n};\n')
GOOD = {
    "bridge/ingress.c": SPDX + '#include "vulnbus/accept.h"\n',
    "bridge/core/buffer.c": SPDX + '#include "vulnbus/buffer.h"\n',
    "bridge/core/json.c": SPDX + '#include <jansson.h>\n',
    "bridge/net/kafka.c": SPDX + '#include "vulnbus/kafka.h"\n'
                                 '#include <librdkafka/rdkafka.h>\n',
    "bridge/flow/accept.c": SPDX + '#include "vulnbus/accept.h"\n',
    "bridge/flow/authenticate.c": SPDX + '#include "vulnbus/keys.h"\n',
    "bridge/flow/binding.c": SPDX + '#include "vulnbus/kafka.h"\n',
    "bridge/flow/keys.c": SPDX + '#include "vulnbus/keys.h"\n',
    "bridge/source/some-vendor.c": VENDOR,
    "bridge/tool/tail.c": SPDX + '#include "vulnbus/binding.h"\n',
    "include/vulnbus/accept.h": SPDX + '#include "vulnbus/binding.h"\n',
    "include/vulnbus/binding.h": SPDX + '#include "vulnbus/source.h"\n',
    "include/vulnbus/buffer.h": SPDX + '#include <stddef.h>\n',
    "include/vulnbus/kafka.h": SPDX + '#include "vulnbus/buffer.h"\n',
    "include/vulnbus/keys.h": SPDX + '#include "vulnbus/binding.h"\n',
    "include/vulnbus/source.h": SPDX + '#include "vulnbus/buffer.h"\n',
    "tests/unit/vendors/some-vendor/a.in.json": "{}\n",
    "tests/unit/test_buffer.c": SPDX + "#include <cmocka.h>\n",
    "Makefile": "# SPDX-License-Identifier: Apache-2.0\nW := -Wvla\n",
    ".clang-format": "IndentWidth: 8\nUseTab: Always\n"
                     "Cpp11BracedListStyle: false\n",
}


def lines(count):
    return "\tx();\n" * count


# (what is wrong, where, the bad text, what lint must say)
BAD = [
    ("core includes net", "bridge/core/buffer.c",
     SPDX + '#include "vulnbus/kafka.h"\n', "core may not include net"),
    ("core includes flow", "include/vulnbus/buffer.h",
     SPDX + '#include "vulnbus/keys.h"\n', "core may not include flow"),
    ("core includes a source", "bridge/core/buffer.c",
     SPDX + '#include "vulnbus/source.h"\n', "core may not include interface"),
    ("net includes flow", "bridge/net/kafka.c",
     SPDX + '#include "vulnbus/binding.h"\n', "net may not include flow"),
    ("a source includes core", "bridge/source/some-vendor.c",
     VENDOR + '#include "vulnbus/buffer.h"\n', "a source may not include"),
    ("a source includes another's header", "bridge/source/some-vendor.c",
     SPDX + '#include "other-vendor.h"\n' + VENDOR, "a source may not include"),
    ("a second file without a first", "bridge/source/no-vendor_records.c",
     SPDX, "a vendor's name is"),
    ("a source sees a clock", "bridge/source/some-vendor.c",
     VENDOR + "#include <time.h>\n", "a source may not include time.h"),
    ("a stage includes a stage", "bridge/flow/authenticate.c",
     SPDX + '#include "vulnbus/accept.h"\n', "stage authenticate includes"),
    ("part of a stage includes a stage", "bridge/flow/authenticate_more.c",
     SPDX + '#include "vulnbus/accept.h"\n', "stage authenticate includes"),
    ("shared data includes a stage", "bridge/flow/keys.c",
     SPDX + '#include "vulnbus/accept.h"\n', "keys includes a stage"),
    ("outside the table", "bridge/flow/accept.c",
     SPDX + '#include "vulnbus/keys.h"\n', "accept may not include keys"),
    ("an unknown module of flow", "bridge/flow/novel.c", SPDX,
     "FLOW table does not know"),
    ("the tool includes a stage", "bridge/tool/tail.c",
     SPDX + '#include "vulnbus/accept.h"\n', "tool may not include flow"),
    ("another folder's private header", "bridge/flow/accept.c",
     SPDX + '#include "core/config_table.h"\n', "of the same folder"),
    ("a header of no layer", "include/vulnbus/lost.h", SPDX, "no layer"),
    ("a header from nowhere", "bridge/ingress.c",
     SPDX + '#include "vulnbus/nowhere.h"\n', "belongs to no layer"),
    ("angle brackets", "bridge/ingress.c",
     SPDX + "#include <vulnbus/accept.h>\n", "not <vulnbus/accept.h>"),
    ("headers in a circle", "include/vulnbus/buffer.h",
     SPDX + '#include "vulnbus/buffer.h"\n', "in a circle"),
    ("a second door", "bridge/core/buffer.c",
     SPDX + "#include <jansson.h>\n", "jansson.h is for bridge/core/json.c"),
    ("a door in quotes", "bridge/core/buffer.c",
     SPDX + '#include "openssl/evp.h"\n', "openssl/evp.h is for"),
    ("a library in a header", "include/vulnbus/kafka.h",
     SPDX + "#include <librdkafka/rdkafka.h>\n", "librdkafka/rdkafka.h is"),
    ("a test past a door", "tests/unit/test_buffer.c",
     SPDX + "#include <curl/curl.h>\n", "curl/curl.h is for"),
    ("cmocka in the product", "bridge/core/buffer.c",
     SPDX + "#include <cmocka.h>\n", "cmocka.h is for"),
    ("an unknown library", "bridge/core/buffer.c",
     SPDX + "#include <zlib.h>\n", "needs a door"),
    ("sprintf", "bridge/core/buffer.c", SPDX + "a = sprintf(b);\n",
     "sprintf is banned"),
    ("rand with a space", "tests/unit/test_buffer.c", SPDX + "rand ();\n",
     "rand is banned"),
    ("no -Wvla", "Makefile", "# SPDX-License-Identifier: Apache-2.0\n",
     "-Wvla"),
    ("unfinished", "bridge/core/buffer.c", SPDX + "/* TO" "DO: more */\n",
     "unfinished"),
    ("a long function", "bridge/core/buffer.c",
     SPDX + "f(void)\n{\n" + lines(FUNCTION_LINES_MAX + 1) + "}\n",
     "a function of 61 lines"),
    ("a long file", "bridge/core/buffer.c",
     SPDX + lines(FILE_LINES_MAX), "401 lines"),
    ("no licence in C", "bridge/core/buffer.c", "int x;\n", "no SPDX"),
    ("no licence in Python", "tests/a.py", "x = 1\n", "no SPDX"),
    ("no licence in a script", "tests/run", "#!/bin/sh\n", "no SPDX"),
    ("no licence in the Makefile", "Makefile", "W := -Wvla\n", "no SPDX"),
    ("a source's symbol", "bridge/source/some-vendor.c",
     VENDOR.replace("source_some_vendor", "source_other"),
     "no constant source_some_vendor"),
    ("a source's name", "bridge/source/some-vendor.c",
     VENDOR.replace('"some-vendor"', '"other"'), 'no .name = "some-vendor"'),
    ("a source without cases", "bridge/source/new.c",
     VENDOR.replace("some_vendor", "new").replace("some-vendor", "new"),
     "no cases in tests/unit/vendors/new/"),
    ("format", "bridge/core/buffer.c", SPDX + "int    x ;\n",
     "not as .clang-format"),
    ("a home folder", "README.md", "cd /ho" "me/me\n",
     "a path of one machine"),
    ("a registry without TLS", "Dockerfile",
     "RUN curl ht" "tp://deb.debian.org/x\n", "a registry without TLS"),
]

# What must not be taken for a violation.
FINE = [
    ("bridge/core/buffer.c", SPDX + "/* not sprintf(x) */\nchar s[] = "
     '"rand(";\nvoid my_rand(void);\nrandom_bytes(a, 1);\n'),
    ("bridge/core/buffer.c",
     SPDX + "f(void)\n{\n" + lines(FUNCTION_LINES_MAX) + "}\n"),
    ("bridge/flow/keys_fetch.c", SPDX + '#include "vulnbus/keys.h"\n'),
    ("bridge/core/config_read.c", SPDX + '#include "config_table.h"\n'),
    ("tests/bench/bench.c", SPDX + "#include <openssl/evp.h>\n"),
    ("README.md", "https://example.com/ho" "me/page and $DESTDIR/ro" "ot/\n"),
    ("tests/a.py", "# SPDX-License-Identifier: Apache-2.0\n"
     "mkstemp('x." + "X" * 6 + "')\n"),
]


def try_tree(tree, clang_format):
    with tempfile.TemporaryDirectory() as root:
        for name, text in tree.items():
            path = Path(root) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Lint(root, tree, clang_format).run()


def self_test(clang_format):
    failures = []
    if clang_format is None:
        failures.append("no clang-format to try")
    found = try_tree(GOOD, clang_format)
    if found:
        failures.append(f"the good tree: {found}")
    for title, name, text, expected in BAD:
        is_format = title == "format"
        found = try_tree({**GOOD, name: text},
                         clang_format if is_format else None)
        if not any(expected in said for _, _, said in found):
            failures.append(f"{title}: expected {expected!r}, got {found}")
    for name, text in FINE:
        found = try_tree({**GOOD, name: text}, None)
        if found:
            failures.append(f"fine, but refused: {name}: {found}")
    for failure in failures:
        print(f"tests/lint.py --self-test: {failure}")
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clang-format", metavar="PATH",
                        default=shutil.which("clang-format"))
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    clang_format = options.clang_format
    if clang_format is not None and os.sep in clang_format:
        clang_format = os.path.abspath(clang_format)
    if options.self_test:
        return self_test(clang_format)
    root = Path(__file__).resolve().parent.parent
    if clang_format is None:
        print("tests/lint.py: no clang-format: give one with --clang-format")
        return 1
    found = Lint(root, committed(root), clang_format).run()
    for name, line, text in found:
        print(f"{name}:{line}: {text}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
