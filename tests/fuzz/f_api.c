/* Requests, from the variables of CGI to the answer: whatever path, headers and
 * body come, the answer is one, whole and of the shape that it says; nobody
 * learns a model's name without the token, and no other origin than the
 * configured one is let in.
 *
 * The first byte: whether a token is needed. Then NAME=value, each ended by a
 * NUL; an empty one ends them, and the body follows. Providers have no memory
 * for a call here: each chat that gets so far ends in that fault. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answer.h"
#include "api.h"
#include "buf.h"
#include "config.h"
#include "fault.h"
#include "fetch.h"
#include "http.h"
#include "json.h"
#include "ledger.h"
#include "loop.h"
#include "relay.h"
#include "text.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define VARIABLES	64
#define ORIGIN		"https://a.example"
#define TOKEN		"rlv-sesame"
#define HASH		"ed31851b5d37c01fcec11999cb947dce" \
			"7ae4011fae90b53a2a661969f63c5c99"

static void
must(bool holds)
{
	if (!holds)
		abort();
}

struct fetcher *
fetcher_new(struct loop *l)
{
	(void)l;
	return malloc(1);
}

void
fetcher_free(struct fetcher *fr)
{
	free(fr);
}

struct fetch_target *
fetch_target(struct fetcher *fr, const struct fetch_spec *spec)
{
	(void)spec;
	return (struct fetch_target *)fr;
}

struct fetch *
fetch_start(struct fetcher *fr, struct fetch_target *t, const char *body,
    size_t n, const struct fetch_events *events, void *arg)
{
	(void)fr, (void)t, (void)body, (void)n, (void)events, (void)arg;
	return NULL;
}

void
fetch_cancel(struct fetch *f)
{
	must(f == NULL);
}

void
fetch_resume(struct fetch *f)
{
	must(f == NULL);
}

const char *
fetch_version(void)
{
	return "";
}

static struct buf heard;
static bool over;

static bool
sink_put(struct sink *s, const char *p, size_t n)
{
	(void)s;
	must(!over && buf_put(&heard, p, n) == 0);
	return false;
}

static void
sink_end(struct sink *s, bool whole)
{
	(void)s;
	must(!over && whole);
	over = true;
}

/* The value of a line of the answer's head, or NULL. */
static const char *
line(const char *name)
{
	static char value[512];
	const char *p;
	size_t n;

	p = http_find(heard.data, heard.len, name, &n);
	if (p == NULL)
		return NULL;
	snprintf(value, sizeof(value), "%.*s", (int)n, p);
	return value;
}

/* What answers without a token. */
static bool
open_to_all(const struct http *h)
{
	size_t n = strlen(h->path);

	return h->method == HTTP_OPTIONS || strcmp(h->path, "/") == 0 ||
	    memmem(h->path, n, "/health", 7) != NULL ||
	    memmem(h->path, n, "/v1/tcp_warming", 15) != NULL ||
	    memmem(h->path, n, ".cgi", 4) != NULL ||
	    memmem(h->path, n, ".fcgi", 5) != NULL;
}

/* named: the request itself has the model's name; an answer may repeat it. */
static void
check(const struct http *h, bool locked, bool named)
{
	const char *p = buf_str(&heard), *body = strstr(p, "\r\n\r\n"), *v;
	const char *why;
	int status;
	size_t n, where;

	must(over && memcmp(p, "Status: ", 8) == 0 && body != NULL);
	body += 4;
	status = atoi(p + 8);
	n = heard.len - (size_t)(body - p);
	must(status >= 200 && status <= 503);
	v = line("access-control-allow-origin");
	must(v == NULL || (h->origin != NULL && strcmp(h->origin, ORIGIN) == 0
	    && strcmp(v, ORIGIN) == 0));
	must(line("access-control-allow-credentials") == NULL);
	must((v = line("x-request-id")) != NULL && strcmp(v, h->id) == 0);
	v = line("content-length");
	must(v == NULL || h->method == HTTP_HEAD ||
	    strtoul(v, NULL, 10) == n);
	/* /metrics is the one that is not JSON. */
	v = line("content-type");
	must(n == 0 || (status == 200 && v != NULL &&
	    strncmp(v, "text/plain", 10) == 0) ||
	    json_check(body, n, &where, &why) == 0);
	must(status < 400 || h->method == HTTP_HEAD ||
	    memcmp(body, "{\"error\":{\"message\":", 20) == 0);
	if (!locked || (h->token != NULL && strcmp(h->token, TOKEN) == 0))
		return;
	must(named || memmem(p, heard.len, "hidden-model", 12) == NULL);
	must(status != 200 || open_to_all(h));
}

