/* chat_walk: the scan of a question while it is under way: what chat.c and
 * chat_message.c share, and nobody else needs. */
#ifndef CHAT_WALK_H
#define CHAT_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

struct chat;
struct fault;

#define CHAT_KEYS	256	/* members of the top-level object */

struct chat_walk {
	struct chat	*c;
	struct fault	*f;
	struct json	 j;
	int64_t		 milli;		/* of a token: the text so far */
	int64_t		 images;	/* tokens */
	int64_t		 max_tokens;	/* -1: not there */
	int64_t		 max_completion;
	int64_t		 n;
	size_t		 keys;
	uint64_t	 key[CHAT_KEYS];	/* hashes of the names so far */
};

struct chat_word {
	const char	*word;
	size_t		 len;
};
#define CHAT_WORD(w)	{ w, sizeof(w) - 1 }
#define CHAT_COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* json_next; JSON_BAD fills the fault. */
enum json_token chat_next(struct chat_walk *s);

/* Past the value that begins with token t. 0, or -1 and the fault. */
int	chat_past(struct chat_walk *s, enum json_token t);

/* Whether the last key or string is word, which has len bytes; one of n. */
bool	chat_is(const struct chat_walk *s, const char *word, size_t len);
bool	chat_is_one(const struct chat_walk *s, const struct chat_word *words,
	    size_t n);
#define CHAT_IS(s, word)	chat_is(s, word, sizeof(word) - 1)

/* chat_estimate for the inside of a valid JSON string, escapes counted as what
 * they mean. */
int64_t	chat_estimate_json(const char *p, size_t n);

/* Count the last string as text. */
void	chat_count_string(struct chat_walk *s);

/* Past the value that begins with token t, counting its strings. plain: only
 * what a model is told of a message: no names of members, no ids, no bytes of
 * a file. Else all, and the marks between, as a tool's schema is told. 0, or
 * -1 and the fault. */
int	chat_count(struct chat_walk *s, enum json_token t, bool plain);

/* Fill the fault (400). -1. */
int	chat_invalid(struct chat_walk *s, const char *param, const char *why);

/* The value of messages, which comes next. 0, or -1 and the fault. */
int	chat_messages(struct chat_walk *s);

#endif
