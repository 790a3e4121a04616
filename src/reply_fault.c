#include "reply.h"

#include <string.h>

#include "json.h"
#include "log.h"

void
reply_give_up(struct reply *r, enum fault_code code, const char *why)
{
	fault_set(&r->fault, code, NULL, "%s", why);
	r->failed = true;
}

void
reply_malformed(struct reply *r, const char *why)
{
	reply_give_up(r, FAULT_UPSTREAM_MALFORMED, why);
}

void
reply_full(struct reply *r, bool starved, const char *why)
{
	reply_give_up(r, starved ? FAULT_INTERNAL : FAULT_UPSTREAM_MALFORMED,
	    starved ? "Memory is out." : why);
}

void
reply_empty(struct reply *r)
{
	reply_give_up(r, FAULT_UPSTREAM_EMPTY,
	    "The provider's answer has no content.");
}

void
reply_cut(struct reply *r)
{
	reply_give_up(r, FAULT_UPSTREAM_CUT,
	    "The provider's answer broke off before its end.");
}

/* The provider told an error in a 200. Its own words go to the client, for
 * several SDKs show nothing else; a key that it may echo does not. */
void
reply_upstream(struct reply *r, const struct chunk *c, const char *p,
    size_t n)
{
	struct buf m;

	buf_init(&m, sizeof(r->fault.message));
	if (c->message.len > 0 && c->message.len <= m.max)
		(void)json_unescape(p + c->message.at, c->message.len, &m);
	else if (c->message.len > m.max)
		(void)buf_put(&m, p + c->message.at, m.max);
	if (m.len > 0)
		fault_set(&r->fault, FAULT_UPSTREAM_ERROR, NULL,
		    "The provider reported an error: %.*s", (int)m.len,
		    buf_str(&m));
	else
		fault_set(&r->fault, FAULT_UPSTREAM_ERROR, NULL,
		    "The provider reported an error.");
	buf_release(&m);
	log_redact(r->fault.message, strlen(r->fault.message));
	r->failed = true;
	r->status = c->status;
	buf_clear(&r->error);
	(void)buf_put(&r->error, p, n);
}

void
reply_error(const struct fault *f, struct buf *out)
{
	buf_puts(out, "data: ");
	fault_put(f, out);
	buf_puts(out, "\n\n");
}
