# A day of the gateway's life in seconds: see the head of day.c. Included by
# Makefile.

$(BUILD)/sim:
	mkdir -p $@

$(BUILD)/sim/day: $(wildcard tests/sim/*.[ch]) $(LIB) | $(BUILD)/sim
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.c,$^) $(LIB) $(LIBS)

sim: $(BUILD)/sim/day
	$(BUILD)/sim/day

.PHONY: sim
