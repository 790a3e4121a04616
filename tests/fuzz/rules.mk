# Fuzzing with libFuzzer: each f_word.c is one target. Included by Makefile.
# Packages: clang libclang-rt-dev.

FUZZ_CC		?= clang
FUZZ_SECONDS	?= 30
FUZZ_DIR	= $(BUILD)/fuzz
FUZZ_FLAGS	= $(STD) -g -O2 -fno-omit-frame-pointer \
		  -fsanitize=address,undefined -fno-sanitize-recover=all \
		  $(shell $(PKG_CONFIG) --cflags $(PKGS)) $(FUZZ_PLAIN)
FUZZ_OBJ	= $(filter-out %/main.o,$(SRC:src/%.c=$(FUZZ_DIR)/obj/%.o))
FUZZ		= $(patsubst tests/fuzz/%.c,$(FUZZ_DIR)/%,$(wildcard tests/fuzz/f_*.c))

fuzz-build: $(FUZZ)

# The same targets without the following of comparisons, which costs more than
# half of the speed (reply: 130 us a run with it, 60 us without); what UBSan
# compares is followed, too. It leads to edges sooner: 100,000 runs of reply
# find 787 with it and 718 without. So a run of millions begins with it and goes
# on without; the sanitizers and the properties are the same.
fuzz-plain:
	@$(MAKE) --no-print-directory FUZZ_DIR=$(FUZZ_DIR)/plain \
	    FUZZ_PLAIN=-fno-sanitize-coverage=trace-cmp fuzz-build

fuzz: fuzz-build
	@BUILD=$(BUILD) sh tests/fuzz/run.sh $(FUZZ_SECONDS)

$(FUZZ_DIR)/obj:
	mkdir -p $@

# Following every comparison costs half of the speed. It leads the fuzzer to
# words and numbers in what it made; the ledger's arithmetic, which runs for
# each chat, has none of them, but for a state file that something wrote to.
FUZZ_SEE	= -fsanitize=fuzzer-no-link
$(patsubst %,$(FUZZ_DIR)/obj/%.o,ring window quota day lanes route seek \
    budget): FUZZ_SEE = -fsanitize-coverage=inline-8bit-counters,pc-table

$(FUZZ_DIR)/obj/%.o: src/%.c Makefile tests/fuzz/rules.mk | $(FUZZ_DIR)/obj
	$(FUZZ_CC) $(FUZZ_SEE) $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<

$(FUZZ_DIR)/librelevo.a: $(FUZZ_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

# As for unit tests: a target may include the .c file that it looks into; the
# archive gives the rest, and not that file again.
$(FUZZ_DIR)/f_%: tests/fuzz/f_%.c $(FUZZ_DIR)/librelevo.a
	$(FUZZ_CC) -fsanitize=fuzzer $(FUZZ_FLAGS) -MMD -MP -o $@ $< \
	    $(FUZZ_DIR)/librelevo.a $(LIBS)

.PHONY: fuzz fuzz-build fuzz-plain
-include $(wildcard $(FUZZ_DIR)/*.d $(FUZZ_DIR)/obj/*.d)
