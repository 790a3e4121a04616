/* An answer of any kind, judged and looked at; and, if it is JSON, spliced and
 * stripped. The first byte picks the provider, the second the status; a blank
 * line ends the head. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "chat.h"
#include "config.h"
#include "json.h"
#include "provider.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define NOW	INT64_C(1795262400000)
#define DAY	INT64_C(86400000)

static char *drop[] = { "user", "a", "messages", NULL };
static struct config_pair rename_[] = { { "seed", "random_seed" },
    { "b", "a" }, { NULL, NULL } };
static struct config_model model = { .id = "real/\"id\"" };

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
check_verdict(const struct provider_verdict *v)
{
	const char *p;

	must(v->row != NULL && v->action <= PROVIDER_FAIL);
	must(v->scope <= PROVIDER_ACCOUNT && v->reason < QUOTA_REASONS);
	must(v->until == 0 || (v->until >= NOW + 1000 &&
	    v->until <= NOW + 32 * DAY));
	must(v->until == 0 || v->scope != PROVIDER_NONE);
	must(v->wait_ms >= 0 && v->wait_ms <= 60000);
	must((v->action == PROVIDER_STRIP) == (v->strip[0] != '\0'));
	must(strspn(v->strip, "abcdefghijklmnopqrstuvwxyz_") ==
	    strlen(v->strip));
	must((v->action == PROVIDER_USE) == (v->fault.code == FAULT_NONE));
	must(v->fault.retry_ms >= -1);
	for (p = v->fault.message; *p != '\0'; p++)
		must((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void
answer(const uint8_t *data, size_t n)
{
	static char *const names[] = { "groq", "gemini", "openrouter",
	    "mistral", "nvidia", "cloudflare", "zai", "cohere", "cerebras",
	    "xai", "sambanova", "openai", "anthropic", "ollama-cloud", "any" };
	struct config_provider p = { .title = "T", .url = "" };
	struct provider_answer a = { .status = 200 + data[1] % 200 * 2 };
	struct provider_verdict v;
	struct quota_seen seen[4];
	size_t i, k;

	p.name = names[data[0] % (sizeof(names) / sizeof(names[0]))];
	p.day = data[0] % 4;
	a.net = data[1] >= 200 ? FAULT_UPSTREAM_ERROR : FAULT_NONE;
	a.head = (const char *)data + 2;
	a.head_len = n - 2;
	a.body = memmem(a.head, a.head_len, "\r\n\r\n", 4);
	if (a.body != NULL) {
		a.body += 4;
		a.head_len = (size_t)(a.body - a.head);
		a.body_len = n - 2 - a.head_len;
	}
	provider_judge(&p, &a, NOW, &v);
	check_verdict(&v);
	k = provider_observe(&p, a.head, a.head_len, NOW, seen, 4);
	must(k <= 4);
	for (i = 0; i < k; i++) {
		must(seen[i].max >= -1 && seen[i].remaining >= -1);
		must(seen[i].max < 0 || seen[i].remaining <= seen[i].max);
		must(seen[i].reset == -1 || (seen[i].reset >= NOW &&
		    seen[i].reset <= NOW + 366 * DAY));
	}
}

/* The members that provider_body goes by, found without chat_scan, so that
 * bodies which are no chat are spliced as well. False if one is there twice:
 * chat_scan lets none such through. */
static bool
members(struct chat *c, const char *p, size_t n)
{
	struct chat_span *span;
	size_t key;
	struct json j;

	memset(c, 0, sizeof(*c));
	c->empty = true;
	json_begin(&j, p, n);
	if (json_next(&j) != JSON_OBJECT)
		return false;
	while (json_next(&j) == JSON_KEY) {
		c->empty = false;
		span = json_is(&j, "model") ? &c->model_at :
		    json_is(&j, "stream") ? &c->stream_at :
		    json_is(&j, "stream_options") ? &c->options_at : NULL;
		key = j.tok;
		json_next(&j);
		if (span != NULL && span->len > 0)
			return false;
		if (span != NULL)
			span->at = key;
		if (span != NULL)
			span->value = j.tok;
		json_skip(&j);
		if (span != NULL)
			span->len = j.at - key;
	}
	return true;
}

static void
splice(const char *p, size_t n, const struct config_provider *to, bool stream)
{
	const char *why;
	struct buf out;
	struct chat c;
	size_t at;

	if (!members(&c, p, n))
		return;
	buf_init(&out, 2 * n + 4096);
	if (provider_body(to, &model, &c, p, n, stream, &out) == 0)
		must(json_check(out.data, out.len, &at, &why) == 0);
	else
		must(out.len == 0);
	buf_release(&out);
}

static void
strip(const char *p, size_t n)
{
	const char *why;
	struct buf out;
	size_t at;

	buf_init(&out, n);
	if (provider_strip(p, n, "user", &out) == 0) {
		must(json_check(out.data, out.len, &at, &why) == 0);
		must(out.len < n);
	} else {
		must(out.len == 0);
	}
	buf_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct config_provider plain = { .stream_usage = true },
	    bare = { .stream_usage = false },
	    picky = { .drop = drop, .rename = rename_, .stream_usage = true };
	const char *why;
	size_t at;

	if (n < 2)
		return 0;
	answer(data, n);
	if (json_check((const char *)data, n, &at, &why) < 0)
		return 0;
	splice((const char *)data, n, &plain, true);
	splice((const char *)data, n, &plain, false);
	splice((const char *)data, n, &bare, true);
	splice((const char *)data, n, &picky, true);
	strip((const char *)data, n);
	return 0;
}
