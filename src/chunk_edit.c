#include "chunk.h"

#include <string.h>

#include "buf.h"
#include "json.h"
#include "text.h"

/* ---- the shape ---- */

#define BEFORE	(sizeof("data: ") - 1)		/* of the head, in bytes */
#define BEHIND	(sizeof("\n\n") - 1)		/* of the tail */

void
chunk_shape(struct chunk_shape *s, const char *p, size_t n,
    struct chunk_span text)
{
	size_t head = text.at + 1, end = text.at + text.len - 1;
	size_t tail = n - end;
	char *to = s->bytes;

	s->head = 0;
	if (text.len < 2 || p[text.at] != '"' || head + tail > CHUNK_SHAPE ||
	    memchr(p, '\n', head) != NULL ||
	    memchr(p + end, '\n', tail) != NULL)
		return;
	to = mempcpy(to, "data: ", BEFORE);
	to = mempcpy(to, p, head);
	to = mempcpy(to, p + end, tail);
	memcpy(to, "\n\n", BEHIND);
	s->tail = (uint16_t)tail;
	s->head = (uint16_t)head;
}

bool
chunk_fits(const struct chunk_shape *s, const char *p, size_t n,
    struct chunk_span *text, int64_t *bytes)
{
	const char *head = s->bytes + BEFORE;
	struct json j;

	if (s->head == 0 || n <= (size_t)s->head + s->tail ||
	    memcmp(p + n - s->tail, head + s->head, s->tail) != 0 ||
	    memcmp(p, head, s->head) != 0)
		return false;
	text->at = s->head - 1u;
	text->len = n - s->head - s->tail + 2;
	/* One string and nothing after it, or the text is no text. */
	json_begin(&j, p + text->at, text->len);
	if (json_next(&j) != JSON_STRING || json_next(&j) != JSON_END)
		return false;
	*bytes = chunk_length(&j);
	return true;
}

/* Where the string whose inside begins at `at` ends, at its quote, and how
 * long it is; 0: it does not. Most need no more than the search for the
 * quote. */
static size_t
text_end(const char *p, size_t at, size_t n, int64_t *bytes)
{
	size_t end = text_plain(p, at, n);
	struct json j;

	if (end == n)
		return 0;
	if (p[end] == '"') {
		*bytes = (int64_t)(end - at);
		return end;
	}
	json_begin(&j, p + at - 1, n - at + 1);
	if (json_next(&j) != JSON_STRING)
		return 0;
	*bytes = chunk_length(&j);
	return at + j.tok_len - 2;
}

size_t
chunk_leads(const struct chunk_shape *s, const char *p, size_t n, size_t most,
    int64_t *bytes)
{
	const size_t head = BEFORE + s->head, tail = s->tail + BEHIND;
	size_t at, left, end;
	int64_t text;

	for (at = 0; s->head != 0; at += end + tail) {
		left = n - at < most ? n - at : most;
		if (left < head + tail || memcmp(p + at, s->bytes, head) != 0)
			break;
		end = text_end(p + at, head, left, &text);
		/* The tail begins with the quote. */
		if (end <= head || left - end < tail ||
		    memcmp(p + at + end, s->bytes + head, tail) != 0)
			break;
		*bytes += text;
	}
	return at;
}

/* ---- edits ---- */

int
chunk_edit(struct chunk_edits *e, struct chunk_span what, const char *with)
{
	size_t i;

	if (e->n == CHUNK_EDITS)
		return -1;
	for (i = e->n++; i > 0 && e->edit[i - 1].what.at > what.at; i--)
		e->edit[i] = e->edit[i - 1];
	e->edit[i] = (struct chunk_edit){ what, with };
	return 0;
}

void
chunk_put(const char *p, size_t n, const struct chunk_edits *e, size_t brace,
    const char *relevo, struct buf *out)
{
	const struct chunk_edit *ed;
	size_t at = 0;

	if (relevo != NULL) {
		/* Before every edit: an edit is a member or inside one. */
		at = brace + 1;
		buf_put(out, p, at);
		buf_puts(out, "\"relevo\":");
		buf_puts(out, relevo);
		buf_puts(out, ",");
	}
	for (ed = e->edit; ed < e->edit + e->n; ed++) {
		buf_put(out, p + at, ed->what.at - at);
		buf_puts(out, ed->with);
		at = ed->what.at + ed->what.len;
	}
	buf_put(out, p + at, n - at);
}

void
chunk_one_line(struct buf *out, size_t from)
{
	char *p, *end;

	if (out->failed || out->len <= from)
		return;
	end = out->data + out->len;
	for (p = out->data + from; p < end; p++) {
		p = memchr(p, '\n', (size_t)(end - p));
		if (p == NULL)
			break;
		*p = ' ';
	}
	for (p = out->data + from; p < end; p++) {
		p = memchr(p, '\r', (size_t)(end - p));
		if (p == NULL)
			break;
		*p = ' ';
	}
}
