# dnsrepl: one DNS over many PostgreSQL databases
#
#   make            build the extension            make test    run every test
#   make install    put it into PostgreSQL         make demo    see it work, in a minute
#   make help       all targets
#
# All objects lie beside their sources. They are built in one of several ways (BUILD); asking for another
# one rebuilds them. `make` and `make install` use "release"; the targets that need another choose it themselves.

EXTENSION  = dnsrepl
EXTVERSION = 1.0
MODULE_big = dnsrepl

PG_CONFIG ?= pg_config
BUILD     ?= release
JOBS      ?= $(shell nproc 2>/dev/null || echo 2)

# ---------------------------------------------------------------- sources
SOURCES := $(sort $(wildcard src/*.c src/*/*.c))
OWN_HEADERS := $(wildcard src/*.h src/*/*.h)
OBJS = $(SOURCES:.c=.o)

# The extension script, in the order in which its pieces build upon each other.
SQL_PIECES = src/dnsrepl.sql \
	src/type/dnsname.sql src/type/rrtype.sql src/type/rr.sql src/type/record.sql \
	src/store/store.sql src/store/user_table.sql src/store/policy.sql src/write/write.sql src/zone/check_zone.sql src/zone/zone_file.sql src/merge/merge.sql src/merge/guest.sql src/ship/server.sql src/ship/ship.sql \
	src/status/status.sql src/status/conflict.sql src/status/check.sql src/setup/setup.sql src/setup/adopt.sql src/grants.sql
SCRIPT = $(EXTENSION)--$(EXTVERSION).sql

DATA_built = $(SCRIPT)
EXTRA_CLEAN = $(wildcard src/*.gc?? src/*/*.gc??) $(SCRIPT) dnsrepl.map .build tmp_install test_output test/unit/bin

# ---------------------------------------------------------------- how to compile
# Server headers as system headers, so that our own warnings are about our own code.
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server 2>/dev/null) -isystem $(shell $(PG_CONFIG) --includedir 2>/dev/null)
SHLIB_LINK  = -lldns $(libpq) -Wl,--version-script=dnsrepl.map
SHLIB_PREREQS = dnsrepl.map

WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wold-style-definition \
	-Wmissing-prototypes -Wundef -Wvla -Wwrite-strings -Wformat=2 -Wcast-qual \
	-Wno-unused-parameter -Wno-missing-field-initializers -Wno-declaration-after-statement -Wno-clobbered

ifneq ($(BUILD),release)
override with_llvm := no
endif
ifeq ($(BUILD),test)
PG_CFLAGS = -DUSE_ASSERT_CHECKING
else ifeq ($(BUILD),tiny)
PG_CFLAGS = -DUSE_ASSERT_CHECKING -DTINY_BOUNDS
else ifeq ($(BUILD),ubsan)
PG_CFLAGS = -DUSE_ASSERT_CHECKING -fsanitize=undefined -fno-sanitize=alignment
SHLIB_LINK += -fsanitize=undefined
else ifeq ($(BUILD),coverage)
PG_CFLAGS = -DUSE_ASSERT_CHECKING -O0 --coverage
SHLIB_LINK += --coverage
else ifeq ($(BUILD),valgrind)
PG_CFLAGS = -DUSE_ASSERT_CHECKING -O1
else ifeq ($(BUILD),lint)
PG_CFLAGS = -DUSE_ASSERT_CHECKING -Werror $(WARNINGS)
endif

# ---------------------------------------------------------------- targets
.DEFAULT_GOAL := all
# Empty when there is nothing to build for: some packages have pgxs.mk without the server's headers.
PGXS := $(if $(wildcard $(shell $(PG_CONFIG) --includedir-server 2>/dev/null)/postgres.h),$(wildcard $(shell $(PG_CONFIG) --pgxs)))
AGAIN = +@$(MAKE) -s --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))
# exec, so that a signal to make reaches the script.
RUN = @exec env PG_CONFIG='$(PG_CONFIG)' JOBS='$(JOBS)' $(WITH) test/run

ifneq ($(PGXS),)
include $(PGXS)

