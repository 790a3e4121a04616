# The state file under violence: see the head of each .c. Included by Makefile.

KILL		= $(BUILD)/kill/kill $(BUILD)/kill/cut $(BUILD)/kill/power

$(BUILD)/kill:
	mkdir -p $@

# Each includes the .c files whose inside it looks at; the archive gives the
# rest.
$(BUILD)/kill/%: tests/kill/%.c $(LIB) | $(BUILD)/kill
	$(CC) $(ALL_CFLAGS) -MMD -MP -Isrc $(ALL_LDFLAGS) -o $@ $< $(LIB) $(LIBS)

# Two thousand of each takes about a minute.
KILLS		?= 2000
kill: $(KILL)
	$(BUILD)/kill/cut
	$(BUILD)/kill/power $(KILLS)
	$(BUILD)/kill/kill $(KILLS)

.PHONY: kill
-include $(wildcard $(BUILD)/kill/*.d)
