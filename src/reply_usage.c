#include "reply.h"

#include <inttypes.h>
#include <string.h>

/* Keep the inside of a string or a number, if it fits and needs no care. */
static void
keep(char *out, size_t size, const char *p, struct chunk_span v)
{
	if (v.len > 0 && p[v.at] == '"') {
		v.at++;
		v.len -= 2;
	}
	if (out[0] != '\0' || v.len == 0 || v.len >= size ||
	    memchr(p + v.at, '\\', v.len) != NULL)
		return;
	memcpy(out, p + v.at, v.len);
	out[v.len] = '\0';
}

void
reply_absorb(struct reply *r, const struct chunk *c, const char *p)
{
	if (c->prompt >= 0) {
		r->prompt = c->prompt;
		r->completion = c->completion;
	}
	if (r->id[0] == '\0') {
		keep(r->id, sizeof(r->id), p, c->id);
		keep(r->created, sizeof(r->created), p, c->created);
		keep(r->model, sizeof(r->model), p, c->model);
	}
}

void
reply_usage(struct reply *r, struct buf *out)
{
	if (!r->spec.want_usage || r->usage_told || r->prompt < 0)
		return;
	r->usage_told = true;
	buf_printf(out, "data: {\"id\":\"%s\","
	    "\"object\":\"chat.completion.chunk\",\"created\":%s,"
	    "\"model\":\"%s\",\"choices\":[],\"usage\":{"
	    "\"prompt_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64
	    ",\"total_tokens\":%" PRId64 "}}\n\n",
	    r->id[0] != '\0' ? r->id : "chatcmpl-relevo",
	    r->created[0] != '\0' ? r->created : "0", r->model, r->prompt,
	    r->completion, r->prompt + r->completion);
}
