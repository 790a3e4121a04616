# The long proofs: see the head of each file. Included by Makefile.

# relevo with every call of ours that can fail going through fail.c.
FAIL_CALLS = malloc calloc realloc reallocarray strdup strndup read write \
	send recv accept4 epoll_ctl epoll_wait memfd_create fcntl open pread \
	pwrite fdatasync getrandom mmap
FAIL_WRAP  = $(foreach c,$(FAIL_CALLS),-Wl,--wrap=$(c))

$(BUILD)/prove:
	mkdir -p $@

$(BUILD)/prove/fail.o: tests/prove/fail.c tests/prove/fail.h | $(BUILD)/prove
	$(CC) $(STD) $(WARN) $(HARDEN) $(CFLAGS) -c -o $@ $<

$(BUILD)/prove/relevo: $(BUILD)/main.o $(LIB) $(BUILD)/prove/fail.o
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(FAIL_WRAP) -o $@ $^ $(LIBS)

# client.c with a comparison that stops early, beside the real one.
$(BUILD)/prove/hasty.o: src/client.c | $(BUILD)/prove
	$(CC) $(ALL_CFLAGS) -Dsodium_memcmp=hasty -c -o $@ $<
	objcopy --redefine-sym client_admit=hasty_admit \
	    --keep-global-symbol=hasty_admit $@

$(BUILD)/prove/timing: tests/prove/timing.c src/client.c \
    $(BUILD)/prove/hasty.o $(LIB)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(BUILD)/prove/hasty.o \
	    $(LIB) $(LIBS)

$(BUILD)/prove/%: tests/prove/%.c | $(BUILD)/prove
	$(CC) $(STD) $(WARN) $(HARDEN) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $<
