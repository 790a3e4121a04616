#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "config.h"
#include "doctor.h"
#include "json.h"
#include "log.h"
#include "probe.h"
#include "text.h"

#define WAIT_MS		15000
#define HEADERS		16
#define LISTED		4096	/* models; more are not looked through */
#define SKEW_WARN	(5 * 1000)	/* of our clock, ms */
#define SKEW_FAIL	(60 * 1000)	/* a minute's window is off by all */

/* One provider's key, or the provider without one. */
struct asked {
	const struct config_provider *provider;
	const struct config_key *key;	/* NULL: without */
	struct probe	probe;
};

/* GET url/models: every OpenAI-like provider has it, it costs nothing, and most
 * want the key for it. */
static void
ask(struct doctor *d, struct asked *a)
{
	const struct config_provider *p = a->provider;
	const char *headers[HEADERS + 2] = { NULL };
	struct buf url, auth, lines[HEADERS];
	size_t n = 0;

	buf_init(&url, 8192);
	buf_init(&auth, 32 * 1024);
	for (size_t i = 0; i < HEADERS; i++)
		buf_init(&lines[i], 16 * 1024);
	(void)buf_printf(&url, "%s/models", p->url);
	if (a->key != NULL && a->key->secret[0] != '\0') {
		(void)buf_printf(&auth, "Authorization: Bearer %s",
		    a->key->secret);
		headers[n++] = buf_str(&auth);
	}
	for (size_t i = 0; p->headers != NULL && p->headers[i].name != NULL &&
	    i < HEADERS; i++) {
		(void)buf_printf(&lines[i], "%s: %s", p->headers[i].name,
		    p->headers[i].value);
		headers[n++] = buf_str(&lines[i]);
	}
	(void)probe_start(d->probes, &a->probe, &(struct fetch_spec){
	    .url = buf_str(&url), .headers = headers,
	    .ca_path = d->cfg->ca_path, .proxy = d->cfg->proxy,
	    .connect_ms = p->connect_ms, .http2 = p->http2,
	    .insecure = p->insecure }, NULL);
	for (size_t i = 0; i < HEADERS; i++)
		buf_release(&lines[i]);
	buf_release(&auth);
	buf_release(&url);
}

/* ---- the clock ---- */

/* How far there, a second by the provider's clock, is from the time by ours in
 * which it was told: a slow answer is not a wrong clock. */
static int64_t
skew(int64_t asked, int64_t answered, int64_t there)
{
	if (there > answered)
		return there - answered;
	return there + 999 < asked ? asked - there - 999 : 0;
}

static void
clock_look(struct doctor *d, const struct asked *all, size_t n)
{
	struct text_time now;
	const char *date;
	int64_t there, off;
	size_t len;

	text_clock(&now);
	for (size_t i = 0; i < n; i++) {
		const struct probe *p = &all[i].probe;

		date = probe_header(p, "Date", &len);
		if (date == NULL || text_date(date, len, &there) != 0)
			continue;
		off = skew(now.wall - (now.mono - p->began),
		    now.wall - (now.mono - p->ended), there);
		doctor_tell(d, off > SKEW_FAIL ? DOCTOR_FAIL :
		    off > SKEW_WARN ? DOCTOR_WARN : DOCTOR_OK, "clock",
		    off > SKEW_WARN ? "keep the time by NTP (chrony, "
		    "systemd-timesyncd): quotas end by the clock" : NULL,
		    "%lld s apart from %s's", (long long)(off / 1000),
		    all[i].provider->name);
		return;
	}
	doctor_tell(d, DOCTOR_SKIP, "clock", NULL,
	    "no provider told the time");
}

/* ---- the keys ---- */

static const char *
mend_of(const char *detail)
{
	static const struct { const char *word, *mend; } table[] = {
		{ "leads to", "look at the name server and /etc/hosts; "
		  "`insecure = yes` of the provider if that is meant" },
		{ "resolve", "the name server does not know it: look at the "
		  "url, at /etc/resolv.conf" },
		{ "certificate", "install ca-certificates (or ca-path), keep "
		  "the clock right; a proxy may be in between" },
		{ "SSL", "install ca-certificates (or ca-path); a proxy may "
		  "be in between" },
		{ "proxy", "look at `proxy`" },
		{ "connect", "look at the url; a firewall may not let HTTPS "
		  "out" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcasestr(detail, table[i].word) != NULL)
			return table[i].mend;
	return "a firewall may be in between: the host must let outgoing "
	    "HTTPS pass";
}

/* The provider's own sentence, or "". */
static void
sentence(const struct probe *p, char *out, size_t n)
{
	static const char *const paths[] = { "error.message", "message",
	    "0.error.message", "detail", "error" };
	struct json_tree *t = probe_json(p);
	const char *s = NULL;
	char *own = NULL;

	for (size_t i = 0; s == NULL && i < sizeof(paths) / sizeof(*paths);
	    i++)
		s = json_string(json_at(t, paths[i]));
	/* Half a key would be no secret that is known. */
	if (s != NULL && (own = strdup(s)) != NULL)
		log_redact(own, strlen(own));
	snprintf(out, n, "%s%.200s", own != NULL ? ": " : "",
	    own != NULL ? own : "");
	free(own);
	json_free(t);
}

/* The names that it lists, which end with NULL; of t, but the array. */
static const char **
listed(const struct json_tree *t)
{
	size_t n = json_count(json_at(t, "data")), k = 0;
	const char **ids, *s;
	char path[32];

	/* The n-th is found by counting; 400 are usual. */
	if (n == 0 || n > LISTED || (ids = calloc(n + 1, sizeof(*ids))) == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "data.%zu.id", i);
		s = json_string(json_at(t, path));
		if (s != NULL)
			ids[k++] = strncmp(s, "models/", 7) == 0 ? s + 7 : s;
	}
	return ids;
}

