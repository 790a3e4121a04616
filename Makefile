# relevo: `make demo` shows it, `make check` proves it, `make help` lists all.

PREFIX		?= /usr/local
CC		?= cc
PKG_CONFIG	?= pkg-config
# The sanitizers see no less at -O1, which compiles in half the time.
CFLAGS		?= $(if $(SAN),-O1,-O2) -g
BUILD		?= $(if $(SAN),build/san,build)

D		= $(DESTDIR)$(PREFIX)
VERSION		= $(shell sed -n 's/^.define VERSION.*"\(.*\)".*/\1/p' include/version.h)
# The time of what is packed, so that the same source gives the same bytes.
EPOCH		= $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct \
		  2>/dev/null || stat -c %Y Makefile))
PKGS		= libcurl libcjson libconfuse libsodium
# libcurl is not linked: src/fetch_late.c loads it.
LINKED		= libcjson libconfuse libsodium
WARN		= -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes \
		  -Wmissing-prototypes -Wformat=2 -Wundef -Wno-psabi
ifdef WERROR
WARN		+= -Werror
endif
# What the processor can check of where a branch goes.
MACHINE		:= $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
BRANCH_x86_64	= -fcf-protection
BRANCH_aarch64	= -mbranch-protection=standard
ifdef SAN
HARDEN		= -fsanitize=$(SAN) -fno-sanitize-recover=all \
		  -fno-omit-frame-pointer
LDHARDEN	= -fsanitize=$(SAN)
else
HARDEN		= -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 \
		  -fstack-protector-strong -fstack-clash-protection \
		  $(BRANCH_$(MACHINE))
LDHARDEN	= -Wl,-z,relro,-z,now
endif
# Vectors stay within a file (wide.h), so whether a processor passes them in
# registers does not matter. Files and times have 64 bits on 32-bit ones, too.
STD		= -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 \
		  -fPIE -Iinclude
ALL_CFLAGS	= $(STD) $(WARN) $(HARDEN) \
		  $(shell $(PKG_CONFIG) --cflags $(PKGS)) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS	= -pie $(LDHARDEN) $(LDFLAGS)
LIBS		= -pthread -lfcgi $(shell $(PKG_CONFIG) --libs $(LINKED)) -lm $(LDLIBS)