# Objects are rebuilt when a header (PGXS does not track them) or the way of building changes.
$(OBJS): $(OWN_HEADERS) .build
.build: FORCE
	@echo '$(BUILD) $(PG_CFLAGS) $(VERSION)' | cmp -s - $@ || echo '$(BUILD) $(PG_CFLAGS) $(VERSION)' > $@

# Only what the server calls leaves the library; two functions of one name, ours and the server's, never meet.
dnsrepl.map: $(OBJS)
	@{ echo '{ global: _PG_init; _PG_fini; _PG_output_plugin_init; Pg_magic_func;'; \
	   nm -g --defined-only $(OBJS) | sed -n 's/^.* T pg_finfo_\(.*\)$$/pg_finfo_\1; \1;/p'; \
	   sed -n 's/^PGDLLEXPORT .*[ *]\([a-z_0-9]*\)(.*$$/\1;/p; s/^extern PGDLLEXPORT .*[ *]\([a-z_0-9]*\)(.*$$/\1;/p' \
	       $(SOURCES) $(OWN_HEADERS); \
	   echo 'local: *; };'; } > $@

$(SCRIPT): $(SQL_PIECES)
	cat $(SQL_PIECES) > $@

# The extension as installed, but under tmp_install: the tests and the demo leave the system alone.
stage: all
	@rm -rf tmp_install
	@$(MAKE) --no-print-directory -s install DESTDIR='$(CURDIR)/tmp_install' BUILD=$(BUILD) >/dev/null
else
all install stage:
	@echo 'dnsrepl: no PostgreSQL server headers (asked $(PG_CONFIG)).'
	@echo 'Run "make deps" (Debian, Ubuntu), or install the PostgreSQL server headers.'
	@exit 1
clean:
	rm -rf $(OBJS) dnsrepl.so $(EXTRA_CLEAN)
endif
FORCE:

help:
	@echo 'make                  build the extension'
	@echo 'make install          install it (PG_CONFIG=... chooses the PostgreSQL)'
	@echo 'make deps             install the Debian packages that building and testing need'
	@echo 'make test             all tests: unit, regression, isolation, several servers with PowerDNS'
	@echo 'make unit | check-regress | check-isolation | check-tap     one kind of them'
	@echo '     REGRESS="dnsname store"  ISOLATION="..."  TESTS="test/t/010_convergence.pl"     some of them'
	@echo '     OWNER=plain    with tables that belong to a role which is no superuser'
	@echo 'make torture          random games for TIME seconds (3600), or SEED=n again; BOUNDS=tiny: with steps,'
	@echo '                      batches, packs and messages of a few units'
	@echo 'make demo             three nodes, three DNS servers, a cut link'
	@echo 'make bench            what it costs, and how fast it is'
	@echo 'make lint             warnings as errors, cppcheck, include layers'
	@echo 'make ubsan | valgrind | coverage      the tests under these tools'
	@echo 'make fuzz             names, rdata and zone files of any octets, for TIME seconds (60)'
	@echo 'make clean'

deps:
	@test/lib/deps.sh install build test

need-%:
	@test/lib/deps.sh install $(subst +, ,$*)

stage-%:
	$(AGAIN) stage BUILD=$*

# What the tests choose from; unset means all. OWNER=plain: with tables whose owner is no superuser.
export TESTS REGRESS ISOLATION SEED OWNER

test: need-build+test
	$(AGAIN) stage-test unit-programs
	$(RUN) tap unit regress isolation plain
unit: need-build
	$(AGAIN) unit-programs
	$(RUN) unit
check-regress: need-build+test
	$(AGAIN) stage-test
	$(RUN) regress
check-isolation: need-build+test
	$(AGAIN) stage-test
	$(RUN) isolation
check-tap: need-build+test
	$(AGAIN) stage-test
	$(RUN) tap

# Random games for TIME seconds, or (SEED=n) that one again. BOUNDS=tiny: see AT_ONCE in src/dnsrepl.h.
torture: export TIME ?= $(if $(SEED),0,3600)
torture: export TESTS = test/t/100_property.pl
torture: export TEST_VERBOSE = 1
torture: need-build+test
	$(AGAIN) stage-$(if $(filter tiny,$(BOUNDS)),tiny,test)
	$(RUN) tap

