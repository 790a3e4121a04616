#include "chunk.h"

#include <string.h>

#include "buf.h"
#include "json.h"

/* ---- the shape ---- */

void
chunk_shape(struct chunk_shape *s, const char *p, size_t n,
    struct chunk_span text)
{
	size_t head = text.at + 1, end = text.at + text.len - 1;

	s->head = 0;
	if (text.len < 2 || p[text.at] != '"' || head + n - end > CHUNK_SHAPE ||
	    memchr(p, '\n', head) != NULL ||
	    memchr(p + end, '\n', n - end) != NULL)
		return;
	memcpy(s->bytes, p, head);
	memcpy(s->bytes + head, p + end, n - end);
	s->tail = (uint16_t)(n - end);
	s->head = (uint16_t)head;
}

bool
chunk_fits(const struct chunk_shape *s, const char *p, size_t n,
    struct chunk_span *text, int64_t *bytes)
{
	struct json j;

	if (s->head == 0 || n <= (size_t)s->head + s->tail ||
	    memcmp(p + n - s->tail, s->bytes + s->head, s->tail) != 0 ||
	    memcmp(p, s->bytes, s->head) != 0)
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

size_t
chunk_leads(const struct chunk_shape *s, const char *p, size_t n,
    int64_t *bytes)
{
	const char *text, *end;
	struct json j;

	if (s->head == 0 || n < 6u + s->head + s->tail + 2 ||
	    memcmp(p, "data: ", 6) != 0 ||
	    memcmp(p + 6, s->bytes, s->head) != 0)
		return 0;
	text = p + 6 + s->head - 1;
	json_begin(&j, text, n - (size_t)(text - p));
	if (json_next(&j) != JSON_STRING || j.tok_len == 2)
		return 0;
	/* The shape's tail begins with the quote. */
	end = text + j.tok_len - 1;
	if ((size_t)(p + n - end) < s->tail + 2u ||
	    memcmp(end, s->bytes + s->head, s->tail) != 0 ||
	    memcmp(end + s->tail, "\n\n", 2) != 0)
		return 0;
	*bytes = chunk_length(&j);
	return (size_t)(end - p) + s->tail + 2;
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