# STATIC_CURL: it is linked, from LIBS that are given.
SRC		= $(filter-out $(if $(STATIC_CURL),src/fetch_late.c), \
		  $(wildcard src/*.c))
OBJ		= $(SRC:src/%.c=$(BUILD)/%.o)
LIBOBJ		= $(filter-out $(BUILD)/main.o,$(OBJ))
LIB		= $(BUILD)/librelevo.a
UNIT		= $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/t_*.c))

all: $(BUILD)/relevo $(if $(filter build,$(BUILD)),cgi-bin)

$(BUILD)/relevo: $(BUILD)/main.o $(LIB)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(LIB): $(LIBOBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: src/%.c Makefile | $(BUILD)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD) $(BUILD)/unit $(BUILD)/mock $(BUILD)/load $(BUILD)/bench:
	mkdir -p $@

# A unit test includes the .c file it tests, to reach its static functions;
# the archive gives the rest (and not that file again: its names are there).
$(BUILD)/unit/t_%: tests/unit/t_%.c $(LIB) | $(BUILD)/unit
	$(CC) $(ALL_CFLAGS) -MMD -MP -Itests/unit -Isrc $(ALL_LDFLAGS) -o $@ \
	    $< $(LIB) -lcmocka $(LIBS)

$(BUILD)/mock/mock: $(wildcard tests/mock/*.[ch]) | $(BUILD)/mock
	$(CC) $(STD) $(WARN) $(HARDEN) $(CFLAGS) $(ALL_LDFLAGS) -o $@ \
	    $(filter %.c,$^)

$(BUILD)/load/load: tests/load/load.c | $(BUILD)/load
	$(CC) $(STD) $(WARN) $(HARDEN) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $<

$(BUILD)/bench/ledger: tests/bench/ledger.c $(LIB) | $(BUILD)/bench
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(LIB) $(LIBS)

$(BUILD)/bench/floor: tests/bench/floor.c | $(BUILD)/bench
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< -lfcgi -lcurl

$(BUILD)/bench/ask: tests/bench/ask.c tests/bench/answer.c \
    tests/bench/answer.h | $(BUILD)/bench
	$(CC) $(STD) $(WARN) $(HARDEN) $(CFLAGS) $(ALL_LDFLAGS) -o $@ \
	    $(filter %.c,$^)

-include tests/kill/rules.mk
-include tests/fuzz/rules.mk
-include tests/sim/rules.mk
-include tests/prove/rules.mk
-include tests/lint/rules.mk

unit: $(UNIT)
mock: $(BUILD)/mock/mock $(BUILD)/load/load $(BUILD)/bench/ask

# ---- what a person types ----

# The page, the program and a web server on 127.0.0.1:$${PORT:-3000}.
demo: deps-run vendor
	@$(MAKE) --no-print-directory all
	@sh conf/demo.sh

# All tests. Ends with `N passed, N failed`.
check: deps-check
	@MAKE="$(MAKE)" sh tests/run.sh

# What things cost here and now, beside nginx's proxy_pass, in one table; some
# five minutes. BASE=revision measures that one too, in the same run.
bench: deps-check
	@$(MAKE) -s all mock $(BUILD)/bench/floor $(BUILD)/bench/ledger
	@BUILD=$(BUILD) BASE=$(BASE) ROUNDS=$(or $(ROUNDS),5) CC="$(CC)" \
	    CFLAGS="$(CFLAGS)" sh tests/bench/run.sh

# The long proofs, three quarters of an hour on two processors, and a table of
# them. PROVE_FUZZ=7200 gives each fuzz target two hours for its 10 million runs,
# where one is not enough; PROVE_BEHIND=600 those that have no number ten
# minutes.
prove: deps-prove all mock $(BUILD)/kill/cut $(BUILD)/kill/power \
    $(BUILD)/kill/kill $(BUILD)/prove/timing fuzz-build \
    fuzz-plain
	@$(MAKE) --no-print-directory SAN=address,undefined all mock \
	    build/san/prove/relevo build/san/prove/faults
	@BUILD=$(BUILD) sh tests/prove/run.sh

# What is committed, and the page's libraries, as one archive that comes out the
# same wherever it is made.
dist:
	@sh conf/vendor.sh must
	@rm -rf build/dist && mkdir -p build/dist
	git archive --prefix=relevo-$(VERSION)/ HEAD | tar -x -C build/dist
	cp -R htdocs/vendor build/dist/relevo-$(VERSION)/htdocs/
	tar --sort=name --owner=0 --group=0 --numeric-owner \
	    --mtime="@$(EPOCH)" -C build/dist -cf - \
	    relevo-$(VERSION) | gzip -n >build/relevo-$(VERSION).tar.gz

# For shared hosting: a static program, the page and what belongs to them.
dist-cgi: deps-dist
	@MAKE="$(MAKE)" HARDEN="$(HARDEN)" sh conf/dist-cgi.sh $(VERSION) $(EPOCH)

# A Debian package of what `make install` installs.
deb: deps-dist all
	@MAKE="$(MAKE)" sh conf/deb/build.sh $(VERSION) $(EPOCH)

# The page's libraries from npm; without them it is plain.
vendor:
	@sh conf/vendor.sh

# The picture in the README, of the page as it is now.
picture: deps-check vendor all mock
	@cd tests/browser && npm ci --ignore-scripts --loglevel=error
	node tests/browser/picture.mjs conf/page.png

# Every web server before one list of checks; part of `make check`.
check-mounts: deps-check
	@$(MAKE) --no-print-directory all mock
	@bats tests/60-mounts.bats

# The JavaScript SDKs against the program; part of `make check`.
check-sdk: deps-check
	@$(MAKE) --no-print-directory all mock
	@sh tests/sdk/run.sh

# The page in Firefox and WebKit; no part of `make check`. An engine that is not
# installed is named, and fails it. ENGINE=webkit: that one alone.
check-browsers:
	-@sh conf/deps.sh browsers
	@$(MAKE) --no-print-directory all mock
	@sh tests/browser/run.sh engines $(ENGINE)

deps-run deps-check deps-dist deps-prove deps-lint:
	@sh conf/deps.sh $(@:deps-%=%)
deps: deps-check

layers:
	@sh tests/layers.sh

# The files name /usr/local, which becomes PREFIX.
install: all
	install -d $(D)/bin $(D)/lib/relevo $(D)/share/relevo/conf \
	    $(D)/share/man/man1 $(D)/share/man/man5 \
	    $(D)/share/bash-completion/completions \
	    $(D)/share/zsh/site-functions $(D)/lib/systemd/system \
	    $(D)/lib/sysusers.d
	install -m 755 $(BUILD)/relevo $(D)/bin/relevo
	ln -f $(D)/bin/relevo $(D)/lib/relevo/relevo.fcgi
	ln -f $(D)/bin/relevo $(D)/lib/relevo/relevo.cgi
	cp -R htdocs $(D)/share/relevo/
	for f in relevo.conf env.example container.sh lighttpd.conf \
	    lighttpd-cgi.conf nginx.conf Caddyfile apache-fcgid.conf \
	    apache-proxy-fcgi.conf grafana.json; do \
		sed 's|/usr/local|$(PREFIX)|g' conf/$$f \
		    >$(D)/share/relevo/conf/$$f || exit 1; \
	done
	install -m 644 cgi-bin/.htaccess $(D)/share/relevo/conf/htaccess
	for f in relevo.1 relevo.conf.5; do \
		sed 's|/usr/local|$(PREFIX)|g' conf/man/$$f \
		    >$(D)/share/man/man$${f##*.}/$$f || exit 1; \
	done
	install -m 644 conf/completion/relevo.bash \
	    $(D)/share/bash-completion/completions/relevo
	install -m 644 conf/completion/_relevo $(D)/share/zsh/site-functions/
	install -m 644 conf/systemd/relevo.socket $(D)/lib/systemd/system/
	sed 's|/usr/local|$(PREFIX)|g' conf/systemd/relevo.service \
	    >$(D)/lib/systemd/system/relevo.service
	install -m 644 conf/systemd/relevo.sysusers \
	    $(D)/lib/sysusers.d/relevo.conf
	@# Whatever umask it was cloned and is installed with.
	chmod -R u=rwX,go=rX $(D)/share/relevo
	chmod 644 $(D)/share/man/man1/relevo.1 \
	    $(D)/share/man/man5/relevo.conf.5 \
	    $(D)/lib/systemd/system/relevo.service

help:
	@echo 'make            build build/relevo, cgi-bin/relevo.fcgi, cgi-bin/relevo.cgi'
	@echo 'make demo       install what is missing, serve http://127.0.0.1:3000'
	@echo 'make check      install what is missing, run all tests'
	@echo 'make install    with PREFIX and DESTDIR'
	@echo 'make deps       install the Debian packages that are missing'
	@echo 'make vendor     fetch the libraries of the page (npm)'
	@echo 'make clean      remove what was built'
	@echo
	@echo 'make deb        build/relevo_VERSION_ARCH.deb'
	@echo 'make dist-cgi   build/relevo-cgi-VERSION(.tar.gz), for shared hosting'
	@echo 'make dist       build/relevo-VERSION.tar.gz: the source'
	@echo
	@echo 'make layers     do includes go down?'
	@echo 'make unit       build the unit tests'
	@echo 'make mock       build the mock provider'
	@echo 'make kill       cuts, power cuts, KILLS=2000 kills'
	@echo 'make sim        a simulated day'
	@echo 'make fuzz       every target 30 s; make fuzz-build: build them'
	@echo 'make fuzz-plain build them without following comparisons: twice as fast'
	@echo 'make check-mounts  every web server before one list of checks'
	@echo 'make check-sdk  the JavaScript SDKs against the program'
	@echo 'make check-browsers  the page in Firefox and WebKit; ENGINE=webkit: one'
	@echo 'make prove      the long proofs: kills, faults, streams, a million requests'
	@echo 'make bench      what it costs beside nginx proxy_pass; BASE=revision too'
	@echo 'make lint       clang-tidy, cppcheck, the longest functions'
	@echo 'make format     clang-format on what differs from FROM=HEAD'
	@echo 'make cov        which lines the tests run'
	@echo 'make picture    conf/page.png of the page as it is now'
	@echo 'make compile_commands.json   for editors'
	@echo
	@echo 'Variables: CC CFLAGS LDFLAGS PKG_CONFIG PREFIX DESTDIR WERROR=1'
	@echo '           SAN=address,undefined BUILD=folder'

.PHONY: all cgi-bin unit mock demo check check-mounts check-sdk \
	check-browsers bench prove dist dist-cgi deb picture vendor deps \
	deps-run deps-check deps-dist \
	deps-prove deps-lint \
	layers install help clean
cgi-bin: $(BUILD)/relevo
	@mkdir -p cgi-bin
	@cp -f $(BUILD)/relevo cgi-bin/relevo.fcgi.new
	@mv -f cgi-bin/relevo.fcgi.new cgi-bin/relevo.fcgi
	@ln -f cgi-bin/relevo.fcgi cgi-bin/relevo.cgi

clean:
	rm -rf build run cgi-bin/relevo.fcgi cgi-bin/relevo.cgi

-include $(wildcard $(BUILD)/*.d $(BUILD)/unit/*.d)
