# Fuzzing with libFuzzer: each f_word.c is one target. Included by Makefile.
# Packages: clang-14 libclang-rt-14-dev.

FUZZ_CC		?= $(firstword $(shell command -v clang-14 clang) clang)
FUZZ_SECONDS	?= 30
FUZZ_DIR	= $(BUILD)/fuzz
FUZZ_FLAGS	= $(STD) -g -O2 -fno-omit-frame-pointer \
		  -fsanitize=address,undefined -fno-sanitize-recover=all \
		  $(shell $(PKG_CONFIG) --cflags $(PKGS))
FUZZ_OBJ	= $(filter-out %/main.o,$(SRC:src/%.c=$(FUZZ_DIR)/obj/%.o))
FUZZ		= $(patsubst tests/fuzz/%.c,$(FUZZ_DIR)/%,$(wildcard tests/fuzz/f_*.c))

fuzz-build: $(FUZZ)

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
	$(FUZZ_CC) $(FUZZ_FLAGS) $(FUZZ_SEE) -MMD -MP -c -o $@ $<

$(FUZZ_DIR)/librelevo.a: $(FUZZ_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

# As for unit tests: a target may include the .c file that it looks into; the
# archive gives the rest, and not that file again.
$(FUZZ_DIR)/f_%: tests/fuzz/f_%.c $(FUZZ_DIR)/librelevo.a
	$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -MMD -MP -o $@ $< \
	    $(FUZZ_DIR)/librelevo.a $(LIBS)

.PHONY: fuzz fuzz-build
-include $(wildcard $(FUZZ_DIR)/*.d $(FUZZ_DIR)/obj/*.d)
