# restante: build, test, install, run. `make help` lists the targets.
VERSION := 0.1.0
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
LIBEXECDIR ?= $(PREFIX)/libexec/restante
UNITDIR ?= $(if $(filter /usr,$(PREFIX)),/lib/systemd/system,$(SYSCONFDIR)/systemd/system)
SYSUSERSDIR ?= $(if $(filter /usr,$(PREFIX)),/usr/lib/sysusers.d,$(SYSCONFDIR)/sysusers.d)
TMPFILESDIR ?= $(if $(filter /usr,$(PREFIX)),/usr/lib/tmpfiles.d,$(SYSCONFDIR)/tmpfiles.d)
MANDIR ?= $(PREFIX)/share/man
B ?= build
CC ?= gcc

OPT ?= -O2 -g -fstack-protector-strong -fstack-clash-protection -fcf-protection -D_FORTIFY_SOURCE=2 -fPIE
HARDEN_LD ?= -pie -Wl,-z,relro,-z,now -Wl,--as-needed
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wformat=2 -Wvla -Wundef
WERROR ?=
CFLAGS_ALL = -std=gnu11 -D_GNU_SOURCE -I. $(OPT) $(WARN) $(WERROR) $(CFLAGS) -MMD -MP \
	-DRESTANTE_VERSION='"$(VERSION)"' -DRESTANTE_SYSCONFDIR='"$(SYSCONFDIR)"' -DRESTANTE_LIBEXECDIR='"$(LIBEXECDIR)"'

# What each program is made of, by room, and the only place where a library is named.
ROOMS_master  := base conf server/ipc server/master
ROOMS_front   := base conf server/ipc server/pool server/wire server/front
ROOMS_worker  := base conf server/ipc server/pool auth server/worker
ROOMS_session := base conf server/ipc server/pool server/wire server/imap server/pop3 maildir maildir/message server/session
ROOMS_ctl     := base conf server/ipc maildir maildir/message server/ctl
LIBS_master   := -lev -lsystemd
LIBS_front    := -lssl -lcrypto -lev -lseccomp -lz
LIBS_worker   := -lpam -lcrypt -lseccomp
LIBS_session  := -lev -lseccomp -llmdb
LIBS_ctl      := -llmdb
PROGRAMS := $(B)/restanted $(B)/restante-front $(B)/restante-auth $(B)/restante-session $(B)/restantectl

