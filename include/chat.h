/* chat: what must be known of a question before it is sent on.
 *
 * One strict pass over the body finds the members that the gateway acts on and
 * where they lie; the body itself is never printed again, only spliced. Pure;
 * never blocks. */
#ifndef CHAT_H
#define CHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault;

#define CHAT_MODEL	256	/* bytes of a model's name, NUL included */

/* Where a top-level member lies in the body: from its key's opening quote to
 * the end of its value; len 0: it is not there. */
struct chat_span {
	size_t	at, len;
	size_t	value;		/* where the value begins */
};

struct chat {
	char		 model[CHAT_MODEL];	/* "" when absent */
	struct chat_span model_at;
	struct chat_span stream_at;
	struct chat_span options_at;	/* stream_options */
	bool		 stream;	/* as asked; absent: false */
	bool		 has_stream;	/* "stream" is there */
	bool		 want_usage;	/* stream_options.include_usage true */
	bool		 empty;		/* the object has no member at all */
	unsigned	 needs;		/* CONFIG_CAN_*: not without these */
	size_t		 messages;
	int64_t		 prompt;	/* raw estimate, tokens */
	int64_t		 output;	/* most output tokens declared; -1 none.
					 * The larger of max_tokens and
					 * max_completion_tokens, times n */
	int		 choices;	/* n; 1 when absent */
	uint64_t	 thread;	/* same conversation, same number: hash
					 * of the first user message and what
					 * stands before it (its length and
					 * both ends, if it is long) */
};

/* Scan body[0..n). -1 and f (400, param names the member) when: it is not
 * strict JSON (message tells offset and reason), not an object, has a key
 * twice at the top level, messages is missing, not an array, empty, or one of
 * it is no object with a valid role (system developer user assistant tool
 * function) and with content (a string or an array of typed parts; an
 * assistant may have tool_calls, a refusal or reasoning instead); model is no
 * string or too long; stream is neither a boolean nor null; stream_options,
 * max_tokens or n have a wrong type; stream_options has include_usage twice;
 * there are over 256 members at the top. Unknown members pass. 500 when memory
 * is out. c is then only in part filled, but c->empty holds. */
int	chat_scan(struct chat *c, const char *body, size_t n, struct fault *f);

/* The raw token estimate of plain text: a class estimator, one pass over the
 * bytes, in thousandths of a token. */
int64_t	chat_estimate(const char *text, size_t n);

#endif
