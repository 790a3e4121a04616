#include "answer.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "fault.h"
#include "http.h"
#include "json.h"

#define ANSWER_HEAD	(16 * 1024)
#define ANSWER_USUAL	511	/* bytes that nearly every head fits in */
#define ANSWER_KEEP	(16 * 1024)	/* memory that an idle stream holds */

/* Append ",provider:word", as much of it as fits. */
static void
trail_add(const struct answer *a, char *trail, size_t size,
    const char *provider, const char *word)
{
	const char *part[] = { ",", provider, ":", a->dared ? "barred+" : "",
	    word };
	size_t at = strlen(trail), n, i;

	for (i = at == 0; i < 5; i++) {
		n = strnlen(part[i], size - 1 - at);
		memcpy(trail + at, part[i], n);
		at += n;
	}
	trail[at] = '\0';
}

void
answer_trail(struct answer *a, const char *provider, const char *word)
{
	trail_add(a, a->trail, sizeof(a->trail), provider, word);
}

void
answer_who(const struct answer *a, const char *provider, const char *model,
    struct buf *out)
{
	char trail[sizeof(a->trail) + 64];
	struct json_out w = { out, false };

	memcpy(trail, a->trail, sizeof(a->trail));
	trail_add(a, trail, sizeof(trail), provider, "ok");
	buf_clear(out);
	json_open(&w, NULL, '{');
	json_put(&w, "provider", provider);
	json_put(&w, "model", model);
	json_put(&w, "attempts", trail);
	json_close(&w, '}');
}

void
answer_put(struct answer *a, struct buf *b)
{
	if (a->headed && b->len > 0 &&
	    a->sink->put(a->sink, b->data, b->len))
		a->full = true;
	if (b->cap > ANSWER_KEEP)
		buf_release(b);
	else
		buf_clear(b);
}

static void
head_begin(const struct answer *a, struct buf *b, int status, const char *type)
{
	buf_init(b, ANSWER_HEAD);
	(void)buf_reserve(b, ANSWER_USUAL);
	http_head(b, a->http, status, type);
	buf_puts(b, "Cache-Control: no-cache, no-transform\r\n"
	    "X-Accel-Buffering: no\r\n");
	if (a->trail[0] != '\0')
		http_header(b, "X-Relevo-Attempts", a->trail);
	(void)http_cors(b, a->http, a->origins);
}

static void
head_end(struct answer *a, struct buf *b)
{
	http_end(b);
	/* Half a head would take what follows for its other half. */
	a->headed = !b->failed;
	answer_put(a, b);
	buf_release(b);
}

void
answer_head(struct answer *a, const char *provider, const char *model)
{
	static const char *const types[] = {
		[REPLY_SSE] = "text/event-stream",
		[REPLY_TEXT] = "text/plain; charset=utf-8",
		[REPLY_JSON] = "application/json",
	};
	struct buf b;

	if (a->headed)
		return;
	head_begin(a, &b, 200, types[a->mode]);
	if (provider != NULL) {
		http_header(&b, "X-Relevo-Provider", provider);
		http_header(&b, "X-Relevo-Model", model);
	}
	head_end(a, &b);
}

void
answer_beat(struct answer *a)
{
	struct buf b;

	answer_head(a, NULL, NULL);
	buf_init(&b, 64);
	/* Not ": ping": one client takes a line that begins so as the end of
	 * the stream (@continuedev/fetch 1.9.0). */
	(void)buf_puts(&b, ": keepalive\n\n");
	answer_put(a, &b);
	buf_release(&b);
}

void
answer_retry(struct buf *head, const struct fault *f)
{
	char s[24];

	if (f->retry_ms >= 0) {
		snprintf(s, sizeof(s), "%lld",
		    (long long)(f->retry_ms + 999) / 1000);
		http_header(head, "Retry-After", s);
		snprintf(s, sizeof(s), "%lld", (long long)f->retry_ms);
		http_header(head, "Retry-After-Ms", s);
	}
	/* Without a time to wait for, the SDK's own retries would only ask all
	 * lanes again; with a day to wait, ask in vain. A wrong token does not
	 * become right. */
	if (f->status >= 429 && (f->retry_ms < 0 || f->code == FAULT_QUOTA ||
	    f->code == FAULT_ATTEMPTS))
		http_header(head, "X-Should-Retry", "false");
}

static void
fault_head(struct answer *a, const struct fault *f)
{
	char bare[80];		/* without memory for more */
	struct buf b;
	int n;

	head_begin(a, &b, f->status, "application/json");
	answer_retry(&b, f);
	head_end(a, &b);
	if (a->headed)
		return;
	n = snprintf(bare, sizeof(bare), "Status: %d\r\n"
	    "Content-Type: application/json\r\n\r\n", f->status);
	a->headed = true;
	if (a->sink->put(a->sink, bare, (size_t)n))
		a->full = true;
}

int
answer_fault(struct answer *a, const struct fault *f, bool *whole)
{
	int status = f->status;
	struct buf b;

	*whole = true;
	buf_init(&b, 64 * 1024);
	if (!a->headed) {
		fault_head(a, f);
		(void)fault_put(f, &b);
	} else {
		status = 200;
		if (a->mode == REPLY_SSE)
			reply_error(f, &b);
		else
			*whole = false;
	}
	answer_put(a, &b);
	buf_release(&b);
	return status;
}