SOURCES := $(wildcard base/*.c conf/*.c auth/*.c maildir/*.c maildir/message/*.c server/*/*.c)
objects = $(patsubst %.c,$(B)/%.o,$(foreach room,$(1),$(wildcard $(room)/*.c)))
LIBRARY := $(filter-out %/main.o,$(SOURCES:%.c=$(B)/%.o))

UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ_TESTS := $(patsubst tests/fuzz/%.c,$(B)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZERS    := $(patsubst tests/fuzz/%.c,$(B)-fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
TOOLS      := $(patsubst tests/tools/%.c,$(B)/tests/%,$(wildcard tests/tools/*.c))

PKGS_BUILD := gcc libc6-dev pkg-config libssl-dev zlib1g-dev libpam0g-dev libcrypt-dev libsystemd-dev libev-dev libseccomp-dev linux-libc-dev uthash-dev liblmdb-dev
PKGS_RUN   := libpam-pwdfile curl
PKGS_TEST  := dovecot-imapd dovecot-pop3d libcunit1-dev libpam-modules libpam-runtime python3 openssl fetchmail getmail6 mpop isync offlineimap3 systemd util-linux procps binutils mandoc gdb-minimal=gdb
PKGS_CLIENTS := isync offlineimap3 getmail6 fetchmail mpop curl mutt neomutt s-nail imapfilter thunderbird nodejs=node npm=npm

.PHONY: all run check check-clients asan check-built install deps deps-test deps-clients tidy format help clean fuzz soak bench
all: $(PROGRAMS) ## build the programs into build/

$(B)/restanted: $(call objects,$(ROOMS_master))
	$(CC) $(OPT) $(HARDEN_LD) $(LDFLAGS) -o $@ $^ $(LIBS_master)
$(B)/restante-front: $(call objects,$(ROOMS_front)) $(B)/auth/sasl.o
	$(CC) $(OPT) $(HARDEN_LD) $(LDFLAGS) -o $@ $^ $(LIBS_front)
$(B)/restante-auth: $(call objects,$(ROOMS_worker))
	$(CC) $(OPT) $(HARDEN_LD) $(LDFLAGS) -o $@ $^ $(LIBS_worker)
$(B)/restante-session: $(call objects,$(ROOMS_session))
	$(CC) $(OPT) $(HARDEN_LD) $(LDFLAGS) -o $@ $^ $(LIBS_session)
$(B)/restantectl: $(call objects,$(ROOMS_ctl)) $(B)/auth/account.o $(B)/auth/expand.o
	$(CC) $(OPT) $(HARDEN_LD) $(LDFLAGS) -o $@ $^ $(LIBS_ctl)

# Settings are compiled in: other settings make other objects.
$(B)/settings: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CFLAGS_ALL)' | cmp -s - $@ || echo '$(CC) $(CFLAGS_ALL)' >$@
FORCE:
$(B)/%.o: %.c Makefile $(B)/settings
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -c -o $@ $<

$(B)/librestante.a: $(LIBRARY)
	@rm -f $@
	ar rcs $@ $^
$(B)/tests/%: tests/unit/%.c tests/unit/unit.h $(B)/librestante.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -o $@ $< $(B)/librestante.a $(LDFLAGS) -lcunit $(LIBS_master) $(LIBS_front) $(LIBS_worker) $(LIBS_session)
$(B)/tests/%: tests/fuzz/%.c tests/fuzz/replay.c $(B)/librestante.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -o $@ $< tests/fuzz/replay.c $(B)/librestante.a $(LDFLAGS) $(LIBS_front) $(LIBS_session)
$(B)/tests/%: tests/tools/%.c $(B)/librestante.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -o $@ $< $(B)/librestante.a $(LDFLAGS) $(LIBS_master) $(LIBS_front) $(LIBS_worker) $(LIBS_session)

run: deps all ## install what is missing, build, and serve sample mail on 127.0.0.1 until Ctrl-C
	$(B)/restanted --try $(DIR)

check: deps-test ## build with warnings as errors and run every test
	+$(MAKE) --no-print-directory check-built B=build-check WERROR=-Werror
check-built: all $(UNIT_TESTS) $(FUZZ_TESTS) $(TOOLS)
	B=$(B) sh tests/run.sh $(TESTS)
check-clients: deps-clients ## the tests that drive mail programs: Thunderbird, mbsync, neomutt, ImapFlow and others
	+$(MAKE) --no-print-directory check TESTS=clients

SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
asan: deps-test ## the same tests under AddressSanitizer and UndefinedBehaviourSanitizer
	+$(MAKE) --no-print-directory check-built B=build-asan WERROR=-Werror OPT="-O1 -g $(SAN)" HARDEN_LD="$(SAN)" LDFLAGS="$(SAN)"

fuzz: ## build the libFuzzer targets into build-fuzz/ (needs clang and libclang-rt-14-dev)
	+$(MAKE) --no-print-directory B=build-fuzz-obj CC=clang OPT="-O1 -g -fsanitize=address,undefined,fuzzer-no-link" build-fuzz-obj/librestante.a
	@mkdir -p $(B)-fuzz
	for f in $(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c))); do clang -std=gnu11 -D_GNU_SOURCE -I. -g -O1 -fsanitize=address,undefined,fuzzer \
		-o $(B)-fuzz/$$f tests/fuzz/$$f.c build-fuzz-obj/librestante.a $(LIBS_front) $(LIBS_session) || exit 1; done

soak: all $(TOOLS) ## long runs: SOAK_SECONDS (default 600) for each fuzz target and stress test
	B=$(B) sh tests/soak.sh
bench: deps-test all ## CPU of the server per operation, beside Debian's Dovecot in the same run; BENCH="NAME ..." (--list), BENCH=--json
	@B=$(B) python3 tests/bench/bench.py $(BENCH)

deps: ## install what the build and `make run` need (apt); elsewhere, say what is missing
	@sh tests/deps.sh $(PKGS_BUILD) $(PKGS_RUN)
deps-test:
	@sh tests/deps.sh $(PKGS_BUILD) $(PKGS_RUN) $(PKGS_TEST)
deps-clients:
	@sh tests/deps.sh $(PKGS_CLIENTS)

install: all ## install into DESTDIR with PREFIX (default /usr/local)
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(SYSCONFDIR)/restante $(DESTDIR)$(SYSCONFDIR)/pam.d \
		$(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(TMPFILESDIR) $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7 $(DESTDIR)$(MANDIR)/man8
	install -m 755 $(B)/restanted $(B)/restantectl $(DESTDIR)$(PREFIX)/sbin
	install -m 755 $(B)/restante-front $(B)/restante-auth $(B)/restante-session $(DESTDIR)$(LIBEXECDIR)
	[ -e $(DESTDIR)$(SYSCONFDIR)/restante/restante.conf ] || install -m 644 conf/restante.conf $(DESTDIR)$(SYSCONFDIR)/restante/restante.conf
	[ -e $(DESTDIR)$(SYSCONFDIR)/pam.d/restante ] || install -m 644 conf/pam.d/restante $(DESTDIR)$(SYSCONFDIR)/pam.d/restante
	for u in restante.service restante-imaps.socket restante-imap.socket restante-pop3s.socket restante-pop3.socket; do \
		sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' conf/systemd/$$u > $(DESTDIR)$(UNITDIR)/$$u && chmod 644 $(DESTDIR)$(UNITDIR)/$$u || exit 1; done
	install -m 644 conf/sysusers.d/restante.conf $(DESTDIR)$(SYSUSERSDIR)/restante.conf
	install -m 644 conf/tmpfiles.d/restante.conf $(DESTDIR)$(TMPFILESDIR)/restante.conf
	install -m 644 man/restante.conf.5 $(DESTDIR)$(MANDIR)/man5
	install -m 644 man/restante-internals.7 man/restante-imap.7 $(DESTDIR)$(MANDIR)/man7
	install -m 644 man/restanted.8 man/restantectl.8 $(DESTDIR)$(MANDIR)/man8

tidy: ## static analysis by clang-tidy and cppcheck
	clang-tidy --quiet $(SOURCES) -- -std=gnu11 -D_GNU_SOURCE -I. -DRESTANTE_VERSION='"x"' -DRESTANTE_SYSCONFDIR='"x"' -DRESTANTE_LIBEXECDIR='"x"'
	cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr -I. $(SOURCES)
format: ## lay the code out by .clang-format
	clang-format -i $(shell git ls-files '*.c' '*.h')
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12
clean: ## remove everything built
	rm -rf build build-check build-asan build-fuzz build-fuzz-obj

-include $(shell find $(B) -name '*.d' 2>/dev/null)
