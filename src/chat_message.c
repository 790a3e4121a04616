#include "chat_walk.h"

#include <string.h>

#include "chat.h"
#include "config.h"
#include "fault.h"
#include "text.h"

/* What an image costs when nobody says its size, and in detail "low" (OpenAI's
 * vision guide, read 2026-11-20). */
enum { T_IMAGE = 1100, T_IMAGE_LOW = 85 };

struct message {
	size_t		 i;
	bool		 role;		/* a valid one was seen */
	bool		 assistant;
	bool		 user;
	bool		 content;	/* a string or an array */
	bool		 instead;	/* what may stand for content */
};

static int
bad_message(struct chat_walk *s, const struct message *m, const char *why)
{
	fault_set(s->f, FAULT_INVALID_REQUEST, "messages", "messages[%zu]%s",
	    m->i, why);
	return -1;
}

static int
bad_part(struct chat_walk *s, const struct message *m, size_t part)
{
	fault_set(s->f, FAULT_INVALID_REQUEST, "messages",
	    "messages[%zu].content[%zu] must be an object with a type, such as "
	    "{\"type\":\"text\",\"text\":\"...\"}", m->i, part);
	return -1;
}

/* What is known of a part of a content array. */
struct part {
	bool		 typed, picture, low;
};

static int
part_type(struct chat_walk *s, struct part *p)
{
	enum json_token t = chat_next(s);

	if (t != JSON_STRING)
		return chat_past(s, t);
	p->typed = true;
	p->picture = CHAT_IS(s, "image_url") || CHAT_IS(s, "input_image");
	if (CHAT_IS(s, "input_audio"))
		s->c->needs |= CONFIG_CAN_AUDIO;
	return 0;
}

static int
part_detail(struct chat_walk *s, struct part *p)
{
	enum json_token t = chat_next(s);

	if (t == JSON_STRING)
		p->low = CHAT_IS(s, "low");
	return chat_past(s, t);
}

/* The value of image_url: {"url":...,"detail":"low"} or the URL alone. */
static int
part_image(struct chat_walk *s, struct part *p)
{
	enum json_token t = chat_next(s);

	if (t != JSON_OBJECT)
		return chat_past(s, t);
	while ((t = chat_next(s)) == JSON_KEY)
		if (CHAT_IS(s, "detail") ? part_detail(s, p) < 0 :
		    chat_past(s, chat_next(s)) < 0)
			return -1;
	return t == JSON_BAD ? -1 : 0;
}

/* One member of a part, its key being the last token. Bytes of a recording or
 * a file are no text. */
static int
part_member(struct chat_walk *s, struct part *p)
{
	static const struct chat_word bytes[] = {
		CHAT_WORD("input_audio"), CHAT_WORD("file"),
		CHAT_WORD("video_url")
	};

	if (CHAT_IS(s, "type"))
		return part_type(s, p);
	if (CHAT_IS(s, "image_url"))
		return part_image(s, p);
	if (CHAT_IS(s, "detail"))
		return part_detail(s, p);
	if (chat_is_one(s, bytes, CHAT_COUNT(bytes)))
		return chat_past(s, chat_next(s));
	return chat_count(s, chat_next(s), true);
}

/* One part, after its '{'. */
static int
part(struct chat_walk *s, const struct message *m, size_t i)
{
	struct part p = { 0 };
	enum json_token t;

	while ((t = chat_next(s)) == JSON_KEY)
		if (part_member(s, &p) < 0)
			return -1;
	if (t == JSON_BAD)
		return -1;
	if (!p.typed)
		return bad_part(s, m, i);
	if (p.picture) {
		s->c->needs |= CONFIG_CAN_VISION;
		s->images += p.low ? T_IMAGE_LOW : T_IMAGE;
	}
	return 0;
}

static int
content(struct chat_walk *s, struct message *m)
{
	enum json_token t = chat_next(s);
	size_t i;

	if (t == JSON_NULL || t == JSON_BAD)
		return t == JSON_BAD ? -1 : 0;
	m->content = true;
	if (t == JSON_STRING) {
		chat_count_string(s);
		return 0;
	}
	if (t != JSON_ARRAY)
		return bad_message(s, m,
		    ".content must be a string or an array of parts");
	for (i = 0; (t = chat_next(s)) != JSON_CLOSE; i++) {
		if (t == JSON_BAD)
			return -1;
		if (t != JSON_OBJECT)
			return bad_part(s, m, i);
		if (part(s, m, i) < 0)
			return -1;
	}
	return 0;
}

