/* hint: what a provider says in heads and bodies about its limits and about
 * when to come back. Pure; never blocks, allocates nothing.
 *
 * A kind is the word of a known provider ("groq"), "" for any other. */
#ifndef HINT_H
#define HINT_H

#include <stddef.h>
#include <stdint.h>

#include "quota.h"

#define HINT_MIN	1000		/* no hint is believed below or ... */
#define HINT_MAX	86400000	/* ... above this; ms */

/* The places where an error can tell a time; NULL or "" where it has none. */
struct hint_text {
	const char	*head;		/* raw header lines or NULL */
	size_t		 head_len;
	const char	*delay;		/* RetryInfo.retryDelay of the body */
	const char	*reset;		/* X-RateLimit-Reset inside the body */
	const char	*message;	/* prose, lower case or not */
};

/* How long to wait in ms, from the first place that tells it, between
 * HINT_MIN and HINT_MAX. 0, or -1 when none does. now: wall ms. */
int	hint_wait(const struct hint_text *t, int64_t now, int64_t *ms);

/* The limits that a head tells, at most max of them; their number. What cannot
 * be is left out: see provider_observe. */
size_t	hint_limits(const char *kind, const char *head, size_t n,
	    int64_t now, struct quota_seen *seen, size_t max);

#endif
