# Keersluis. `make help` lists the targets. One non-recursive Makefile; every variant builds in build/<variant>/.
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
VERSION  := 0.1.0
V        ?= release
B        := build/$(V)
GEN      := build/gen
CC       ?= cc
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG    ?= clang
PKG      := pkg-config
# Tests and benchmarks start the daemon, in a container often as the only user there is.
export KEER_ALLOW_ROOT ?= yes

# --- flags -------------------------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wpointer-arith -Wcast-align -Wcast-qual -Wwrite-strings -Wundef -Wformat=2 -Wformat-security -Wvla \
        -Wimplicit-fallthrough -Wnull-dereference -Wno-pedantic
WERROR ?=
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIC
LDHARDEN := -Wl,-z,relro,-z,now -Wl,-z,noexecstack
OPT.release := -O2 -g -D_FORTIFY_SOURCE=3 $(HARDEN)
OPT.debug   := -O0 -g3 $(HARDEN)
OPT.asan    := -O1 -g -fPIC -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
OPT.tsan    := -O1 -g -fPIC -fno-omit-frame-pointer -fsanitize=thread
OPT.cov     := -O0 -g -fPIC --coverage
OPT.fuzz    := -O1 -g -fPIC -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
               -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
OPT := $(OPT.$(V))
CPPFLAGS := -Iinclude -Isrc -I$(GEN) -D_GNU_SOURCE -DKEER_BUILDING -DKEER_VERSION=\"$(VERSION)\"
# What the sanitizers and gcov do at run time is not in the sandbox's list.
CPPFLAGS += $(if $(filter asan tsan cov fuzz,$(V)),-DKEER_NO_SANDBOX)
CFLAGS  += -std=gnu17 -ffp-contract=off -fvisibility=hidden $(WARN) $(WERROR) $(OPT)
comma := ,
LDFLAGS += $(filter -fsanitize=% --coverage,$(subst fuzzer-no-link$(comma),,$(OPT))) $(LDHARDEN)
# Sanitized programs are large, and there are a hundred: lld links one in half the time.
LDFLAGS += $(if $(filter asan,$(V)),$(if $(shell command -v ld.lld),-fuse-ld=lld))
ifeq ($(V),fuzz)
CC := clang
LDFLAGS := -fsanitize=address,undefined
endif
LIBS_LIB := -lm
# libxgboost is C++ and is loaded later: the sanitizers want its run-time library from the start.
LIBS_SAN := $(if $(filter asan tsan,$(V)),-Wl$(comma)--no-as-needed -lstdc++)
# The daemon's libraries: the program has them, libkeer does not.
LIBS_DAEMON := -lmicrohttpd -lgnutls -lcurl -lsqlite3 -lpq -lsodium -lseccomp -lmaxminddb
LIBS_DAEMON += -lcrypto
LIBS_DAEMON += -lqrencode
LIBS_DAEMON += -lzxcvbn
LIBS_BIN := $(LIBS_LIB) $(LIBS_DAEMON) -ldl -lpthread $(LIBS_SAN)
# jansson reads what the program writes, and judges our own reader of JSON: for the unit tests alone.
LIBS_TEST = $(shell $(PKG) --libs check 2>/dev/null || echo -lcheck) -ljansson

