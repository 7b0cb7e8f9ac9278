# SPDX-License-Identifier: Apache-2.0
# `make help` lists what there is. All variants build side by side in build/.

VARIANT ?= release
BUILD   := build
OUT     := $(if $(filter release,$(VARIANT)),$(BUILD),$(BUILD)/$(VARIANT))
VENV    := $(BUILD)/venv
PY      := $(VENV)/bin/python
PROMTOOL := $(BUILD)/promtool
KAFKA_JARS := $(BUILD)/kafka
NODE    := $(BUILD)/node
GO      := $(BUILD)/go

CC      ?= gcc
# make V=1 shows the commands.
say      = $(if $(V),,@echo "  $(1)	$@";)
# Those of the options that this compiler knows for this machine.
if-known = $(foreach o,$(1),$(shell echo 'int x;' | \
	$(CC) -Werror $(o) -x c -c -o /dev/null - 2>/dev/null && echo $(o)))
PACKAGES := rdkafka libmicrohttpd gnutls jansson libcurl libcrypto yaml-0.1 libssl sqlite3 libseccomp
# msgpack-c changed its pkg-config name in 5.0 and again in 6.0.
MSGPACK := $(firstword $(foreach p,msgpack-c msgpackc msgpack,$(shell pkg-config --exists $(p) 2>/dev/null && echo $(p))))

WARNINGS := -Wall -Wextra -Wformat=2 -Wconversion -Wsign-conversion \
	-Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef \
	-Wimplicit-fallthrough -Wvla -Werror=format-security -Werror=implicit \
	-Werror=incompatible-pointer-types -Werror=int-conversion \
	$(call if-known,-Wtrampolines -Wbidi-chars=any)
# What OpenSSF's Compiler Options Hardening Guide for C and C++ asks for (what
# is not taken: bridge/README.md); tests/binaries.py looks for it in the
# binaries.
HARDEN := -fstack-protector-strong -fstack-clash-protection -fPIE \
	-fno-delete-null-pointer-checks -fno-strict-overflow \
	-fno-strict-aliasing -fexceptions \
	$(call if-known,-fcf-protection=full -mbranch-protection=standard \
		-fstrict-flex-arrays=3 -fzero-init-padding-bits=all)
CPPFLAGS_ALL := -D_GNU_SOURCE -Iinclude $(CPPFLAGS)
OPT_release := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 \
	$(call if-known,-ftrivial-auto-var-init=zero)
OPT_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined
OPT_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
OPT_coverage := -O0 -g --coverage
OPT_fuzz := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined \
	-fsanitize=address,undefined,fuzzer-no-link
LINK_release := -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack \
	-Wl,--as-needed -Wl,--no-copy-dt-needed-entries
LINK_asan := -fsanitize=address,undefined
LINK_tsan := -fsanitize=thread
# Bound at once: what binds lazily spills registers, secrets among them, onto the stack.
LINK_coverage := --coverage -Wl,-z,now
LINK_fuzz := -fsanitize=address,undefined,fuzzer
CFLAGS_ALL = -std=c17 -pthread $(WARNINGS) $(WERROR) $(HARDEN) \
	$(OPT_$(VARIANT)) -ffile-prefix-map=$(CURDIR)=. \
	$(shell pkg-config --cflags $(PACKAGES) $(MSGPACK) 2>/dev/null) $(CFLAGS)
LDLIBS_ALL = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) \
	$(filter-out -lmsgpackc,$(shell pkg-config --libs $(MSGPACK) 2>/dev/null)) \
	$(if $(shell pkg-config --libs $(MSGPACK) 2>/dev/null | grep -o msgpack-c),,-lmsgpackc)

