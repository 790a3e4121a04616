#include "chat_walk.h"

#include <string.h>

#include "fault.h"
#include "json.h"

/* In thousandths of a token: what stands around a name or a string of a
 * tool's schema, a run of punctuation, and a digit. */
enum { M_MARKS = 671, M_DIGIT = 796 };

enum json_token
chat_next(struct chat_walk *s)
{
	enum json_token t = json_next(&s->j);

	if (t == JSON_BAD)
		fault_set(s->f, FAULT_INVALID_JSON, NULL,
		    "body is not valid JSON at byte %zu: %s", s->j.at,
		    s->j.why);
	return t;
}

int
chat_past(struct chat_walk *s, enum json_token t)
{
	unsigned depth = s->j.depth;

	if (t != JSON_OBJECT && t != JSON_ARRAY)
		return t == JSON_BAD ? -1 : 0;
	do
		t = chat_next(s);
	while (t != JSON_BAD && s->j.depth >= depth);
	return t == JSON_BAD ? -1 : 0;
}

bool
chat_is(const struct chat_walk *s, const char *word, size_t len)
{
	if (s->j.escaped)
		return json_is(&s->j, word);
	return s->j.tok_len == len + 2 &&
	    memcmp(s->j.p + s->j.tok + 1, word, len) == 0;
}

bool
chat_is_one(const struct chat_walk *s, const struct chat_word *words, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (chat_is(s, words[i].word, words[i].len))
			return true;
	return false;
}

void
chat_count_string(struct chat_walk *s)
{
	s->milli += chat_estimate_json(s->j.p + s->j.tok + 1,
	    s->j.tok_len - 2);
}

int
chat_count(struct chat_walk *s, enum json_token t, bool plain)
{
	static const struct chat_word silent[] = {
		CHAT_WORD("id"), CHAT_WORD("type"), CHAT_WORD("url"),
		CHAT_WORD("data"), CHAT_WORD("file_data"),
		CHAT_WORD("signature"),
		CHAT_WORD("thought_signature"), CHAT_WORD("cache_control")
	};
	unsigned depth = s->j.depth;

	if (t != JSON_OBJECT && t != JSON_ARRAY)
		depth++;
	for (;; t = chat_next(s)) {
		if (t == JSON_BAD)
			return -1;
		if (t == JSON_KEY && plain && chat_is_one(s, silent,
		    CHAT_COUNT(silent))) {
			if (chat_past(s, chat_next(s)) < 0)
				return -1;
		} else if (t == JSON_STRING || (t == JSON_KEY && !plain)) {
			chat_count_string(s);
			if (!plain)
				s->milli += M_MARKS;
		} else if (t == JSON_NUMBER) {
			s->milli += M_DIGIT * (int64_t)s->j.tok_len;
		}
		if (s->j.depth < depth)
			return 0;
	}
}

int
chat_invalid(struct chat_walk *s, const char *param, const char *why)
{
	fault_set(s->f, FAULT_INVALID_REQUEST, param, "%s", why);
	return -1;
}
