#include "control.h"

#include <stdlib.h>
#include <string.h>

#include "plain.h"

#define LABEL_MAX	256

static void
say(const struct request *r, struct blob *out, int status, const char *text)
{
	plain_answer(out, status, "text/plain", text, strlen(text), r->keep);
}

/* The parameter `model`; NULL if absent, which stands for all of them. */
static const char *
model_of(const struct request *r, char name[LABEL_MAX])
{
	return http_query(r, "model", name, LABEL_MAX) ? name : NULL;
}

static int64_t
number_of(const struct request *r, const char *name, int64_t absent)
{
	char text[24];

	return http_query(r, name, text, sizeof(text)) ?
	    strtoll(text, NULL, 10) : absent;
}

static enum control
get_stats(struct ledger *l, const struct request *r, struct waiter *w,
    struct blob *out)
{
	struct blob body = { 0 };

	(void)w;
	ledger_stats(l, &body);
	plain_answer(out, 200, "application/json", body.p, body.n, r->keep);
	blob_free(&body);
	return CONTROL_DONE;
}

static enum control
get_log(struct ledger *l, const struct request *r, struct waiter *w,
    struct blob *out)
{
	struct blob body = { 0 };
	char name[LABEL_MAX];

	(void)w;
	ledger_log(l, model_of(r, name), &body);
	plain_answer(out, 200, "application/x-ndjson", body.p, body.n,
	    r->keep);
	blob_free(&body);
	return CONTROL_DONE;
}

static enum control
get_last(struct ledger *l, const struct request *r, struct waiter *w,
    struct blob *out)
{
	struct blob body = { 0 };
	char name[LABEL_MAX];

	(void)w;
	if (ledger_last(l, model_of(r, name), number_of(r, "back", 0), &body))
		plain_answer(out, 200, "text/plain", body.p, body.n, r->keep);
	else
		say(r, out, 404, "mock: no such request\n");
	blob_free(&body);
	return CONTROL_DONE;
}

static enum control
get_wait(struct ledger *l, const struct request *r, struct waiter *w,
    struct blob *out)
{
	w->model[0] = w->what[0] = '\0';
	http_query(r, "model", w->model, sizeof(w->model));
	http_query(r, "what", w->what, sizeof(w->what));
	w->count = number_of(r, "count", 1);
	w->ms = number_of(r, "ms", 5000);
	if (strcmp(w->what, "idle") && ledger_count(l, NULL, w->what) < 0) {
		say(r, out, 400, "mock: no such counter\n");
		return CONTROL_DONE;
	}
	return CONTROL_WAIT;
}

bool
control_ready(const struct ledger *l, const struct waiter *w)
{
	const char *model = w->model[0] ? w->model : NULL;

	if (!strcmp(w->what, "idle"))
		return !ledger_count(l, model, "inflight");
	return ledger_count(l, model, w->what) >= w->count;
}

static enum control
post_reset(struct ledger *l, const struct request *r, struct waiter *w,
    struct blob *out)
{
	(void)w;
	ledger_reset(l);
	say(r, out, 200, "ok\n");
	return CONTROL_DONE;
}

static enum control
post_gate(struct ledger *l, const struct request *r, struct waiter *w,
    struct blob *out)
{
	char name[LABEL_MAX];
	int64_t n = number_of(r, "n", -1);

	(void)w;
	if (!http_query(r, "name", name, sizeof(name)) || n < 0) {
		say(r, out, 400, "mock: a gate needs name and n\n");
		return CONTROL_DONE;
	}
	ledger_gate_set(l, name, n);
	say(r, out, 200, "ok\n");
	return CONTROL_DONE;
}

/* Whom a rule is for: ?model=NAME or ?key=LAST4. */
static bool
rule_owner(const struct request *r, char name[LABEL_MAX], bool *by_key)
{
	*by_key = http_query(r, "key", name, LABEL_MAX);
	return *by_key || model_of(r, name);
}

static enum control
put_script(struct ledger *l, const struct request *r, struct waiter *w,
    struct blob *out)
{
	char name[LABEL_MAX], *copy = NULL;
	int64_t times = number_of(r, "times", -1);
	struct script s;
	bool by_key;

	(void)w;
	script_init(&s);
	copy = strndup(r->body.p, r->body.n);
	if (!copy || !rule_owner(r, name, &by_key) || !times) {
		say(r, out, 400, "mock: a script needs model or key\n");
	} else if (script_read(&s, copy) < 0) {
		say(r, out, 400, s.wrong);
	} else {
		ledger_rule(l, by_key, name, r->body, times);
		say(r, out, 200, "ok\n");
	}
	free(copy);
	return CONTROL_DONE;
}

static enum control
delete_script(struct ledger *l, const struct request *r, struct waiter *w,
    struct blob *out)
{
	char name[LABEL_MAX];
	bool by_key;

	(void)w;
	if (!rule_owner(r, name, &by_key)) {
		say(r, out, 400, "mock: a script needs model or key\n");
		return CONTROL_DONE;
	}
	ledger_rule_drop(l, by_key, name);
	say(r, out, 200, "ok\n");
	return CONTROL_DONE;
}

enum control
control_answer(struct ledger *l, const struct request *r, struct waiter *w,
    struct blob *out)
{
	static const struct {
		const char *method, *path;
		enum control (*run)(struct ledger *, const struct request *,
		    struct waiter *, struct blob *);
	} routes[] = {
		{ "GET", "/_mock/stats", get_stats },
		{ "GET", "/_mock/log", get_log },
		{ "GET", "/_mock/last", get_last },
		{ "GET", "/_mock/wait", get_wait },
		{ "POST", "/_mock/reset", post_reset },
		{ "POST", "/_mock/gate", post_gate },
		{ "PUT", "/_mock/script", put_script },
		{ "DELETE", "/_mock/script", delete_script },
	};
	size_t i;

	for (i = 0; i < sizeof(routes) / sizeof(*routes); i++)
		if (span_is(r->method, routes[i].method) &&
		    span_is(r->path, routes[i].path))
			return routes[i].run(l, r, w, out);
	say(r, out, 404, "mock: no such control\n");
	return CONTROL_DONE;
}