# Alone on the machine and without our own assertions: what a user gets.
demo: need-build+demo
	@echo 'Building dnsrepl ...'
	$(AGAIN) stage-bench >/dev/null
	$(RUN) demo
bench: need-build+bench
	$(AGAIN) stage-bench
	$(RUN) bench

ubsan: WITH = UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
ubsan: need-build+test
	$(AGAIN) stage-ubsan unit-programs
	$(RUN) tap unit regress isolation
# What src/dns makes of any octets, for TIME seconds; what it finds is left in .fuzz.
fuzz: TIME ?= 60
fuzz: need-build+fuzz
	@mkdir -p .fuzz/corpus
	clang -std=gnu99 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -DUSE_ASSERT_CHECKING -DDNSREPL_NO_SERVER \
		-Isrc -o .fuzz/fuzz_dns test/fuzz/fuzz_dns.c $(wildcard src/dns/*.c) -lldns
	perl test/fuzz/seeds.pl .fuzz/corpus
	cd .fuzz && ASAN_OPTIONS=detect_leaks=0 ./fuzz_dns -max_total_time=$(TIME) -max_len=4096 -timeout=10 -detect_leaks=0 -print_final_stats=1 corpus

valgrind: WITH = DNSREPL_VALGRIND=1
valgrind: need-build+test+valgrind
	$(AGAIN) stage-valgrind
	$(RUN) regress isolation
coverage: WITH = DNSREPL_COVERAGE=1
coverage: need-build+test+coverage
	@find src -name '*.gcda' -delete
	$(AGAIN) stage-coverage
	-$(RUN) regress isolation tap
	@mkdir -p test_output
	lcov -q --capture --directory src --base-directory . --no-external --rc lcov_branch_coverage=0 -o test_output/coverage.info
	@lcov --list test_output/coverage.info

lint: need-build+lint
	$(AGAIN) all BUILD=lint
	@test/lib/layers.sh
	cppcheck --quiet --std=c99 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--include=test/lib/cppcheck.h --suppress=unknownMacro -j$(JOBS) -Isrc \
		-DUSE_ASSERT_CHECKING -DPG_VERSION_NUM=$(MAJORVERSION)0000 src
	@for f in $(wildcard test/lib/*.pm) $(wildcard test/t/*.pl); do \
		perl -Itest/lib -I"`dirname $(PGXS)`/../test/perl" -c $$f 2>&1 | grep -v ' syntax OK$$' && exit 1; done; true
	@for f in test/lib/deps.sh test/lib/layers.sh test/run .ci/run; do sh -n $$f || exit 1; done
	@for f in test/lib/site.sh test/demo/demo.sh test/bench/*.sh; do bash -n $$f || exit 1; done

# ---------------------------------------------------------------- unit tests
# Each test/unit/test_*.c is a program without a server, linked with the sources of the headers it includes
# (#include "dns/name.h": src/dns/name.c), with DNSREPL_NO_SERVER defined, under the address and undefined behaviour
# sanitizers.
UNIT_TESTS := $(patsubst test/unit/%.c,test/unit/bin/%,$(wildcard test/unit/test_*.c))
UNIT_FLAGS = -std=gnu99 -g -O1 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined -DUSE_ASSERT_CHECKING -DDNSREPL_NO_SERVER

unit-programs: $(UNIT_TESTS)
test/unit/bin/%: test/unit/%.c $(SOURCES) $(OWN_HEADERS)
	@mkdir -p test/unit/bin
	$(CC) $(UNIT_FLAGS) -Isrc -o $@ $< \
		$(wildcard $(patsubst %.h,src/%.c,$(shell sed -n 's/^#include "\([a-z_]*\/[a-z_]*\.h\)".*/\1/p' $<))) \
		$(shell sed -n 's/^.*UNIT_LIBS: *\([-a-z ]*\).*/\1/p' $<)

.PHONY: all install stage help deps test unit unit-programs check-regress check-isolation check-tap torture \
	demo bench ubsan fuzz valgrind coverage lint clean FORCE
