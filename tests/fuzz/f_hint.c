/* Times and limits that a provider tells: whatever stands in its head, its
 * error or its prose, a wait keeps to its bounds, a limit makes sense, and both
 * are the same whatever stood before them in memory.
 *
 * The first byte picks the kind of provider, the next eight are the time. Then
 * texts that end in NUL: the head, the delay, the reset, the message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hint.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define DAY	INT64_C(86400000)
#define SEEN	4

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* The text at p, as a block of its own so that ASan sees its end. */
static char *
next(const uint8_t **p, const uint8_t *end)
{
	size_t n = strnlen((const char *)*p, (size_t)(end - *p));
	char *s = strndup((const char *)*p, n);

	must(s != NULL);
	*p += n + (*p + n < end);
	return s;
}

static void
check_wait(const struct hint_text *t, int64_t now)
{
	int64_t ms = -7, again = -9, later;
	struct hint_text less = *t;

	if (hint_wait(t, now, &ms) < 0)
		return;
	must(ms >= HINT_MIN && ms <= HINT_MAX);
	must(hint_wait(t, now, &again) == 0 && again == ms);
	/* A moment later nobody waits longer. */
	must(hint_wait(t, now + 1, &later) < 0 || later <= ms ||
	    t->message != NULL);
	/* The head comes first: without the rest it says no other thing. */
	less.delay = less.reset = less.message = NULL;
	if (hint_wait(&less, now, &again) == 0)
		must(again >= HINT_MIN && again <= HINT_MAX);
}

static void
check_limits(const char *kind, const char *head, size_t n, int64_t now)
{
	struct quota_seen seen[SEEN + 1], few[1];
	size_t i, k;

	memset(seen, 0x55, sizeof(seen));
	k = hint_limits(kind, head, n, now, seen, SEEN);
	must(k <= SEEN);
	for (i = 0; i < k; i++) {
		must(seen[i].max >= -1 && seen[i].remaining >= -1);
		must(seen[i].max < 0 || seen[i].remaining <= seen[i].max);
		must(seen[i].reset == -1 || (seen[i].reset >= now &&
		    seen[i].reset <= now + 366 * DAY));
	}
	must(((unsigned char *)&seen[SEEN])[0] == 0x55);
	must(hint_limits(kind, head, n, now, few, 1) == (k > 0));
	must(k == 0 || few[0].max == seen[0].max);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const kinds[] = { "", "groq", "openrouter",
	    "cerebras", "mistral", "sambanova", "xai", "anthropic", "openai",
	    "cohere", "nvidia", "zai" };
	const uint8_t *p = data + 9, *end = data + n;
	char *text[4];
	struct hint_text t;
	uint64_t raw;
	int64_t now;
	size_t i;

	if (n < 9)
		return 0;
	memcpy(&raw, data + 1, 8);
	now = (int64_t)(raw % (uint64_t)(200 * 366 * DAY));
	for (i = 0; i < 4; i++)
		text[i] = next(&p, end);
	t = (struct hint_text){ text[0], strlen(text[0]), text[1], text[2],
	    text[3] };
	check_wait(&t, now);
	t.message = NULL;
	check_wait(&t, now);
	check_limits(kinds[data[0] % (sizeof(kinds) / sizeof(kinds[0]))],
	    text[0], t.head_len, now);
	for (i = 0; i < 4; i++)
		free(text[i]);
	return 0;
}