static struct config *
load(const char *access)
{
	struct config *c;
	struct buf errors;
	char path[64], text[1024];
	int fd = memfd_create("config", MFD_CLOEXEC), n;

	n = snprintf(text, sizeof(text), "server { state = /nowhere/at/all "
	    "access = %s\nallowed-origins = {\"" ORIGIN "\"} }\n"
	    "route { max-wait = 0s }\n"
	    "provider p { url = https://p.example/v1 key = test-key-p1 }\n"
	    "model p/hidden-model { rpm = 30 can = {tools, vision} }\n"
	    "alias fast { models = {\"p/*\"} }\n"
	    "client bot { token = \"blake2b:" HASH "\" rpd = 9 }\n", access);
	must(fd >= 0 && fchmod(fd, 0600) == 0);
	must(write(fd, text, (size_t)n) == n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	buf_init(&errors, 1 << 20);
	c = config_load(path, &errors, NULL);
	if (c == NULL)
		puts(buf_str(&errors));
	must(c != NULL && c->nlanes == 1);
	buf_release(&errors);
	close(fd);
	return c;
}

struct house {
	struct config	*cfg;
	struct ledger	*ledger;
	struct relays	*relays;
	struct api	*api;
};

static struct loop *loop;

static void
furnish(struct house *h, const char *access)
{
	struct text_time now;

	text_clock(&now);
	h->cfg = load(access);
	h->ledger = ledger_open(h->cfg, &now);
	must(h->ledger != NULL);
	h->relays = relays_new(loop, h->cfg, h->ledger);
	must(h->relays != NULL);
	h->api = api_new(h->cfg, h->ledger, h->relays);
	must(h->api != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct house houses[2];
	struct sink sink = { sink_put, sink_end };
	struct api_request rq = { .fault = { .code = FAULT_NONE } };
	char *envp[VARIABLES + 1], *copy;
	size_t count = 0, i;
	struct house *at;
	struct http h;

	if (n < 1)
		return 0;
	if (loop == NULL) {
		must((loop = loop_new()) != NULL);
		furnish(&houses[0], "open");
		furnish(&houses[1], "token");
	}
	at = &houses[data[0] % 2];
	copy = malloc(n);
	must(copy != NULL);
	memcpy(copy, data + 1, n - 1);
	copy[n - 1] = '\0';
	for (i = 0; i < n - 1 && copy[i] != '\0' && count < VARIABLES;
	    i += strlen(copy + i) + 1)
		envp[count++] = copy + i;
	envp[count] = NULL;
	(void)http_read(&h, envp, NULL, &rq.fault);
	if (i + 1 < n - 1) {
		rq.len = n - 1 - (i + 1);
		rq.body = malloc(rq.len + 1);
		must(rq.body != NULL);
		memcpy(rq.body, copy + i + 1, rq.len);
		rq.body[rq.len] = '\0';
	} else {
		rq.body = strdup("");
		must(rq.body != NULL);
	}
	over = false;
	buf_init(&heard, 16 << 20);
	rq.http = &h;
	if (api_start(at->api, &rq, &sink) != NULL)
		must(!over && loop_run(loop) == 0);
	check(&h, data[0] % 2 == 1, memmem(data, n, "hidden", 6) != NULL);
	must(relays_live(at->relays) == 0);
	buf_release(&heard);
	free(copy);
	return 0;
}
