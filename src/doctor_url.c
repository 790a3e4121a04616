#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "config.h"
#include "doctor.h"
#include "json.h"
#include "probe.h"

#define WAIT_MS		10000
#define CHAT_MS		60000
#define START		256	/* bytes by which a file is known again */

/* Call url/path once, and wait. body NULL: a GET. */
static void
call(struct doctor *d, struct probe *p, const char *path, const char *token,
    const char *body, int ms)
{
	const char *headers[4] = { NULL };
	struct buf url, auth;
	size_t n = 0;

	buf_init(&url, 16 * 1024);
	buf_init(&auth, 16 * 1024);
	(void)buf_printf(&url, "%s%s", d->url, path);
	if (token != NULL) {
		(void)buf_printf(&auth, "Authorization: Bearer %s", token);
		headers[n++] = buf_str(&auth);
	}
	if (body != NULL)
		headers[n++] = "Content-Type: application/json";
	(void)probe_start(d->probes, p, &(struct fetch_spec){
	    .url = buf_str(&url), .headers = headers,
	    .ca_path = d->cfg->ca_path, .proxy = d->cfg->proxy,
	    .connect_ms = WAIT_MS, .insecure = true }, body);
	probes_wait(d->probes, ms);
	buf_release(&auth);
	buf_release(&url);
}

/* ---- is it there ---- */

static bool
health(struct doctor *d)
{
	struct json_tree *t;
	struct probe p;
	const char *s;
	size_t n;
	bool ours;

	call(d, &p, "/health", NULL, NULL, WAIT_MS);
	t = probe_json(&p);
	s = json_string(json_at(t, "status"));
	ours = s != NULL && probe_header(&p, "X-Request-Id", &n) != NULL;
	if (p.result != FETCH_OK)
		doctor_tell(d, DOCTOR_FAIL, "url", "is the web server running, "
		    "and this its name and port?", "%s: %s", d->url, p.detail);
	else if (!ours)
		doctor_tell(d, DOCTOR_FAIL, "url", "the web server does not "
		    "lead /health to relevo: look at its routes; a mount below "
		    "a path is part of the url", "%s/health answers %d, and "
		    "not as relevo", d->url, p.status);
	else if (p.status != 200)
		doctor_tell(d, DOCTOR_FAIL, "url", "`relevo doctor` as its "
		    "user says more", "%s/health says %s", d->url, s);
	else
		doctor_tell(d, DOCTOR_OK, "url", NULL, "%s is relevo, and %s",
		    d->url, s);
	if (ours && strncmp(d->url, "http://", 7) == 0 &&
	    strncmp(d->url, "http://127.", 11) != 0 &&
	    strncmp(d->url, "http://localhost", 16) != 0 &&
	    strncmp(d->url, "http://[::1]", 12) != 0)
		doctor_tell(d, DOCTOR_WARN, "tls", "serve it by https",
		    "tokens travel in clear text");
	json_free(t);
	probe_release(&p);
	return ours;
}

/* A token that nobody has: relevo says whether it saw one at all. */
static void
authorization(struct doctor *d)
{
	struct json_tree *t;
	struct probe p;
	const char *s;

	call(d, &p, "/models", "no-token-at-all", NULL, WAIT_MS);
	t = probe_json(&p);
	s = json_string(json_at(t, "error.message"));
	if (p.status == 200)
		doctor_tell(d, DOCTOR_WARN, "authorization", "see access, "
		    "above; or the web server's own password", "whoever "
		    "reaches %s may use it", d->url);
	else if (p.status == 401 && s != NULL &&
	    strstr(s, "a token is needed") != NULL)
		doctor_tell(d, DOCTOR_FAIL, "authorization", "Apache: "
		    "CGIPassAuth On; else send X-Api-Key", "the web server "
		    "drops the Authorization header");
	else if (p.status == 401 && s != NULL)
		doctor_tell(d, DOCTOR_OK, "authorization", NULL, "arrives; an "
		    "unknown token is refused");
	else
		doctor_tell(d, DOCTOR_WARN, "authorization", "the web server "
		    "may ask for a password itself", "/models says %d%s%.200s",
		    p.status, s != NULL ? ": " : "", s != NULL ? s : "");
	json_free(t);
	probe_release(&p);
}

/* ---- what nobody may see ---- */

struct secret {
	const char	*path;		/* here */
	struct buf	 start;		/* its first bytes, if they are read */
};

static void
start_read(struct secret *s)
{
	FILE *f = fopen(s->path, "rbe");
	char bytes[START];
	size_t n;

	buf_init(&s->start, START);
	if (f == NULL)
		return;
	n = fread(bytes, 1, sizeof(bytes), f);
	(void)buf_put(&s->start, bytes, n);
	(void)fclose(f);
}

static bool
holds(const struct probe *p, const char *word)
{
	return memmem(p->body.data, p->body.len, word, strlen(word)) != NULL;
}

/* Whether an answer is one of the secrets, or looks like somebody's. */
static bool
shown(const struct probe *p, const struct secret *s, size_t n)
{
	if (p->status != 200 || p->body.len < 8)
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i].start.len >= 8 && p->body.len >= s[i].start.len &&
		    memcmp(p->body.data, s[i].start.data,
		    s[i].start.len) == 0)
			return true;
	return holds(p, "_API_KEY=") || (holds(p, "provider ") &&
	    holds(p, "server {"));
}