static bool
lists(const char *const *ids, const char *id)
{
	if (strncmp(id, "models/", 7) == 0)
		id += 7;
	while (*ids != NULL && strcmp(*ids, id) != 0)
		ids++;
	return *ids != NULL;
}

/* Which of the models that we would ask the provider does not have. */
static void
models_look(struct doctor *d, const struct asked *a)
{
	const struct config *c = d->cfg;
	struct json_tree *t = probe_json(&a->probe);
	const char **ids = listed(t);

	for (size_t i = 0; ids != NULL && i < c->nmodels; i++)
		if (&c->providers[c->models[i].provider] == a->provider &&
		    c->models[i].off == NULL && !lists(ids, c->models[i].id))
			doctor_tell(d, DOCTOR_WARN, a->provider->name,
			    "it may have another name now, or be gone; "
			    "enabled = no in its section switches it off",
			    "the provider does not list %s",
			    c->models[i].id);
	free(ids);
	json_free(t);
}

static void
key_look(struct doctor *d, const struct asked *a, bool public)
{
	const struct probe *p = &a->probe;
	char what[128], why[256];

	snprintf(what, sizeof(what), "%s %s", a->provider->name,
	    a->key->name);
	sentence(p, why, sizeof(why));
	if (p->result != FETCH_OK)
		doctor_tell(d, DOCTOR_FAIL, what, mend_of(p->detail),
		    "not reached: %s", p->detail);
	else if (p->status == 200 && a->key->secret[0] == '\0')
		doctor_tell(d, DOCTOR_OK, what, NULL, "answers");
	else if (p->status == 200 && public)
		doctor_tell(d, DOCTOR_SKIP, what, NULL, "answers; whether it "
		    "takes the key, only a chat can tell: it shows its models "
		    "to everyone");
	else if (p->status == 200)
		doctor_tell(d, DOCTOR_OK, what, NULL, "takes the key");
	else if (p->status == 401 || p->status == 403 || p->status == 400)
		doctor_tell(d, DOCTOR_FAIL, what, "make a new key at the "
		    "provider's page, put it into .env, reload",
		    "refuses the key (%d%s)", p->status, why);
	else
		doctor_tell(d, DOCTOR_WARN, what, p->status == 404 ?
		    "the url may lack its version, such as /v1" : NULL,
		    "says %d%s", p->status, why);
}

static bool
is_public(const struct asked *all, size_t n, const struct asked *a)
{
	for (size_t i = 0; i < n; i++)
		if (all[i].provider == a->provider && all[i].key == NULL)
			return all[i].probe.status == 200;
	return false;
}

void
doctor_keys(struct doctor *d)
{
	const struct config *c = d->cfg;
	struct asked *all;
	size_t n = 0, max = c->nproviders;

	for (size_t i = 0; i < c->nproviders; i++)
		max += c->providers[i].nkeys;
	all = calloc(max + 1, sizeof(*all));
	for (size_t i = 0; all != NULL && i < c->nproviders; i++) {
		const struct config_provider *p = &c->providers[i];

		if (p->off != NULL || p->demo)
			continue;
		for (size_t k = 0; k < p->nkeys; k++)
			all[n++] = (struct asked){ p, &p->keys[k], { 0 } };
		if (p->nkeys > 0 && p->keys[0].secret[0] != '\0')
			all[n++] = (struct asked){ p, NULL, { 0 } };
	}
	for (size_t i = 0; i < n; i++)
		ask(d, &all[i]);
	probes_wait(d->probes, WAIT_MS);
	clock_look(d, all, n);
	for (size_t i = 0; i < n; i++) {
		if (all[i].key == NULL)
			continue;
		key_look(d, &all[i], is_public(all, n, &all[i]));
		if (all[i].probe.status == 200 &&
		    (i == 0 || all[i - 1].provider != all[i].provider))
			models_look(d, &all[i]);
	}
	for (size_t i = 0; i < n; i++)
		probe_release(&all[i].probe);
	free(all);
}
