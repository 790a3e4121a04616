#include "answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX	(64u << 20)

enum { HEAD, BODY, SIZE, CHUNK, CHUNK_END, TRAILER, WHOLE };

void
answer_clear(struct answer *a)
{
	a->nhead = a->nbody = 0;
	a->chunked = a->close = false;
	a->length = -1;
	a->state = HEAD;
	a->left = 0;
}

static int
append(char **to, size_t *have, size_t *room, const char *p, size_t n)
{
	char *bigger;

	if (n > MAX - *have)
		return -1;
	if (*have + n + 1 > *room) {
		*room = (*have + n + 1) * 2;
		bigger = realloc(*to, *room);
		if (bigger == NULL)
			return -1;
		*to = bigger;
	}
	memcpy(*to + *have, p, n);
	*have += n;
	(*to)[*have] = '\0';
	return 0;
}

static void
read_head(struct answer *a)
{
	const char *p = strcasestr(a->head, "\r\ncontent-length:");

	a->chunked = strcasestr(a->head, "\r\ntransfer-encoding: chunked");
	a->close = strcasestr(a->head, "\r\nconnection: close");
	if (p != NULL)
		a->length = strtol(p + 17, NULL, 10);
	if (a->chunked)
		a->state = SIZE;
	else
		a->state = a->length == 0 ? WHOLE : BODY;
}

/* The head, up to its empty line: how much of p belongs to it, -1 if it
 * grows beyond reason. */
static long
take_head(struct answer *a, const char *p, size_t n)
{
	size_t before = a->nhead;
	char *end;

	if (n > 65536)
		n = 65536;
	if (append(&a->head, &a->nhead, &a->head_room, p, n) != 0 ||
	    a->nhead > 131072)
		return -1;
	end = strstr(a->head, "\r\n\r\n");
	if (end == NULL)
		return (long)n;
	end[4] = '\0';
	a->nhead = (size_t)(end + 4 - a->head);
	read_head(a);
	return (long)(a->nhead - before);
}

/* One byte of what stands between chunks. */
static int
take_frame(struct answer *a, char c)
{
	const char *digits = "0123456789abcdef", *d;

	if (a->state == CHUNK_END) {
		if (c == '\n')
			a->state = SIZE;
		return 0;
	}
	if (a->state == TRAILER) {
		if (c == '\n')
			a->state = WHOLE;
		return 0;
	}
	if (c == '\n') {
		a->state = a->left > 0 ? CHUNK : TRAILER;
		return 0;
	}
	if (c == '\r')
		return 0;
	d = strchr(digits, c | 0x20);
	if (d == NULL || c == '\0' || a->left > MAX)
		return -1;
	a->left = a->left * 16 + (size_t)(d - digits);
	return 0;
}

/* Bytes of the body proper: how many of p. */
static long
take_body(struct answer *a, const char *p, size_t n)
{
	size_t want = n;

	if (a->state == CHUNK)
		want = a->left;
	else if (a->length >= 0)
		want = (size_t)a->length - a->nbody;
	if (n > want)
		n = want;
	if (append(&a->body, &a->nbody, &a->body_room, p, n) != 0)
		return -1;
	if (a->state == CHUNK) {
		a->left -= n;
		if (a->left == 0)
			a->state = CHUNK_END;
	} else if (a->length >= 0 && a->nbody == (size_t)a->length) {
		a->state = WHOLE;
	}
	return (long)n;
}

int
answer_take(struct answer *a, const char *p, size_t n)
{
	long took;

	while (n > 0) {
		if (a->state == WHOLE)
			return -1;
		if (a->state == HEAD)
			took = take_head(a, p, n);
		else if (a->state == BODY || a->state == CHUNK)
			took = take_body(a, p, n);
		else
			took = take_frame(a, *p) == 0 ? 1 : -1;
		if (took < 0)
			return -1;
		p += took;
		n -= (size_t)took;
	}
	return a->state == WHOLE;
}

int
answer_end(const struct answer *a)
{
	return a->state == BODY && a->length < 0 ? 1 : -1;
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what)) != NULL) {
		text += strlen(what);
		n++;
	}
	return n;
}

static bool
right_object(const char *body, size_t tokens)
{
	const char *p = strstr(body, "\"content\":\"");
	char word[32];

	if (p == NULL || strstr(body, "\"finish_reason\":\"stop\"") == NULL)
		return false;
	p += strlen("\"content\":\"");
	for (size_t i = 1; i <= tokens; i++) {
		size_t n = (size_t)snprintf(word, sizeof(word), "w%zu ", i);

		if (strncmp(p, word, n) != 0)
			return false;
		p += n;
	}
	return *p == '"';
}

bool
answer_right(const struct answer *a, bool stream, size_t tokens)
{
	static const char last[] = "data: [DONE]\n\n";
	size_t n = sizeof(last) - 1;

	if (a->nhead < 12 || strncmp(a->head + 8, " 200", 4) != 0 ||
	    a->nbody < n)
		return false;
	if (!stream)
		return right_object(a->body, tokens);
	return count(a->body, "\"content\":\"w") == tokens &&
	    count(a->body, "\"finish_reason\":\"stop\"") == 1 &&
	    strcmp(a->body + a->nbody - n, last) == 0;
}
