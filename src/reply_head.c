#include "reply.h"

#include <string.h>

#include "http.h"
#include "text.h"

/* The media type of a Content-Type, without parameters: Z.ai sends
 * "text/event-stream;charset=UTF-8" (seen 2026-07). */
static size_t
media_type(const char *p, size_t n)
{
	const char *semi = memchr(p, ';', n);

	if (semi != NULL)
		n = (size_t)(semi - p);
	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	return n;
}

void
reply_head(struct reply *r, const char *head, size_t n)
{
	size_t len = 0;
	const char *p = http_find(head, n, "Content-Encoding", &len);

	if (r->failed)
		return;
	if (p != NULL && len > 0 && !text_isi(p, len, "identity")) {
		reply_malformed(r, "The provider sent an encoded body although "
		    "none was asked for.");
		return;
	}
	p = http_find(head, n, "Content-Type", &len);
	len = p != NULL ? media_type(p, len) : 0;
	r->is_json = len > 0 && (text_isi(p, len, "application/json") ||
	    (len > 5 && text_isi(p + len - 5, 5, "+json")));
	if (!r->is_json && (len == 0 ||
	    !text_isi(p, len, "text/event-stream")))
		reply_malformed(r, "The provider's answer is neither an event "
		    "stream nor JSON.");
	else if (!r->is_json && r->spec.mode == REPLY_JSON)
		reply_malformed(r, "The provider sent an event stream although "
		    "one JSON object was asked for.");
}
