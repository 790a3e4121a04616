/* verdict: the table of what an answer other than 200 means: which class of
 * failure it is. Data, first match wins; pure, never blocks, and allocates
 * only to resolve escapes (it goes on without when memory is out).
 *
 * A body is read for what the provider says, never for what a user wrote: the
 * members that echo a prompt or an answer are blanked first, else a prompt
 * could switch off a key. */
#ifndef VERDICT_H
#define VERDICT_H

#include <stddef.h>

#include "fault.h"

#define VERDICT_TEXT	8192

enum verdict_class {
	VERDICT_BAD_KEY, VERDICT_KEY_REFUSED, VERDICT_NO_CREDIT,
	VERDICT_NOT_ENTITLED, VERDICT_ACCOUNT_SETTING, VERDICT_MODEL_GONE,
	VERDICT_RATE_MINUTE, VERDICT_RATE_DAY, VERDICT_RATE_MONTH,
	VERDICT_CAPACITY, VERDICT_DOWN, VERDICT_NET, VERDICT_TIMEOUT,
	VERDICT_TRUNCATED, VERDICT_EMPTY, VERDICT_MALFORMED,
	VERDICT_TOO_LARGE_CTX, VERDICT_TOO_LARGE_QUOTA, VERDICT_GEN_FAILED,
	VERDICT_UNSUPPORTED, VERDICT_BAD_REQUEST, VERDICT_BLOCKED,
	VERDICT_LOADING, VERDICT_INTERNAL, VERDICT_CLASSES
};

/* Where a row bars something else than its class does. */
enum verdict_scope { VERDICT_OF_CLASS, VERDICT_LANE, VERDICT_KEY,
    VERDICT_ACCOUNT };

struct verdict_row {
	const char	*id;		/* the word in the log */
	const char	*kind;		/* of provider; NULL: any */
	enum verdict_class class;
	/* Alternatives, a '|' between them; NULL: any. In statuses an x is
	 * any digit. */
	const char	*statuses;
	const char	*codes;		/* the whole code */
	const char	*texts;		/* anywhere in the error's text */
	int		 seconds;	/* 0: as the class says */
	enum verdict_scope scope;
	const char	*head;		/* a header that must be "0" */
};

/* An error body of any of the known shapes, made one. */
struct verdict_error {
	int	status;			/* the head's; behind a 200 (or none)
					 * what the body says; 0 unknown */
	char	code[64];		/* lower case */
	char	param[64];		/* the member it complains of */
	char	message[512];		/* the provider's words, one line; "" */
	char	delay[32];		/* RetryInfo.retryDelay */
	char	reset[32];		/* X-RateLimit-Reset */
	/* Names and values in lower case, "\nname:value" each, a newline last.
	 * A value holds no newline, so "\nreason:api_key_invalid\n" cannot be
	 * forged by one. */
	char	text[VERDICT_TEXT];
	size_t	text_len;
};

/* Read body[0..n) of an answer with this status (0: none). body may be NULL,
 * cut, no JSON, or hostile. */
void	verdict_read(struct verdict_error *e, int status, const char *body,
	    size_t n);

/* The first row that matches; never NULL. head may be NULL. */
const struct verdict_row *verdict_find(const char *kind,
    const struct verdict_error *e, const char *head, size_t head_len);

/* The row of a failure below HTTP or in a stream; never NULL. */
const struct verdict_row *verdict_net(enum fault_code net);

#endif
