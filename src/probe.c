#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "json.h"
#include "loop.h"
#include "text.h"

#define PROBE_HEAD	(64 * 1024)
#define PROBE_APART	10		/* ms between two pieces */

struct probes {
	struct loop	*loop;
	struct fetcher	*fetcher;
	struct loop_timer timer;
	struct probe	**all;		/* that run */
	size_t		 n, room;
	bool		 late;
};

static int64_t
clock_now(void)
{
	struct text_time t;

	text_clock(&t);
	return t.mono;
}

static void
on_late(struct loop_timer *t)
{
	struct probes *ps = LOOP_OWNER(t, struct probes, timer);

	ps->late = true;
	loop_stop(ps->loop);
}

struct probes *
probes_new(void)
{
	struct probes *ps = calloc(1, sizeof(*ps));

	if (ps == NULL)
		return NULL;
	ps->timer.fire = on_late;
	ps->loop = loop_new();
	ps->fetcher = ps->loop != NULL ? fetcher_new(ps->loop) : NULL;
	if (ps->fetcher == NULL) {
		probes_free(ps);
		return NULL;
	}
	return ps;
}

void
probes_free(struct probes *ps)
{
	if (ps == NULL)
		return;
	fetcher_free(ps->fetcher);
	loop_free(ps->loop);
	free(ps->all);
	free(ps);
}

/* ---- what comes ---- */

static void
on_head(void *arg, int status, const char *head, size_t n)
{
	struct probe *p = arg;

	p->status = status;
	(void)buf_put(&p->head, head, n);
}

static bool
on_body(void *arg, const char *bytes, size_t n)
{
	struct probe *p = arg;
	int64_t now = clock_now();

	if (p->pieces == 0)
		p->first = now;
	if (p->pieces == 0 || now - p->last >= PROBE_APART) {
		p->last = now;
		p->pieces++;
	}
	if (n > PROBE_BODY - p->body.len)
		n = PROBE_BODY - p->body.len;
	(void)buf_put(&p->body, bytes, n);
	return false;
}

static void
ended(struct probe *p, enum fetch_result result, const char *detail)
{
	struct probes *ps = p->in;

	p->busy = false;
	p->fetch = NULL;
	p->result = result;
	p->ended = clock_now();
	snprintf(p->detail, sizeof(p->detail), "%s", detail);
	for (size_t i = 0; i < ps->n; i++)
		if (ps->all[i] == p)
			ps->all[i] = ps->all[--ps->n];
	if (ps->n == 0)
		loop_stop(ps->loop);
}

static void
on_done(void *arg, enum fetch_result result, const char *detail)
{
	ended(arg, result, detail != NULL ? detail : "");
}

/* ---- from outside ---- */

int
probe_start(struct probes *ps, struct probe *p, const struct fetch_spec *spec,
    const char *body)
{
	static const struct fetch_events events = { on_head, on_body, on_done };
	struct fetch_target *t;
	struct probe **more;

	memset(p, 0, sizeof(*p));
	buf_init(&p->head, PROBE_HEAD);
	buf_init(&p->body, PROBE_BODY);
	p->in = ps;
	p->began = clock_now();
	if (ps->n == ps->room) {
		more = realloc(ps->all, (ps->room * 2 + 8) * sizeof(*more));
		if (more == NULL)
			goto fail;
		ps->all = more;
		ps->room = ps->room * 2 + 8;
	}
	t = fetch_target(ps->fetcher, spec);
	if (t == NULL)
		goto fail;
	p->fetch = fetch_start(ps->fetcher, t, body,
	    body != NULL ? strlen(body) : 0, &events, p);
	if (p->fetch == NULL)
		goto fail;
	p->busy = true;
	ps->all[ps->n++] = p;
	return 0;
fail:
	p->result = FETCH_MEMORY;
	snprintf(p->detail, sizeof(p->detail), "out of memory");
	return -1;
}

void
probe_release(struct probe *p)
{
	if (p->busy) {
		fetch_cancel(p->fetch);
		ended(p, FETCH_TIMEOUT, "given up");
	}
	buf_release(&p->head);
	buf_release(&p->body);
}

void
probes_wait(struct probes *ps, int ms)
{
	ps->late = false;
	if (ps->n > 0 &&
	    loop_timer_set(ps->loop, &ps->timer, clock_now() + ms) == 0)
		(void)loop_run(ps->loop);
	loop_timer_cancel(ps->loop, &ps->timer);
	while (ps->n > 0) {
		fetch_cancel(ps->all[0]->fetch);
		ended(ps->all[0], FETCH_TIMEOUT, ps->late ?
		    "no answer in time" : "the loop failed");
	}
}

struct json_tree *
probe_json(const struct probe *p)
{
	return p->body.len > 0 ? json_parse(p->body.data, p->body.len) : NULL;
}

const char *
probe_header(const struct probe *p, const char *name, size_t *n)
{
	const char *at = p->head.data, *end = at + p->head.len, *eol, *v;
	size_t len = strlen(name);

	for (; at != NULL && at < end; at = eol + 1) {
		eol = memchr(at, '\n', (size_t)(end - at));
		if (eol == NULL)
			break;
		if ((size_t)(eol - at) <= len || at[len] != ':' ||
		    strncasecmp(at, name, len) != 0)
			continue;
		for (v = at + len + 1; v < eol && (*v == ' ' || *v == '\t'); )
			v++;
		*n = (size_t)(eol - v);
		while (*n > 0 && (v[*n - 1] == '\r' || v[*n - 1] == ' '))
			(*n)--;
		return v;
	}
	return NULL;
}