# --- sources -----------------------------------------------------------------------------------------------------
SRC_TOOLS_BASE := $(wildcard src/base/crypto*.c) src/base/base64.c src/base/histogram.c src/base/id.c src/base/log.c
SRC_LIB   := $(filter-out $(SRC_TOOLS_BASE),$(wildcard src/base/*.c)) $(wildcard src/core/*.c src/core/policy/*.c)
SRC_DIRS  := ledger learn sim store store/sqlite store/postgres net jose http account stepup oidc wallet wallet/alipay wallet/wechatpay wallet/antom emulator flow api
SRC_TOOLS := $(SRC_TOOLS_BASE) $(foreach d,$(SRC_DIRS),$(wildcard src/$(d)/*.c))
SRC_CLI   := $(wildcard src/cli/*.c)
GEN_C     := $(GEN)/policy_lexer.c $(GEN)/policy_grammar.c
PAGES     := web/hosted/layout.html web/hosted/style.css web/hosted/mark.svg $(sort $(wildcard web/hosted/pages/*.html web/hosted/js/*.js))
OBJ_LIB   := $(SRC_LIB:%.c=$(B)/%.o) $(GEN_C:build/%.c=$(B)/%.o)
OBJ_TOOLS := $(SRC_TOOLS:%.c=$(B)/%.o) $(B)/gen/pages.o
OBJ_MAIN  := $(B)/src/cli/main.o
OBJ_CLI   := $(filter-out $(OBJ_MAIN),$(SRC_CLI:%.c=$(B)/%.o))
TESTS     := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/*_test.c))
FUZZERS   := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
REPLAYS   := $(FUZZERS:%=$(B)/tests/replay-%)
BENCHES   := $(patsubst bench/micro/%.c,$(B)/bench/%,$(wildcard bench/micro/*_bench.c))
WRAP      := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
WRAP_DB   := -Wl,--wrap=db_begin,--wrap=db_step,--wrap=db_put,--wrap=db_commit
WRAP_SIM  := $(WRAP_DB) -Wl,--wrap=desk_write,--wrap=desk_read,--wrap=desk_decide,--wrap=desk_decide_text,--wrap=desk_wall_us,--wrap=desk_log,--wrap=wallets_find
OBJ_SIM   := $(patsubst %.c,$(B)/%.o,$(wildcard tests/sim/*.c))

JUDGE     := $(if $(wildcard /usr/include/fido.h),$(B)/tests/webauthn-judge)

.PHONY: all help lib demo timing test unit guess sim sim-bugs sim-traces bound rig-bins unit-bins crash crash-disk crash-pg money bench-load bench-overload bench-charges pay-parallel integration asan asan-http tsan cov bench bench-peers docs check-docs lint layers install \
        uninstall clean deps format headers
all: $(B)/keer $(B)/libkeer.a $(B)/libkeer.so.0 $(B)/keer.pc

help: ## this list
	@grep -hE '^[a-z%-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 16

# --- build -------------------------------------------------------------------------------------------------------
$(GEN)/policy_lexer.c: src/core/policy/lexer.re
	@mkdir -p $(@D)
	re2c -W -Wno-nondeterministic-tags --no-generation-date -i -o $@ $<
$(GEN)/policy_grammar.c: src/core/policy/grammar.y
	@mkdir -p $(@D)
	lemon -q -l -d$(GEN) $<
	mv $(GEN)/grammar.c $@
	mv $(GEN)/grammar.h $(GEN)/policy_grammar.h
$(GEN)/policy_grammar.h: $(GEN)/policy_grammar.c ;
$(SRC_LIB:%.c=$(B)/%.o) $(B)/gen/policy_lexer.o: $(GEN)/policy_grammar.h
# The hosted pages: a program of ours puts them, in every language, into one file of C.
$(GEN)/embed: tools/embed.c web/hosted/strings.def
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O1 -Wall -Wextra $(WERROR) -Iweb/hosted -o $@ $<
$(GEN)/pages.c: $(GEN)/embed $(PAGES)
	$(GEN)/embed $@ $(PAGES)
# Generated code is not ours to style: the warnings about conversions and missing cases are off for it alone.
$(B)/gen/%.o: build/gen/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-conversion -Wno-sign-conversion -Wno-null-dereference -Wno-unused-parameter \
	  -Wno-unused-variable -Wno-missing-prototypes -Wno-cast-qual -Wno-implicit-fallthrough \
	  -Wno-unreachable-code -MMD -MP -c -o $@ $<
$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(EXTRA_$(notdir $*)) -MMD -MP -c -o $@ $<

$(B)/libkeer.a: $(OBJ_LIB)
	@rm -f $@
	ar rcsD $@ $^
$(B)/libkeer.so.0: $(OBJ_LIB) include/keer/libkeer.map
	$(CC) -shared -Wl,-soname,libkeer.so.0 -Wl,--version-script=include/keer/libkeer.map -o $@ $(OBJ_LIB) $(LDFLAGS) $(LIBS_LIB)
$(B)/libtools.a: $(OBJ_TOOLS)
	@rm -f $@
	ar rcsD $@ $^
$(B)/libcli.a: $(OBJ_CLI)
	@rm -f $@
	ar rcsD $@ $^
$(B)/keer: $(OBJ_MAIN) $(B)/libcli.a $(B)/libtools.a $(B)/libkeer.a
	$(CC) -pie -o $@ $^ $(LDFLAGS) $(LIBS_BIN)
$(B)/keer.pc: Makefile
	@mkdir -p $(@D)
	@printf 'prefix=%s\nlibdir=$${prefix}/lib\nincludedir=$${prefix}/include\n\nName: keer\nDescription: Keersluis decision engine\nVersion: %s\nLibs: -L$${libdir} -lkeer\nLibs.private: -lm\nCflags: -I$${includedir}\n' '$(PREFIX)' '$(VERSION)' > $@

# --- tests -------------------------------------------------------------------------------------------------------
$(B)/tests/%_test: $(B)/tests/unit/%_test.o $(B)/tests/lib/oom.o $(B)/tests/lib/db_fail.o $(B)/tests/lib/test_main.o $(B)/libcli.a $(B)/libtools.a $(B)/libkeer.a
	$(CC) -o $@ $(filter-out %.a,$^) $(B)/libcli.a $(B)/libtools.a $(B)/libkeer.a $(LDFLAGS) $(WRAP) $(WRAP_DB) $(LIBS_TEST) $(LIBS_BIN)
# What a target replaces of the program: signatures, where they would take all the time.
WRAP_FUZZ_appstore_payload := -Wl,--wrap=x5c_verify,--wrap=crypto_cert_der,--wrap=crypto_cert_free
$(B)/tests/replay-%: $(B)/tests/fuzz/%_fuzz.o $(B)/tests/lib/fuzz_replay.o $(B)/libtools.a $(B)/libkeer.a
	$(CC) -o $@ $(filter-out %.a,$^) $(B)/libtools.a $(B)/libkeer.a $(LDFLAGS) $(WRAP_FUZZ_$*) $(LIBS_BIN)
$(B)/libfuzzer-%: $(B)/tests/fuzz/%_fuzz.o $(B)/libtools.a $(B)/libkeer.a
	$(CC) -fsanitize=fuzzer -o $@ $^ $(LDFLAGS) $(WRAP_FUZZ_$*) $(LIBS_BIN)
# libfido2 judges ceremonies in this program alone. Without it there is no judge, and its test says so.
$(B)/tests/webauthn-judge: $(B)/tests/webauthn/judge.o $(B)/libtools.a $(B)/libkeer.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(LDFLAGS) -lfido2 $(LIBS_BIN)
$(B)/tests/sim/sim: $(OBJ_SIM) $(B)/libtools.a $(B)/libkeer.a
	$(CC) -o $@ $^ $(LDFLAGS) $(WRAP_SIM) $(LIBS_BIN)
$(B)/bench/http-load: $(B)/bench/load/load.o
	$(CC) -o $@ $^ $(LDFLAGS)
$(B)/bench/stalls: $(B)/bench/load/stalls.o
	$(CC) -o $@ $^ $(LDFLAGS)
$(B)/bench/http-empty: $(B)/bench/load/empty.o
	$(CC) -o $@ $^ $(LDFLAGS) -lmicrohttpd
$(B)/tests/mmdb-make: $(B)/tests/geoip/make.o $(B)/libtools.a $(B)/libkeer.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(LDFLAGS) $(LIBS_LIB)
$(B)/tests/books-make: $(B)/tests/books/make.o $(B)/libtools.a $(B)/libkeer.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(LDFLAGS) $(LIBS_BIN)
$(B)/tests/appstore-make: $(B)/tests/appstore/make.o $(B)/libtools.a $(B)/libkeer.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(LDFLAGS) $(LIBS_BIN)
$(B)/tests/jose-tool: $(B)/tests/jose/tool.o $(B)/libtools.a $(B)/libkeer.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(LDFLAGS) $(LIBS_BIN)
rig-bins: $(B)/tests/wallet-connect
$(B)/tests/wallet-connect: $(B)/tests/wallet/connect.o $(B)/libtools.a $(B)/libkeer.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(LDFLAGS) $(LIBS_BIN)
# The crash rig's control: a daemon that answers before its commit.
$(B)/tests/keer-early: $(OBJ_MAIN) $(B)/tests/crash/early_commit.o $(B)/libcli.a $(B)/libtools.a $(B)/libkeer.a
	$(CC) -pie -o $@ $^ $(LDFLAGS) -Wl,--wrap=db_begin,--wrap=db_commit,--wrap=db_rollback $(LIBS_BIN)
# A daemon that does not sync, the control of the power cuts; and the disk that loses what was not synced.
$(B)/tests/keer-unsynced: $(OBJ_MAIN) $(B)/tests/crash/unsynced.o $(B)/libcli.a $(B)/libtools.a $(B)/libkeer.a
	$(CC) -pie -o $@ $^ $(LDFLAGS) -Wl,--wrap=db_open $(LIBS_BIN)
$(B)/tests/disk.so: tests/crash/disk.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra $(WERROR) -fPIC -shared -o $@ $< -ldl -lpthread
# The store of the money-safety rig, and its control: a daemon that sends again under another number.
$(B)/tests/keer-resends: $(OBJ_MAIN) $(B)/tests/crash/resends.o $(B)/libcli.a $(B)/libtools.a $(B)/libkeer.a
	$(CC) -pie -o $@ $^ $(LDFLAGS) -Wl,--wrap=wallet_charge $(LIBS_BIN)
$(B)/tests/money-load: tests/crash/money.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra $(WERROR) -o $@ $< -lcrypto -lpthread
$(B)/tests/disk: tests/crash/disk.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra $(WERROR) -DDISK_PROGRAM -o $@ $<
$(B)/bench/%: $(B)/bench/micro/%.o $(B)/tests/lib/oom.o $(B)/libtools.a $(B)/libkeer.a
	@mkdir -p $(@D)
	$(CC) -o $@ $(filter-out %.a,$^) $(B)/libtools.a $(B)/libkeer.a $(LDFLAGS) $(WRAP) $(LIBS_BIN)
$(B)/tests/unit/%.o $(B)/tests/sim/%.o $(B)/tests/webauthn/%.o $(B)/tests/geoip/%.o $(B)/tests/appstore/%.o $(B)/tests/lib/%.o $(B)/tests/fuzz/%.o $(B)/bench/micro/%.o: CPPFLAGS += -Itests
$(B)/src/store/postgres/%.o: CPPFLAGS += $(shell $(PKG) --cflags libpq 2>/dev/null)

test: deps ## everything that must hold: unit, corpus replay, headers, layers, integration; last line counts
	@$(MAKE) --no-print-directory all unit-bins rig-bins
	@tools/run-tests $(B)
unit-bins: $(TESTS) $(REPLAYS)
rig-bins: $(B)/tests/mmdb-make $(B)/tests/books-make $(B)/tests/money-load $(B)/tests/appstore-make $(B)/tests/jose-tool $(B)/bench/http-load $(B)/bench/http-empty $(B)/tests/keer-early $(B)/tests/keer-unsynced $(B)/tests/keer-resends $(B)/tests/disk.so $(B)/tests/disk $(B)/tests/sim/sim $(JUDGE)
unit: all unit-bins ## the unit tests alone
	@tools/run-tests $(B) unit
# What tries very many things that are all alike tries fewer of them here, where each takes four times as long: `unit` has tried all.
asan: export KEER_BOUND_DEPTH ?= 3
asan: export GUESSES ?= 500
asan: ## the unit tests under AddressSanitizer and UBSan (clang)
	@$(MAKE) --no-print-directory V=asan CC=clang unit
ASAN_TESTS := http_cases serve labels keys policies events explanation snapshot backup operate enrich webhooks
asan-http: $(B)/bench/http-load $(B)/tests/mmdb-make ## the daemon under AddressSanitizer and UBSan (clang): bad requests, 10,000 idle sockets, the tests of its API
	@$(MAKE) --no-print-directory V=asan CC=clang build/asan/keer
	@RSS_ROOM_KB=400000 KEER=$(CURDIR)/build/asan/keer tools/run-tests $(B) $(ASAN_TESTS:%=%.sh)
# Tests that train go through libgomp, which ThreadSanitizer does not understand: they are left out.
TSAN_TESTS := $(filter-out %/train_test %/model_test,$(TESTS))
tsan: ## the unit tests without training under ThreadSanitizer (clang)
	@$(MAKE) --no-print-directory V=tsan CC=clang tsan-run
tsan-run: $(TSAN_TESTS)
	@set -e; for t in $^; do $$t | grep -v '^ok\|^1\.\.' || true; echo "$$t"; done
cov: ## line coverage of the unit and integration tests: build/cov/report
	@$(MAKE) --no-print-directory V=cov all unit-bins
	-@KEER=build/cov/keer tools/run-tests build/cov
	lcov -q -c -d build/cov -o build/cov/all.info --rc lcov_branch_coverage=0
	lcov -q -r build/cov/all.info '*/tests/*' '/usr/*' '*/bench/*' -o build/cov/keer.info
	genhtml -q -o build/cov/report build/cov/keer.info && lcov --summary build/cov/keer.info
KILLS ?= 1000
crash: all rig-bins ## kill the daemon under load KILLS times (1000) and check what was acknowledged
	@BUILD=$(B) KEER=$(B)/keer tests/crash/run $(KILLS)
crash-disk: all rig-bins ## every write and sync of SQLite fails once, and CUTS power cuts (200)
	@BUILD=$(B) KEER=$(B)/keer tests/crash/faults 0 $(or $(CUTS),200)
crash-pg: all rig-bins ## kill PostgreSQL KILLS times (1000), fail over FAILOVERS times (20)
	@BUILD=$(B) KEER=$(B)/keer tests/crash/pg $(KILLS) $(or $(FAILOVERS),20)
sim: $(B)/tests/sim/sim ## the money path simulated: SEED=N (1), SEEDS=N (300), faults, crashes, a model beside it; SHOW=loud prints the trace
	@$< $(or $(SEED),1) $(or $(SEEDS),300) $(SHOW)
sim-bugs: $(B)/tests/sim/sim ## every planted bug of tests/sim/bugs must be found within SEEDS (800); BUGS="05 19" for some
	@CC="$(CC)" CPPFLAGS="$(CPPFLAGS)" CFLAGS="$(CFLAGS)" LDFLAGS="$(LDFLAGS) $(WRAP_SIM)" LIBS="$(LIBS_BIN)" tests/sim/planted $(B) $(or $(SEEDS),800) $(BUGS)
sim-traces: ## the same seed is the same trace: SEEDS (20) by gcc -O2 and by clang -O0
	@$(MAKE) --no-print-directory V=release build/release/tests/sim/sim
	@$(MAKE) --no-print-directory V=debug CC="$(CLANG)" build/debug/tests/sim/sim
	@tests/sim/traces $(or $(SEEDS),20) build/release/tests/sim/sim build/debug/tests/sim/sim
bound: $(B)/tests/bound_test ## the most that a thief takes from a linked wallet: every sequence of DEPTH (5) steps, WALKS (1,000) random ones
	@KEER_BOUND_DEPTH=$(or $(DEPTH),5) KEER_BOUND_WALKS=$(or $(WALKS),1000) $<
guess: $(B)/tests/guess_test ## GUESSES guesses (1,000,000) at passwords, one-time codes and recoveries, in parallel
	@GUESSES=$(or $(GUESSES),1000000) $<
TIMING ?= 10000
timing: all ## whether the time of an answer tells a known from an unknown name, over TIMING samples (10000) of each
	@KEER=$(B)/keer TIMING_SAMPLES=$(TIMING) bash tests/integration/enumeration.sh
ATTACKS ?= hostile matrix replay strangers enumerate starve
attacks: all rig-bins ## accounts, second steps and the OpenID provider under attack (tests/attacks), as long as it takes; ATTACKS=replay for one, SAMPLES=N
	@BUILD=$(B) KEER=$(B)/keer FULL=yes tests/attacks/run $(ATTACKS)
money: all rig-bins ## CHARGES (100000) under faults with KILLS kills (200), STEPS (a tenth) with all defaults, races of ROUNDS rounds (1000): money is neither doubled nor lost
	@BUILD=$(B) KEER=$(B)/keer tests/crash/money $(or $(CHARGES),100000) $(if $(filter command line environment,$(origin KILLS)),$(KILLS),200) $(or $(ROUNDS),1000) $(STEPS)
bench-load: all rig-bins $(B)/bench/stalls ## requests a second, each durable, beside an empty handler of libmicrohttpd
	@bench/load/run $(B)
bench-charges: all $(B)/bench/http-load ## charges a second with an emulator that answers at once, beside bare decisions of the same run
	@bench/load/charges $(B)
pay-parallel: $(B)/tests/pay_parallel_test ## ROUNDS (1000) of 64 requests with one id, 200 for one balance, 200 for one refund, 100 for one cap
	KEER_ROUNDS=$(or $(ROUNDS),1000) $<
bench-overload: all $(B)/bench/http-load ## five times what the daemon can do for 60 s: goodput, memory, recovery; fails when a bound does not hold
	@bench/load/overload $(B)
FUZZ_SECONDS ?= 600
fuzz-%: ## fuzz one parser with libFuzzer, ASan and UBSan for FUZZ_SECONDS (600)
	@$(MAKE) --no-print-directory V=fuzz build/fuzz/libfuzzer-$*
	@mkdir -p build/fuzz/corpus/$*
	build/fuzz/libfuzzer-$* -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix=build/fuzz/ \
	  $(if $(wildcard tests/fuzz/$*.dict),-dict=tests/fuzz/$*.dict) \
	  build/fuzz/corpus/$* tests/fuzz/corpus/$*
# ctuuninitvar: cppcheck takes a `why` that the callee fills for one that it reads.
lint: layers ## layers, clang-format, cppcheck
	@clang-format --dry-run -Werror $$(git ls-files 'src/*.[ch]' 'include/*.h' 'tests/*.[ch]' 'bench/*.c') && echo 'format ok'
	@cppcheck -q -j $$(nproc) --error-exitcode=1 --inline-suppr --suppress=missingIncludeSystem --suppress=ctuuninitvar -Iinclude -Isrc src && echo 'cppcheck ok'
format: ## rewrite the sources with clang-format
	clang-format -i $$(git ls-files 'src/*.[ch]' 'include/*.h' 'tests/*.[ch]' 'bench/*.c')
layers: ## who includes whom, against src/LAYERS
	@tools/check-layers

# --- use ---------------------------------------------------------------------------------------------------------
demo: ## simulate cards, replay, train, evaluate, serve; HANDBOOK=FOLDER takes the published data instead
	@tools/deps build
	@$(MAKE) --no-print-directory all $(B)/bench/http-load
	@tools/demo $(B)
bench: all $(BENCHES) ## one table of figures and ratios: hot path, memory, scoring
	@tools/bench $(B)
bench-peers: all $(BENCHES) ## side by side with zen-engine, json-rules-engine and Redis counters
	@bench/peers/run $(B)
headers: all ## the public headers alone, and the list of exported symbols
	@BUILD=$(B) tests/headers/run
check-docs: all ## docs/reference against what the program prints
	@KEER=$(B)/keer bash tests/integration/docs.sh
docs: all ## print docs/reference from the program's own tables
	@tools/print-docs $(B)/keer docs/reference
deps: ## install what is missing (Debian packages), or say what is
	@tools/deps
PREFIX ?= /usr/local
install: all ## binary, library, headers, pkg-config file, man page, policies, systemd unit to PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include/keer \
	  $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/keer/policies/lists
	install -m 755 $(B)/keer $(DESTDIR)$(PREFIX)/bin/keer
	install -m 644 $(B)/libkeer.a $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $(B)/libkeer.so.0 $(DESTDIR)$(PREFIX)/lib/
	ln -sf libkeer.so.0 $(DESTDIR)$(PREFIX)/lib/libkeer.so
	sed 's|^prefix=.*|prefix=$(PREFIX)|' $(B)/keer.pc > $(DESTDIR)$(PREFIX)/lib/pkgconfig/keer.pc
	install -m 644 include/keer/*.h include/keer/*.def $(DESTDIR)$(PREFIX)/include/keer/
	$(B)/keer --describe=man > $(DESTDIR)$(PREFIX)/share/man/man1/keer.1
	install -m 644 policies/*.keer policies/*.map policies/*.txt $(DESTDIR)$(PREFIX)/share/keer/policies/
	install -m 644 policies/lists/*.txt $(DESTDIR)$(PREFIX)/share/keer/policies/lists/
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|g' dist/keer.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/keer.service
	sed 's|^policy = .*|policy = $(PREFIX)/share/keer/policies/store.keer|; s|^database = .*|database = /var/lib/keer/keer.db|' docs/keer.conf \
	  > $(DESTDIR)$(PREFIX)/share/keer/keer.conf
uninstall: ## what install put there
	rm -rf $(DESTDIR)$(PREFIX)/bin/keer $(DESTDIR)$(PREFIX)/lib/libkeer.* $(DESTDIR)$(PREFIX)/lib/pkgconfig/keer.pc \
	  $(DESTDIR)$(PREFIX)/include/keer $(DESTDIR)$(PREFIX)/share/man/man1/keer.1 $(DESTDIR)$(PREFIX)/share/keer $(DESTDIR)$(PREFIX)/lib/systemd/system/keer.service
clean: ## forget build/
	rm -rf build

.SECONDARY:
-include $(shell find build -name '*.d' 2>/dev/null)
