/* Questions: what the scan lets through is JSON, the places that it names are
 * the members, and a body with one of them cut out or put in again is read the
 * same. The estimate of a string does not depend on what was escaped. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "chat.h"
#include "chat_walk.h"
#include "fault.h"
#include "json.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* The member stands where its span says: a key of that name, a colon, and one
 * whole value. */
static void
check_span(const char *p, size_t n, const struct chat_span *s,
    const char *name)
{
	const char *why;
	struct json j;
	size_t at;

	if (s->len == 0)
		return;
	must(s->at < n && s->len <= n - s->at);
	must(s->value > s->at && s->value < s->at + s->len);
	must(json_check(p + s->value, s->at + s->len - s->value, &at, &why) ==
	    0);
	json_begin(&j, p + s->at, s->value - s->at);
	must(json_next(&j) == JSON_STRING && json_is(&j, name));
}

/* The strings of the body, counted escaped and counted as what they mean. */
static void
check_estimates(const char *p, size_t n)
{
	enum json_token t;
	struct json j;
	struct buf b;

	json_begin(&j, p, n);
	while ((t = json_next(&j)) != JSON_END && t != JSON_BAD) {
		if (t != JSON_STRING && t != JSON_KEY)
			continue;
		buf_init(&b, j.tok_len);
		must(json_text(&j, &b) == 0);
		must(chat_estimate(buf_str(&b), b.len) ==
		    chat_estimate_json(p + j.tok + 1, j.tok_len - 2));
		buf_release(&b);
	}
}

/* Without the value of `model` replaced by another, nothing else changes. */
static void
check_splice(const char *p, size_t n, const struct chat *c)
{
	size_t end = c->model_at.at + c->model_at.len;
	struct fault f;
	struct chat d;
	struct buf b;

	if (c->model_at.len == 0)
		return;
	buf_init(&b, n + 16);
	buf_put(&b, p, c->model_at.value);
	buf_puts(&b, "\"other\"");
	buf_put(&b, p + end, n - end);
	must(chat_scan(&d, buf_str(&b), b.len, &f) == 0);
	must(strcmp(d.model, "other") == 0);
	must(d.stream == c->stream && d.want_usage == c->want_usage);
	must(d.needs == c->needs && d.messages == c->messages);
	must(d.prompt == c->prompt && d.output == c->output);
	must(d.thread == c->thread);
	buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *p = malloc(n > 0 ? n : 1);
	const char *why;
	struct fault f;
	struct chat c;
	size_t at;
	int json;

	must(p != NULL);
	if (n > 0)
		memcpy(p, data, n);
	must(chat_estimate(p, n) >= 0);
	json = json_check(p, n, &at, &why);
	if (chat_scan(&c, p, n, &f) < 0) {
		must(f.status == 400 && f.message[0] != '\0');
		must(json < 0 || f.code != FAULT_INVALID_JSON);
	} else {
		must(json == 0 && c.messages > 0 && c.prompt >= 7);
		must(c.output >= -1 && strlen(c.model) < CHAT_MODEL);
		check_span(p, n, &c.model_at, "model");
		check_span(p, n, &c.stream_at, "stream");
		check_span(p, n, &c.options_at, "stream_options");
		check_splice(p, n, &c);
	}
	if (json == 0)
		check_estimates(p, n);
	free(p);
	return 0;
}
