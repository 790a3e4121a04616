# What a developer runs beside the tests; none of it is part of `make check`.

# What clang-tidy, cppcheck and pmccabe say: nothing, and the longest functions.
lint: deps-lint
	@sh tests/lint/lint.sh

# .clang-format, on what differs from FROM. The tree as a whole is not its work:
# tables are set by hand.
FROM ?= HEAD
format: deps-lint
	git clang-format --extensions c,h $(FROM)

# For editors and tools: how each file is compiled.
compile_commands.json: Makefile
	@{ sep='['; for f in $(SRC); do \
	    printf '%s\n{"directory":"%s","file":"%s","command":"%s -c %s"}' \
	        "$$sep" "$(CURDIR)" "$$f" "$(CC) $(ALL_CFLAGS)" "$$f"; \
	    sep=','; done; echo ']'; } >$@

# Which lines of src/ the unit and the end-to-end tests run, in percent, and
# those that they do not (build/cov/lines.txt).
COV = build/cov
COV_WRAP = $(COV)/lint.o -Wl,--wrap=syscall -Wl,--wrap=_exit
cov: deps-lint all mock | $(COV)
	@$(CC) $(STD) $(WARN) -DCOV_FOLDER='"$(CURDIR)/$(COV)"' -c \
	    -o $(COV)/lint.o tests/lint/cov.c
	@$(MAKE) --no-print-directory BUILD=$(COV) CFLAGS='-O0 -g --coverage' \
	    LDFLAGS=--coverage LDLIBS='$(COV_WRAP)' all unit
	@sh tests/lint/cov.sh $(COV)

$(COV):
	@mkdir -p $@

.PHONY: lint format cov