static int
role(struct chat_walk *s, struct message *m)
{
	static const struct chat_word roles[] = {
		CHAT_WORD("user"), CHAT_WORD("assistant"), CHAT_WORD("system"),
		CHAT_WORD("tool"), CHAT_WORD("developer"), CHAT_WORD("function")
	};
	enum json_token t = chat_next(s);

	if (t == JSON_BAD)
		return -1;
	if (t != JSON_STRING || !chat_is_one(s, roles, CHAT_COUNT(roles)))
		return bad_message(s, m, ".role must be one of system, "
		    "developer, user, assistant, tool, function");
	m->role = true;
	m->user = CHAT_IS(s, "user");
	m->assistant = CHAT_IS(s, "assistant");
	return 0;
}

/* Any other member of a message. An assistant that called a tool, refused or
 * only thought has no content. */
static int
other(struct chat_walk *s, struct message *m)
{
	static const struct chat_word instead[] = {
		CHAT_WORD("tool_calls"), CHAT_WORD("function_call"),
		CHAT_WORD("refusal"), CHAT_WORD("audio"),
		CHAT_WORD("reasoning"), CHAT_WORD("reasoning_content")
	};
	bool stands = chat_is_one(s, instead, CHAT_COUNT(instead));
	bool silent = CHAT_IS(s, "tool_call_id");
	enum json_token t = chat_next(s);

	if (stands && t != JSON_NULL)
		m->instead = true;
	return silent ? chat_past(s, t) : chat_count(s, t, true);
}

/* One message, after its '{'. */
static int
message(struct chat_walk *s, struct message *m)
{
	enum json_token t;
	int result;

	while ((t = chat_next(s)) == JSON_KEY) {
		if (CHAT_IS(s, "role"))
			result = role(s, m);
		else if (CHAT_IS(s, "content"))
			result = content(s, m);
		else
			result = other(s, m);
		if (result < 0)
			return -1;
	}
	if (t == JSON_BAD)
		return -1;
	if (!m->role)
		return bad_message(s, m, ".role is missing; it must be one of "
		    "system, developer, user, assistant, tool, function");
	if (m->content || (m->assistant && m->instead))
		return 0;
	return bad_message(s, m, m->assistant ?
	    ".content is missing and there are no tool_calls" :
	    ".content is missing; it must be a string or an array of parts");
}

/* Eight bytes at a time, for text_hash waits for a product for each one. */
static uint64_t
mix(uint64_t h, const char *p, size_t n)
{
	uint64_t w;

	for (; n >= sizeof(w); p += sizeof(w), n -= sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		h = (h ^ w) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 32;
	}
	return text_hash(h, p, n);
}

/* The number of a conversation. A hash of all bytes would cost more than the
 * scan where an agent sends 100 KB of instructions, so it takes the length
 * and both ends: the first question is the end. */
static uint64_t
thread(const char *p, size_t n)
{
	const size_t most = 256;
	uint64_t h = text_hash(TEXT_HASH, &n, sizeof(n));

	if (n <= 2 * most)
		return mix(h, p, n);
	h = mix(h, p, most);
	return mix(h, p + n - most, most);
}

int
chat_messages(struct chat_walk *s)
{
	static const char rule[] = "messages must be a non-empty array";
	struct chat *c = s->c;
	size_t first = 0, end = 0;
	bool user = false;
	enum json_token t = chat_next(s);

	if (t == JSON_BAD)
		return -1;
	if (t != JSON_ARRAY)
		return chat_invalid(s, "messages", rule);
	for (c->messages = 0; (t = chat_next(s)) != JSON_CLOSE; c->messages++) {
		struct message m = { .i = c->messages };

		if (t == JSON_BAD)
			return -1;
		if (t != JSON_OBJECT)
			return bad_message(s, &m, " must be an object");
		if (m.i == 0)
			first = s->j.tok;
		if (message(s, &m) < 0)
			return -1;
		if (m.i == 0 || (m.user && !user))
			end = s->j.at;
		user = user || m.user;
	}
	if (c->messages == 0)
		return chat_invalid(s, "messages", rule);
	c->thread = thread(s->j.p + first, end - first);
	return 0;
}