/* Ask for every end of a secret's path: which of its folders is the document
 * root is not known here. */
static size_t
ends(struct doctor *d, const char *path, const struct secret *s, size_t n)
{
	size_t found = 0;
	struct probe p;

	for (; path != NULL; path = strchr(path + 1, '/')) {
		if (path[strspn(path, "/.-_~abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")] != '\0')
			continue;
		call(d, &p, path, NULL, NULL, WAIT_MS);
		if (shown(&p, s, n)) {
			doctor_tell(d, DOCTOR_FAIL, "private files", "move it "
			    "out of the document root, or deny it (.htaccess "
			    "in cgi-bin does it for Apache); then change the "
			    "keys", "%s%s shows it to everyone", d->url, path);
			found++;
		}
		probe_release(&p);
	}
	return found;
}

static void
private_files(struct doctor *d)
{
	/* Where they are put by mistake, also when the file that was read here
	 * is not the one in use there. */
	static const char *const usual[] = { "/.env", "/relevo.conf",
	    "/relevo.state", "/state", "/conf/relevo.conf", "/conf/.env",
	    "/cgi-bin/relevo.conf", "/cgi-bin/.env", "/cgi-bin/relevo.state" };
	char *file = realpath(d->cfg->file, NULL), *env = NULL;
	char *state = realpath(d->cfg->state, NULL);
	struct secret s[3];
	size_t found = 0, n = 0;

	if (file != NULL) {
		const char *slash = strrchr(file, '/');

		s[n++].path = file;
		if (asprintf(&env, "%.*s/.env", (int)(slash - file), file) < 0)
			env = NULL;
	}
	if (env != NULL)
		s[n++].path = env;
	if (state != NULL)
		s[n++].path = state;
	for (size_t i = 0; i < n; i++)
		start_read(&s[i]);
	for (size_t i = 0; i < n; i++)
		found += ends(d, s[i].path, s, n);
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		found += ends(d, usual[i], s, n);
	if (found == 0)
		doctor_tell(d, DOCTOR_OK, "private files", NULL,
		    "configuration, .env and state are not to be had there");
	for (size_t i = 0; i < n; i++)
		buf_release(&s[i].start);
	free(file);
	free(env);
	free(state);
}

/* ---- the stream ---- */

static size_t
events_in(const struct probe *p)
{
	const char *at = p->body.data, *end = at + p->body.len;
	size_t n = 0;

	while (at != NULL && at < end &&
	    (at = memmem(at, (size_t)(end - at), "\ndata:", 6)) != NULL) {
		at += 6;
		n++;
	}
	return n;
}

static void
stream_seen(struct doctor *d, const struct probe *p)
{
	size_t n = events_in(p);

	if (n < 8)
		doctor_tell(d, DOCTOR_SKIP, "stream", NULL, "%zu events: too "
		    "few to tell", n);
	else if (p->pieces < 3)
		doctor_tell(d, DOCTOR_FAIL, "stream", "lighttpd: "
		    "server.stream-response-body = 2; nginx: fastcgi_buffering "
		    "off; Apache: flushpackets=on, no mod_deflate; a CDN in "
		    "front may collect too", "%zu events came in %d pieces, "
		    "after %lld ms: something collects them", n, p->pieces,
		    (long long)(p->first - p->began));
	else
		doctor_tell(d, DOCTOR_OK, "stream", NULL, "%zu events in %d "
		    "pieces, the first after %lld ms, the last after %lld ms",
		    n, p->pieces, (long long)(p->first - p->began),
		    (long long)(p->ended - p->began));
}

/* The demo costs nothing, so it is asked where it is. */
static void
stream(struct doctor *d)
{
	const char *model = "auto";
	struct json_tree *t;
	struct probe p;
	char body[256];
	const char *s;

	for (size_t i = 0; i < d->cfg->nproviders; i++)
		if (d->cfg->providers[i].demo && d->cfg->providers[i].off ==
		    NULL)
			model = "demo/echo";
	snprintf(body, sizeof(body), "{\"model\":\"%s\",\"stream\":true,"
	    "\"messages\":[{\"role\":\"user\",\"content\":\"Count from 1 to "
	    "40 in words, one on each line, nothing else.\"}]}", model);
	call(d, &p, "/chat", d->token, body, CHAT_MS);
	t = probe_json(&p);
	s = json_string(json_at(t, "error.message"));
	if (p.status == 200)
		stream_seen(d, &p);
	else if (p.status == 401)
		doctor_tell(d, DOCTOR_SKIP, "stream", "RELEVO_TOKEN=rlv-... "
		    "relevo doctor URL", d->token == NULL ?
		    "not tried: it needs a client's token" :
		    "the token of RELEVO_TOKEN is refused");
	else
		doctor_tell(d, DOCTOR_WARN, "stream", NULL, "/chat says %d "
		    "%.300s", p.status, s != NULL ? s : p.detail);
	json_free(t);
	probe_release(&p);
}

void
doctor_url(struct doctor *d)
{
	if (!health(d))
		return;
	authorization(d);
	private_files(d);
	stream(d);
}
