#include "dial.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "config.h"
#include "fetch.h"

#define DIAL_HEADERS	(CONFIG_HEADERS + 2)	/* lines of a call's head */
#define DIAL_HEAD	(CONFIG_HEAD + 32 * 1024)	/* with URL and key */

struct dial {
	struct loop		*loop;
	const struct config	*cfg;
	struct fetcher		*fetcher;
	struct fetch_target	***targets;	/* [provider][key] */
};

struct dial *
dial_new(struct loop *loop, const struct config *cfg)
{
	struct dial *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->loop = loop;
	d->cfg = cfg;
	d->targets = calloc(cfg->nproviders + 1, sizeof(*d->targets));
	if (d->targets == NULL)
		goto fail;
	for (size_t i = 0; i < cfg->nproviders; i++) {
		d->targets[i] = calloc(cfg->providers[i].nkeys + 1,
		    sizeof(**d->targets));
		if (d->targets[i] == NULL)
			goto fail;
	}
	return d;
fail:
	dial_free(d);
	return NULL;
}

void
dial_warm(struct dial *d)
{
	if (d->fetcher == NULL)
		d->fetcher = fetcher_new(d->loop);
}

void
dial_free(struct dial *d)
{
	if (d == NULL)
		return;
	fetcher_free(d->fetcher);
	for (size_t i = 0; d->targets != NULL && i < d->cfg->nproviders; i++)
		free(d->targets[i]);
	free(d->targets);
	free(d);
}

/* The URL and the header lines, each ended by a NUL, one after the other. */
static void
lines_put(const struct config_provider *p, const struct config_key *key,
    struct buf *b)
{
	(void)buf_puts(b, p->url);
	(void)buf_put(b, "/chat/completions", 18);
	(void)buf_put(b, "Content-Type: application/json", 31);
	if (key->secret[0] != '\0') {
		(void)buf_puts(b, "Authorization: Bearer ");
		(void)buf_put(b, key->secret, strlen(key->secret) + 1);
	}
	for (size_t i = 0; p->headers != NULL && p->headers[i].name; i++) {
		(void)buf_puts(b, p->headers[i].name);
		(void)buf_puts(b, ": ");
		(void)buf_put(b, p->headers[i].value,
		    strlen(p->headers[i].value) + 1);
	}
}

/* Made at first use: a CGI process needs one of them, not all. */
static struct fetch_target *
target_of(struct dial *d, const struct config_lane *lane)
{
	const struct config_provider *p = &d->cfg->providers[lane->provider];
	struct fetch_target **t = &d->targets[lane->provider][lane->key];
	const char *headers[DIAL_HEADERS + 1];
	size_t n = 0, at;
	struct buf b;

	if (*t != NULL)
		return *t;
	dial_warm(d);
	buf_init(&b, DIAL_HEAD);
	lines_put(p, &p->keys[lane->key], &b);
	if (d->fetcher == NULL || b.failed)
		goto out;
	for (at = strlen(b.data) + 1; at < b.len && n < DIAL_HEADERS;
	    at += strlen(b.data + at) + 1)
		headers[n++] = b.data + at;
	headers[n] = NULL;
	*t = fetch_target(d->fetcher, &(struct fetch_spec){
		.url = b.data, .headers = headers, .ca_path = d->cfg->ca_path,
		.proxy = d->cfg->proxy, .connect_ms = p->connect_ms,
		.http2 = p->http2, .insecure = p->insecure,
	});
out:
	buf_release(&b);
	return *t;
}

struct fetch *
dial_fetch(struct dial *d, size_t lane, const char *body, size_t n,
    const struct fetch_events *events, void *arg)
{
	struct fetch_target *t = target_of(d, &d->cfg->lanes[lane]);

	return t == NULL ? NULL :
	    fetch_start(d->fetcher, t, body, n, events, arg);
}
