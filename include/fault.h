/* fault: a failure as the client hears it: a fixed code word, an HTTP status,
 * a sentence.
 *
 * The code word is the same in the JSON answer, in the log line and in the
 * tests. One table (fault.c) gives each code its status and its type. */
#ifndef FAULT_H
#define FAULT_H

#include <stdint.h>

struct buf;

enum fault_code {
	FAULT_NONE,
	/* the request itself */
	FAULT_INVALID_JSON,		/* 400 */
	FAULT_INVALID_REQUEST,		/* 400 */
	FAULT_DUPLICATE_HEADER,		/* 400 */
	FAULT_CONTEXT_LENGTH,		/* 400 context_length_exceeded */
	FAULT_CONTENT_BLOCKED,		/* 400 */
	FAULT_UNAUTHORIZED,		/* 401 invalid_api_key */
	FAULT_FORBIDDEN,		/* 403 */
	FAULT_UNKNOWN_URL,		/* 404 */
	FAULT_MODEL_NOT_FOUND,		/* 404 */
	FAULT_METHOD,			/* 405 method_not_allowed */
	FAULT_BODY_TIMEOUT,		/* 408 */
	FAULT_BODY_TOO_LARGE,		/* 413 */
	FAULT_MEDIA_TYPE,		/* 415 unsupported_media_type */
	FAULT_HOST,			/* 421 misdirected_request */
	FAULT_HEADERS,			/* 431 headers_too_large */
	/* room */
	FAULT_RATE_LIMITED,		/* 429 rate_limit_exceeded */
	FAULT_QUOTA,			/* 429 insufficient_quota */
	FAULT_ATTEMPTS,			/* 429 too_many_attempts */
	FAULT_OVERLOADED,		/* 503 */
	/* upstream */
	FAULT_NO_MODELS,		/* 503: none of this name is on */
	FAULT_UPSTREAM_REFUSED,		/* 502: no connection */
	FAULT_UPSTREAM_TIMEOUT,		/* 504 */
	FAULT_UPSTREAM_STATUS,		/* 502: an error status */
	FAULT_UPSTREAM_ERROR,		/* 502: an error inside the stream */
	FAULT_UPSTREAM_EMPTY,		/* 502: 200 without content */
	FAULT_UPSTREAM_CUT,		/* 502: ended before its end */
	FAULT_UPSTREAM_MALFORMED,	/* 502: not what a provider sends */
	FAULT_ALL_FAILED,		/* 503: every candidate was tried */
	/* us */
	FAULT_INTERNAL,			/* 500 */
	FAULT_CODES
};

struct fault {
	enum fault_code	 code;
	int		 status;	/* the table's unless set after */
	const char	*param;		/* constant text or NULL */
	int64_t		 retry_ms;	/* waiting helps after this; -1: no */
	char		 message[400];	/* whole sentence, UTF-8, cut to fit */
};

/* Fill f. param is a constant text (a field's name) or NULL. retry_ms becomes
 * -1; set it after. The message is cut at a character, never inside one. */
void	fault_set(struct fault *f, enum fault_code code, const char *param,
	    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The fixed word and the type of a code ("rate_limit_error"). Never NULL. */
const char *fault_word(enum fault_code code);
const char *fault_type(enum fault_code code);

/* The reason phrase of an HTTP status, "" for one we never send. */
const char *fault_phrase(int status);

/* Append {"error":{"message","type","param","code"}}, the one shape of every
 * error (OpenAI's ErrorResponse: all four members required). 0 or -1. */
int	fault_put(const struct fault *f, struct buf *out);

#endif