# A name with "_" is a vendor's second file.
SOURCES := $(sort $(filter-out bridge/source/source.c,$(foreach s,$(wildcard bridge/source/*.c),$(if $(findstring _,$(notdir $(s))),,$(s)))))
SHARED  := $(wildcard bridge/core/*.c bridge/net/*.c bridge/flow/*.c bridge/source/*.c)
TOOL    := $(wildcard bridge/tool/*.c)
LIB     := $(OUT)/libvulnbus.a
obj      = $(patsubst %.c,$(OUT)/obj/%.o,$(1))
PROGRAMS := $(OUT)/vulnbus-ingress $(OUT)/vulnbus-enricher $(OUT)/vulnbus
FUZZ    := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
MANUALS := $(patsubst deploy/man/%,$(OUT)/man/%,$(wildcard deploy/man/*.[1-8]))
VERSION  = $(shell sed -n 's/.*VULNBUS_VERSION "\(.*\)".*/\1/p' include/vulnbus/version.h)
# Of the last commit: the same commit gives the same files.
# (A tarball has its time; it may be unpacked within some other repository.)
EPOCH    = $(or $(SOURCE_DATE_EPOCH),$(shell test -e .git && git log -1 --format=%ct 2>/dev/null || stat -c %Y include/vulnbus/version.h))
TESTS   := $(patsubst tests/unit/%.c,$(OUT)/tests/%,$(wildcard tests/unit/test_*.c))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

THREADS := $(if $(filter tsan,$(VARIANT)),$(call obj,tests/tsan/threads.c))
$(PROGRAMS) $(TESTS): $(THREADS)

all: $(PROGRAMS) $(MANUALS) ## build the three programs and their manuals into build/

$(OUT)/vulnbus-ingress: $(call obj,bridge/ingress.c bridge/port.c bridge/webhook.c bridge/delivery.c bridge/answer.c) $(LIB)
$(OUT)/vulnbus-enricher: $(call obj,bridge/enricher.c bridge/worker.c bridge/intake.c bridge/outcome.c bridge/reconcile.c bridge/sweep.c bridge/sweep_page.c bridge/transaction.c bridge/authorisation.c bridge/measure.c) $(LIB)
$(OUT)/vulnbus: $(call obj,bridge/vulnbus.c $(TOOL)) $(LIB)
$(PROGRAMS):
	$(call say,LINK)$(CC) $(CFLAGS_ALL) $(LINK_$(VARIANT)) $(LDFLAGS) -o $@ $^ $(LDLIBS_ALL)

$(LIB): $(call obj,$(SHARED)) $(OUT)/obj/source_list.o $(OUT)/obj/status_page.o
	@rm -f $@
	$(call say,AR)ar rcsD $@ $(sort $^)

# The vendors, in name order: adding one is adding its file.
$(OUT)/obj/source_list.c: $(SOURCES) Makefile
	@mkdir -p $(@D)
	@{ echo '#include "vulnbus/source.h"'; \
	for s in $(basename $(notdir $(SOURCES))); do \
		echo "extern const struct source source_$$(echo $$s | tr - _);"; done; \
	echo 'const struct source *const source_all[] = {'; \
	for s in $(basename $(notdir $(SOURCES))); do \
		echo "	&source_$$(echo $$s | tr - _),"; done; \
	echo '	NULL,'; echo '};'; } > $@

# The page is one file for a browser, and one text for the program.
$(OUT)/obj/status_page.c: bridge/flow/status_page.html
	@mkdir -p $(@D)
	@{ echo 'extern const char status_page[];'; echo 'const char status_page[] ='; \
	sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $<; echo ';'; } > $@

$(OUT)/obj/source_list.o $(OUT)/obj/status_page.o: $(OUT)/obj/%.o: $(OUT)/obj/%.c Makefile
	$(call say,CC)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

# Other options, other objects: hence the Makefile.
$(OUT)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(OUT)/tests/%: tests/unit/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(CPPFLAGS_ALL) -Itests/unit $(CFLAGS_ALL) $(LINK_$(VARIANT)) -MMD -MP -o $@ $< $(THREADS) $(LIB) \
		$(LDLIBS_ALL) -lcmocka

$(OUT)/bench-%: tests/bench/%.c $(wildcard tests/bench/*.h) $(LIB)
	$(call say,LINK)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LINK_$(VARIANT)) -o $@ $< $(LIB) $(LDLIBS_ALL)

$(OUT)/fuzz-%: tests/fuzz/fuzz_%.c tests/fuzz/fuzz.h tests/fuzz/record.h $(LIB)
	$(call say,LINK)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LINK_$(VARIANT)) -o $@ $< $(LIB) $(LDLIBS_ALL)

$(OUT)/replay-%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c tests/fuzz/fuzz.h tests/fuzz/record.h $(LIB)
	$(call say,LINK)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LINK_$(VARIANT)) -o $@ $(filter %.c,$^) $(LIB) $(LDLIBS_ALL)

# Unit tests and corpora once more, with memory that runs out on command.
TORTURE := $(patsubst tests/unit/%.c,$(OUT)/torture/%,$(filter-out tests/unit/test_tool%,$(wildcard tests/unit/test_*.c)))
TORTURE_CORPORA := $(addprefix $(OUT)/torture/fuzz_,$(FUZZ))

.PRECIOUS: $(OUT)/torture/%.o
# Without sanitizers: what allocates comes before them.
$(OUT)/torture/%.o: tests/torture/%.c $(wildcard tests/torture/*.h)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -fno-sanitize=all -c -o $@ $<

$(OUT)/torture/test_%: tests/unit/test_%.c $(wildcard tests/unit/*.h) \
		$(addprefix $(OUT)/torture/,torture.o memory.o unit.o) $(LIB)
	$(call say,LINK)$(CC) $(CPPFLAGS_ALL) -Itests/unit $(CFLAGS_ALL) $(LINK_$(VARIANT)) \
		-include tests/torture/torture.h -Wl,--wrap=abort -o $@ $(filter-out %.h,$^) $(LDLIBS_ALL) -lcmocka

$(OUT)/torture/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c tests/fuzz/fuzz.h \
		$(addprefix $(OUT)/torture/,torture.o memory.o replay.o) $(LIB)
	$(call say,LINK)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LINK_$(VARIANT)) \
		-include tests/torture/torture.h -DFUZZ_GIVE_UP=torture_notice \
		-Wl,--wrap=abort,--wrap=LLVMFuzzerTestOneInput -o $@ $(filter-out %.h,$^) $(LDLIBS_ALL)

# The time of the commit, a new file only when it is another time.
$(OUT)/obj/epoch: FORCE
	@mkdir -p $(@D)
	@echo $(EPOCH) | cmp -s - $@ || echo $(EPOCH) > $@

# Keys, commands and options are the programs' own tables.
$(OUT)/man/%: deploy/man/% $(OUT)/vulnbus $(OUT)/obj/epoch
	@mkdir -p $(@D)
	@$(OUT)/vulnbus config-reference --mdoc > $@.keys
	@$(OUT)/vulnbus help --mdoc > $@.commands
	@sed -e '/^@KEYS@$$/{r $@.keys' -e 'd}' -e '/^@COMMANDS@$$/{r $@.commands' -e 'd}' \
		-e 's/@VERSION@/$(VERSION)/' \
		-e "s/@DATE@/$$(LC_ALL=C date -u -d @$(EPOCH) '+%B %-d, %Y')/" $< > $@
	@rm $@.keys $@.commands

-include $(shell find $(OUT)/obj $(OUT)/tests -name '*.d' 2>/dev/null)

# --- what the checks need ---------------------------------------------------

deps: ## install what building and testing needs (Debian, as root or with sudo)
	@tests/install-dependencies build

test-deps: deps ## and what the system tests need: a venv and Apache Kafka
	@tests/install-dependencies test
	@$(MAKE) --no-print-directory $(VENV)/.ready $(KAFKA_JARS)/.ready $(READERS) $(PROMTOOL)

$(PROMTOOL):
	@mkdir -p $(@D)
	@tests/install-dependencies promtool $@

$(VENV)/.ready: tests/requirements.txt
	@echo "installing the Python packages of tests/requirements.txt"
	@python3 -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(KAFKA_JARS)/.ready: tests/kafka/pom.xml
	@echo "fetching Apache Kafka"
	@mkdir -p $(KAFKA_JARS)
	@mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(KAFKA_JARS)
	@touch $@

# Other people's readers. Go keeps its modules read-only unless told otherwise, and would fetch another
# Go for a module that asks for one.
GO_ENV  := GOPATH=$(CURDIR)/$(GO) GOCACHE=$(CURDIR)/$(GO)/cache GOFLAGS=-modcacherw GOTOOLCHAIN=local
READERS := $(NODE)/.ready $(GO)/.ready
WITH_READERS := VULNBUS_NODE=$(CURDIR)/$(NODE) VULNBUS_GO=$(CURDIR)/$(GO)

$(NODE)/.ready: tests/node/package.json tests/node/package-lock.json tests/node/.npmrc
	@echo "installing the npm packages of tests/node"
	@mkdir -p $(NODE)
	@cp $^ $(NODE)
	@cd $(NODE) && npm ci --loglevel=error
	@touch $@

$(GO)/.ready: tests/go/go.mod tests/go/go.sum $(wildcard tests/go/*/*.go)
	@echo "building the Go programs of tests/go"
	@mkdir -p $(GO)
	@cd tests/go && $(GO_ENV) go build -o $(CURDIR)/$(GO)/bin/ ./...
	@touch $@

# --- checks -----------------------------------------------------------------

CHAOS = VULNBUS_BUILD=$(CURDIR)/$(OUT) VULNBUS_KAFKA_JARS=$(CURDIR)/$(KAFKA_JARS) TZ=UTC \
	$(PY) tests/chaos/chaos.py

check: ## everything .ci/run does: install, build, lint, unit, system, deployment and package tests
	@$(MAKE) --no-print-directory test-deps
	@$(MAKE) --no-print-directory all WERROR=-Werror
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory $(or $(ANALYSED),not-analysed)
	@$(MAKE) --no-print-directory model
	@$(MAKE) --no-print-directory binaries check-dist
	@$(MAKE) --no-print-directory dependencies
	@$(MAKE) --no-print-directory unit corpora WERROR=-Werror
	@$(MAKE) --no-print-directory torture-check
	@$(MAKE) --no-print-directory schemas
	@$(MAKE) --no-print-directory system
	@$(MAKE) --no-print-directory chaos-check
	@$(MAKE) --no-print-directory demo-check
	@$(MAKE) --no-print-directory check-deploy
	@$(MAKE) --no-print-directory check-package

unit: $(TESTS) ## unit tests (cmocka)
	@set -e; for t in $(TESTS); do echo "== $$t"; \
		CMOCKA_MESSAGE_OUTPUT=STDOUT TZ=UTC LC_ALL=C $$t; done

system: $(VENV)/.ready $(KAFKA_JARS)/.ready $(READERS) $(PROMTOOL) all $(OUT)/bench-load ## system tests (pytest, a real Kafka)
	VULNBUS_BUILD=$(CURDIR)/$(OUT) VULNBUS_KAFKA_JARS=$(CURDIR)/$(KAFKA_JARS) TZ=UTC $(WITH_READERS) \
		$(PY) -m pytest -q tests/system $(PYTEST_ARGS)

schemas: $(VENV)/.ready $(READERS) ## the schemas, by validators of three languages, and their versioning law
	@TZ=UTC $(WITH_READERS) $(PY) -m pytest -q tests/schemas

examples: $(VENV)/.ready $(KAFKA_JARS)/.ready all ## write the examples of schemas/ and README.md: what the programs make
	@VULNBUS_BUILD=$(CURDIR)/$(OUT) VULNBUS_KAFKA_JARS=$(CURDIR)/$(KAFKA_JARS) TZ=UTC VULNBUS_WRITE_EXAMPLES=1 \
		$(PY) -m pytest -q tests/system/test_examples.py

release-schemas: $(VENV)/.ready ## keep today's schemas as those of this version: schemas/released/
	@$(PY) tests/schemas/law.py --release

chaos: $(VENV)/.ready $(KAFKA_JARS)/.ready all ## the promises under faults: S=120 SEED=7 MODE=three|one|both
	@$(CHAOS) --seconds $(or $(S),60) $(addprefix --seed ,$(SEED)) --mode $(or $(MODE),three) \
		$(CHAOS_ARGS)

chaos-check: $(VENV)/.ready $(KAFKA_JARS)/.ready all ## the same, short, with a fixed seed
	@$(CHAOS) --seconds 32 --seed 4340 --mode three

check-package: $(VENV)/.ready $(KAFKA_JARS)/.ready ## the package in clean Debian systems: RELEASES="bookworm trixie"; as root
	@tests/install-dependencies roots
	@VULNBUS_KAFKA_JARS=$(CURDIR)/$(KAFKA_JARS) TZ=UTC $(PY) tests/package/check.py $(RELEASES)

outage: $(VENV)/.ready $(KAFKA_JARS)/.ready all $(OUT)/bench-load ## full load while Kafka is away: memory, answers (S=600)
	@VULNBUS_BUILD=$(CURDIR)/$(OUT) VULNBUS_KAFKA_JARS=$(CURDIR)/$(KAFKA_JARS) \
		$(PY) tests/chaos/outage.py --seconds $(or $(S),60)

# Containers need root.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo -n)
DEPLOY_PYTEST = env PYTHONPATH=$(BUILD)/deploy/python VULNBUS_BUILD=$(CURDIR)/$(OUT) \
	VULNBUS_KAFKA_JARS=$(CURDIR)/$(KAFKA_JARS) TZ=UTC $(PY) -m pytest -q

check-deploy: check-monitoring check-chart check-sbom check-image ## all of deploy/ but the package

check-chart: ## render the chart, let others judge it; the compose file too
	@$(MAKE) --no-print-directory test-deps
	@$(MAKE) --no-print-directory all
	@tests/install-dependencies chart
	@$(MAKE) --no-print-directory $(BUILD)/deploy/.tools
	@$(DEPLOY_PYTEST) tests/deploy/test_chart.py tests/deploy/test_compose.py

check-sbom: ## what a release says it is made of, by CycloneDX's validator and the programs
	@$(MAKE) --no-print-directory test-deps
	@$(MAKE) --no-print-directory -s dist
	@tests/install-dependencies chart
	@$(MAKE) --no-print-directory $(BUILD)/deploy/.tools
	@$(DEPLOY_PYTEST) tests/deploy/test_sbom.py

check-image: ## build the image, look into it, run it, alone and as the chart's pods
	@$(MAKE) --no-print-directory test-deps
	@$(MAKE) --no-print-directory all
	@tests/install-dependencies chart
	@tests/install-dependencies image
	@$(MAKE) --no-print-directory $(BUILD)/deploy/.tools
	@$(AS_ROOT) $(DEPLOY_PYTEST) tests/deploy/test_image.py tests/deploy/test_image_in_pods.py

$(BUILD)/deploy/.tools: tests/deploy/install-tools tests/deploy/requirements.txt \
		$(wildcard tests/deploy/admission/*) | $(VENV)/.ready
	@tests/deploy/install-tools $(BUILD)/deploy $(CURDIR)/$(PY)
	@touch $@

chart-files: all ## what in the chart is made from the programs and from deploy/
	@VULNBUS_BUILD=$(CURDIR)/$(OUT) $(PY) tests/deploy/chart_files.py

test: unit corpora system ## unit tests, what fuzzing found, system tests

asan: ## unit and system tests under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory VARIANT=asan all unit corpora system

tsan: ## unit tests under ThreadSanitizer
	@$(MAKE) --no-print-directory VARIANT=tsan all unit

# Those in which threads meet. What ThreadSanitizer says goes into files, of daemons that a test kills, too.
RACED_BY := $(foreach t,notifications unsigned spool keys config_swap start_stop kafka_outage rolling rebalance \
	siege metrics status_page,tests/system/test_$(t).py)

tsan-system: $(VENV)/.ready $(KAFKA_JARS)/.ready $(PROMTOOL) ## system tests with daemons under ThreadSanitizer (T=tests/system/test_keys.py)
	@$(MAKE) --no-print-directory VARIANT=tsan all $(BUILD)/tsan/bench-load
	@rm -rf $(BUILD)/tsan/reports && mkdir -p $(BUILD)/tsan/reports
	@failed=0; VULNBUS_BUILD=$(CURDIR)/$(BUILD)/tsan VULNBUS_KAFKA_JARS=$(CURDIR)/$(KAFKA_JARS) TZ=UTC \
		VULNBUS_SLOW=4 TSAN_OPTIONS="log_path=$(CURDIR)/$(BUILD)/tsan/reports/report exitcode=0" \
		$(PY) -m pytest -q $(or $(T),$(RACED_BY)) || failed=1; \
	python3 tests/tsan/judge.py $(BUILD)/tsan/reports || failed=1; exit $$failed

torture: ## each unit test of core, flow and source and each corpus with the 1st, 2nd, 3rd ... allocation failing (T=json)
	@$(MAKE) --no-print-directory -k -O -j$$(nproc) VARIANT=asan torture-run

TORTURED := $(notdir $(TORTURE) $(TORTURE_CORPORA))
TORTURED := $(addprefix torture-of-,$(if $(T),$(filter $(addprefix %_,$(T)),$(TORTURED)),$(TORTURED)))

torture-run: $(TORTURED)
	@$(if $^,,echo "T is one of: $(sort $(patsubst fuzz_%,%,$(patsubst test_%,%,$(notdir $(TORTURE) $(TORTURE_CORPORA)))))"; exit 64)

$(TORTURED): torture-of-%: $(OUT)/torture/%
	@printf '%s: ' $*; CMOCKA_MESSAGE_OUTPUT=STDOUT TZ=UTC LC_ALL=C $< \
		$(patsubst fuzz_%,tests/fuzz/corpus/%,$(filter fuzz_%,$*))

# In two minutes: the parsers, whose unit tests bear the names of the corpora.
torture-check: ## the same, of the parsers alone
	@$(MAKE) --no-print-directory torture T="$(FUZZ)"

# Of the system tests those that between them go all ways of the stages, in a few minutes.
COVERED_BY := $(foreach t,notifications unsigned enricher keys oauth2 credentials status_page spool \
	retries ocsf bad_tokens sweeps rebalance,tests/system/test_$(t).py)

coverage: $(VENV)/.ready $(KAFKA_JARS)/.ready ## lines that the tests reach; under 90 % in core, flow or source is an error
	@find $(BUILD)/coverage -name '*.gcda' -delete 2>/dev/null || true
	@$(MAKE) --no-print-directory VARIANT=coverage all unit corpora
	@VULNBUS_BUILD=$(CURDIR)/$(BUILD)/coverage VULNBUS_KAFKA_JARS=$(CURDIR)/$(KAFKA_JARS) TZ=UTC \
		$(PY) -m pytest -q $(or $(T),$(COVERED_BY))
	@$(MAKE) --no-print-directory coverage-report

coverage-report:
	@failed=0; for room in core flow source; do echo "== bridge/$$room"; \
		gcovr -r . --filter "bridge/$$room/" --fail-under-line 90 \
			$(BUILD)/coverage || failed=1; done; exit $$failed

fuzz: ## fuzz one parser with clang: F=jws S=60 (seconds)
	@$(if $(filter $(F),$(FUZZ)),,echo "F is one of: $(FUZZ)"; exit 64)
	@$(MAKE) --no-print-directory VARIANT=fuzz CC=clang $(BUILD)/fuzz/fuzz-$(F)
	@mkdir -p $(BUILD)/fuzz/found/$(F)
	$(BUILD)/fuzz/fuzz-$(F) -max_total_time=$(or $(S),60) -timeout=10 -rss_limit_mb=1024 \
		$(addprefix -dict=,$(wildcard tests/fuzz/$(F).dict)) \
		-artifact_prefix=$(BUILD)/fuzz/$(F)- \
		$(BUILD)/fuzz/found/$(F) tests/fuzz/corpus/$(F)

corpora: $(addprefix $(OUT)/replay-,$(FUZZ)) ## what fuzzing found, replayed by any compiler
	@set -e; for f in $(FUZZ); do printf '%s: ' $$f; \
		$(OUT)/replay-$$f tests/fuzz/corpus/$$f; done

lint: $(VENV)/.ready ## layout, doors, banned functions, sizes, formatting
	@$(PY) tests/lint.py --clang-format $(VENV)/bin/clang-format --self-test
	@$(PY) tests/lint.py --clang-format $(VENV)/bin/clang-format

ANALYSE = python3 tests/analyse/analyse.py
ANALYSE_FLAGS = -- -std=c17 -pthread $(CPPFLAGS_ALL) $(shell pkg-config --cflags $(PACKAGES) $(MSGPACK))

# Other systems have other analysers, or other headers, and so other findings.
ANALYSED = $(if $(shell grep -E '^VERSION_CODENAME=(bookworm|trixie)$$' /etc/os-release),analyse)

not-analysed:
	@echo "NOT ANALYSED: tests/analyse/accepted is for Debian 12 and 13"

analyse: ## gcc -fanalyzer, clang-tidy, cppcheck: no finding without a reason
	@tests/install-dependencies analyse
	@$(ANALYSE) --self-test $(ANALYSE_FLAGS)
	@$(ANALYSE) $(ANALYSE_FLAGS)

binaries: all ## how the programs are hardened
	@python3 tests/binaries.py $(OUT)

check-dist: dist ## a release, made again and built elsewhere: the same bytes
	@python3 tests/dist.py $(BUILD)/dist

dependencies: all ## what .github/DEPENDENCIES.md says of them
	@python3 tests/dependencies.py $(OUT)

check-monitoring: $(PROMTOOL) $(OUT)/vulnbus ## alerts, dashboard, run book, table of metrics
	@python3 tests/deploy/monitoring.py $(PROMTOOL) $(OUT)/vulnbus

metrics: $(OUT)/vulnbus ## write deploy/metrics.md anew
	@$(OUT)/vulnbus metrics-reference > deploy/metrics.md

model: ## the take-over protocol, every interleaving of it (spin)
	@python3 tests/model/check.py

format: $(VENV)/.ready ## rewrite the C files as .clang-format has it
	@$(VENV)/bin/clang-format -i $$(git ls-files -co --exclude-standard '*.c' '*.h')

# --- installation -----------------------------------------------------------

# By the FHS: daemons are /usr/sbin's, what anybody may run /usr/bin's. The
# configuration is /etc/vulnbus/vulnbus.yaml whatever PREFIX says; make install
# leaves it alone.
PREFIX   ?= /usr/local
LIBDIR   ?= $(PREFIX)/lib
SHAREDIR ?= $(PREFIX)/share
UNITDIR  ?= $(LIBDIR)/systemd/system
ZSHDIR   ?= $(SHAREDIR)/zsh/site-functions
# Everybody may read it, whatever the caller's umask.
OPEN     := umask 022;

install: all ## install under PREFIX (/usr/local); DESTDIR=folder for packages
	install -D -t $(DESTDIR)$(PREFIX)/sbin $(filter-out $(OUT)/vulnbus,$(PROGRAMS))
	install -D -t $(DESTDIR)$(PREFIX)/bin $(OUT)/vulnbus
	set -e; for page in $(MANUALS); do \
		install -D -m 644 -t $(DESTDIR)$(SHAREDIR)/man/man$${page##*.} $$page; done
	install -D -m 644 -t $(DESTDIR)$(LIBDIR)/sysusers.d deploy/sysusers.d/vulnbus.conf
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SHAREDIR)/vulnbus/schemas $(DESTDIR)$(ZSHDIR) \
		$(DESTDIR)$(SHAREDIR)/bash-completion/completions \
		$(DESTDIR)$(SHAREDIR)/fish/vendor_completions.d \
		$(DESTDIR)$(SHAREDIR)/doc/vulnbus/examples
	$(OPEN) set -e; for unit in $(notdir $(wildcard deploy/systemd/*.service)); do \
		sed 's|/usr/sbin/|$(PREFIX)/sbin/|' deploy/systemd/$$unit > $(DESTDIR)$(UNITDIR)/$$unit; done
	$(OPEN) cd schemas && find . -name '*.json' -o -name '*.yaml' | while read -r file; do \
		install -D -m 644 $$file $(abspath $(DESTDIR)/$(SHAREDIR))/vulnbus/schemas/$$file || \
		exit 1; done
	$(OPEN) $(OUT)/vulnbus completion bash > $(DESTDIR)$(SHAREDIR)/bash-completion/completions/vulnbus
	$(OPEN) $(OUT)/vulnbus completion zsh > $(DESTDIR)$(ZSHDIR)/_vulnbus
	$(OPEN) $(OUT)/vulnbus completion fish > $(DESTDIR)$(SHAREDIR)/fish/vendor_completions.d/vulnbus.fish
	$(OPEN) $(OUT)/vulnbus config-example > $(DESTDIR)$(SHAREDIR)/doc/vulnbus/examples/vulnbus.yaml

# What install would put there is taken away, and the folders that are ours.
uninstall: ## take away what install put there
	@rm -rf $(BUILD)/uninstall
	@$(MAKE) -s install DESTDIR=$(CURDIR)/$(BUILD)/uninstall >/dev/null
	cd $(BUILD)/uninstall && find . -type f -printf '%P\n' | while read -r file; do \
		rm -f "$(DESTDIR)/$$file"; done
	cd $(BUILD)/uninstall && find . -depth -type d -path '*/vulnbus*' -printf '%P\n' | \
		while read -r folder; do \
		rmdir --ignore-fail-on-non-empty "$(DESTDIR)/$$folder"; done
	@rm -rf $(BUILD)/uninstall

deb: ## a Debian package, into build/deb/
	@tests/install-dependencies build
	@tests/install-dependencies package
	@rm -rf $(BUILD)/deb
	@deploy/debian/assemble $(BUILD)/deb/vulnbus
	cd $(BUILD)/deb/vulnbus && dpkg-buildpackage -b -us -uc
	lintian --fail-on error,warning $(BUILD)/deb/*.changes

# What differs from the last commit has another name.
DIRTY    = $(if $(shell test -e .git && git status --porcelain -unormal),+dirty)
COMMIT   = $(if $(DIRTY),,$(shell test -e .git && git rev-parse HEAD))

sbom: all ## what the programs are made of (CycloneDX): build/vulnbus-VERSION.cdx.json
	@rm -f $(BUILD)/vulnbus-*.cdx.json
	@$(OPEN) SOURCE_DATE_EPOCH=$(EPOCH) COMMIT=$(COMMIT) deploy/image/sbom $(VERSION)$(DIRTY) --programs $(PROGRAMS) \
		> $(BUILD)/vulnbus-$(VERSION)$(DIRTY).cdx.json

dist: sbom ## a release, of the last commit: tarball, list and SHA256SUMS, into build/dist/
	@rm -rf $(BUILD)/dist && install -d $(BUILD)/dist
	@$(OPEN) deploy/dist vulnbus-$(VERSION)$(DIRTY) $(BUILD)/dist
	@$(OPEN) cp $(BUILD)/vulnbus-$(VERSION)$(DIRTY).cdx.json $(BUILD)/dist
	@$(OPEN) cd $(BUILD)/dist && sha256sum vulnbus-* > SHA256SUMS && cat SHA256SUMS

# --- use --------------------------------------------------------------------

demo: ## build and show everything in one terminal (KAFKA=host:port: on a real cluster)
	@$(MAKE) --no-print-directory -s deps
	@$(MAKE) --no-print-directory -s all
	@$(OUT)/vulnbus demo $(if $(KAFKA),--kafka $(KAFKA)) $(DEMO_ARGS)

demo-check: all
	@$(OUT)/vulnbus demo

bench: ## speed and memory, beside the bare libraries in the same run
	@$(MAKE) --no-print-directory test-deps
	@$(MAKE) --no-print-directory all $(addprefix $(OUT)/bench-,verify malformed load bare round-trip produce)
	@VULNBUS_BUILD=$(CURDIR)/$(OUT) VULNBUS_KAFKA_JARS=$(CURDIR)/$(KAFKA_JARS) TZ=UTC \
		$(PY) tests/bench/bench.py $(BENCH_ARGS)
	@VULNBUS_BUILD=$(CURDIR)/$(OUT) VULNBUS_KAFKA_JARS=$(CURDIR)/$(KAFKA_JARS) TZ=UTC \
		$(PY) tests/bench/enricher.py $(ENRICHER_ARGS)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

clean: ## remove build/
	rm -rf $(BUILD) || sudo rm -rf $(BUILD) # check-package leaves root's files

.PHONY: FORCE all analyse deps test-deps check unit system schemas examples release-schemas chaos chaos-check outage test asan tsan lint binaries model format demo demo-check bench help clean fuzz torture torture-check torture-run coverage coverage-report tsan-system corpora install uninstall deb sbom dist check-dist check-sbom check-package check-deploy check-monitoring check-chart check-image chart-files metrics not-analysed dependencies
