#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "parse.h"
#include "text.h"

const char *const config_limit_word[CONFIG_LIMITS] = {
	"rpm", "rph", "rpd", "rpmonth", "tpm", "tph", "tpd", "tpmonth",
	"concurrency"
};

const char *const config_strategy_word[CONFIG_STRATEGIES] = {
	"round-robin", "random", "least-used", "weighted", "fastest",
	"headroom"
};

const char *const config_day_word[CONFIG_DAYS] = {
	"utc", "America/Los_Angeles", "rolling", "first-use"
};

const char *const config_can_word[] = {
	"tools", "vision", "json", "audio", "reasoning", NULL
};

/* ---- free ---- */

static void
free_pairs(struct config_pair *pair)
{
	struct config_pair *p;

	for (p = pair; p != NULL && p->name != NULL; p++) {
		free(p->name);
		free(p->value);
	}
	free(pair);
}

static void
free_provider(struct config_provider *p)
{
	size_t i;

	for (i = 0; i < p->nkeys; i++) {
		explicit_bzero(p->keys[i].secret, strlen(p->keys[i].secret));
		free(p->keys[i].secret);
	}
	free(p->keys);
	free(p->name);
	free(p->title);
	free(p->url);
	free(p->off);
	free(p->needs);
	free(p->file);
	parse_list_free(p->drop);
	free_pairs(p->rename);
	free_pairs(p->headers);
}

static void
free_model(struct config_model *m)
{
	free(m->id);
	free(m->name);
	free(m->title);
	free(m->off);
}

void
config_free(struct config *c)
{
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i < c->nproviders; i++)
		free_provider(&c->providers[i]);
	for (i = 0; i < c->nmodels; i++)
		free_model(&c->models[i]);
	for (i = 0; i < c->naliases; i++) {
		free(c->aliases[i].name);
		free(c->aliases[i].lanes);
		parse_list_free(c->aliases[i].models);
	}
	for (i = 0; i < c->nroutes; i++)
		free(c->routes[i].name);
	for (i = 0; i < c->nclients; i++) {
		free(c->clients[i].name);
		parse_list_free(c->clients[i].models);
	}
	parse_list_free(c->origins);
	parse_list_free(c->hosts);
	free(c->providers);
	free(c->models);
	free(c->lanes);
	free(c->aliases);
	free(c->routes);
	free(c->clients);
	free(c->index);
	free(c->file);
	free(c->state);
	free(c->prefix);
	free(c->ca_path);
	free(c->proxy);
	free(c);
}

/* ---- find ---- */

const char *
config_off(const struct config *c, const struct config_model *m)
{
	return m->off != NULL ? m->off : c->providers[m->provider].off;
}

size_t
config_models_on(const struct config *c)
{
	size_t i, n = 0;

	for (i = 0; i < c->nmodels; i++)
		n += config_off(c, &c->models[i]) == NULL;
	return n;
}

static int
by_name(const void *name, const void *alias)
{
	const struct config_alias *const *a = alias;

	return strcmp(name, (*a)->name);
}

static const struct config_alias *
find(const struct config *c, const char *name)
{
	struct config_alias **found;

	found = bsearch(name, c->index, c->naliases, sizeof(*c->index),
	    by_name);
	return found != NULL ? *found : NULL;
}

bool
config_key_first(const struct config *c, size_t lane)
{
	size_t k = 0;

	while (k < lane && (c->lanes[k].provider != c->lanes[lane].provider ||
	    c->lanes[k].key != c->lanes[lane].key))
		k++;
	return k == lane;
}

const struct config_alias *
config_find(const struct config *c, const char *name)
{
	const struct config_alias *a;
	const char *slash;

	if (*name == '\0')
		return &c->aliases[0];
	if ((a = find(c, name)) != NULL)
		return a;
	/* "groq/llama-3.3-70b-versatile": clients kept the full old name. */
	if ((slash = strchr(name, '/')) != NULL &&
	    (a = find(c, slash + 1)) != NULL && a->retired)
		return a;
	return NULL;
}

/* ---- print ---- */

/* In double quotes, so that libconfuse gives back the same bytes; a variable
 * that an address was left with stays one. */
static void
put_quoted(struct buf *out, const char *s, bool variables)
{
	buf_puts(out, "\"");
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\' || (*s == '$' && !variables))
			buf_puts(out, "\\");
		buf_put(out, s, 1);
	}
	buf_puts(out, "\"");
}

static void
put_str(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "\t%s = ", name);
	put_quoted(out, value, false);
	buf_puts(out, "\n");
}

static void
put_bool(struct buf *out, const char *name, bool value)
{
	buf_printf(out, "\t%s = %s\n", name, value ? "yes" : "no");
}

static void
put_int(struct buf *out, const char *name, int64_t value)
{
	buf_printf(out, "\t%s = %" PRId64 "\n", name, value);
}

static void
put_ms(struct buf *out, const char *name, int ms)
{
	if (ms % 1000 == 0)
		buf_printf(out, "\t%s = %ds\n", name, ms / 1000);
	else
		buf_printf(out, "\t%s = %dms\n", name, ms);
}

static void
put_list(struct buf *out, const char *name, char *const *list)
{
	size_t i;

	buf_printf(out, "\t%s = {", name);
	for (i = 0; list[i] != NULL; i++) {
		buf_puts(out, i ? ", " : "");
		put_quoted(out, list[i], false);
	}
	buf_puts(out, "}\n");
}

static void
put_limits(struct buf *out, const char *prefix, const struct config_limits *l)
{
	int i;

	for (i = 0; i < CONFIG_LIMITS; i++)
		if (l->max[i] != CONFIG_NONE)
			buf_printf(out, "\t%s%s = %" PRId64 "\n", prefix,
			    config_limit_word[i], l->max[i]);
}

/* scheme://user:password@host: what stands before the @ is a secret. */
static void
put_proxy(struct buf *out, const char *proxy)
{
	const char *at = strrchr(proxy, '@'), *host = strstr(proxy, "://");

	buf_puts(out, "\tproxy = \"");
	if (at != NULL && host != NULL && host < at) {
		buf_put(out, proxy, (size_t)(host + 3 - proxy));
		buf_puts(out, "***");
		proxy = at;
	}
	buf_printf(out, "%s\"\n", proxy);
}

static void
print_server(const struct config *c, struct buf *out)
{
	buf_puts(out, "server {\n");
	put_str(out, "state", c->state);
	buf_printf(out, "\taccess = %s\n", c->open ? "open" : "token");
	buf_printf(out, "\tchat-format = %s\n", c->chat_text ? "text" : "sse");
	put_list(out, "allowed-origins", c->origins);
	if (c->hosts != NULL)
		put_list(out, "allowed-hosts", c->hosts);
	put_str(out, "prefix", c->prefix);
	put_int(out, "max-body", (int64_t)c->max_body);
	put_int(out, "workers", c->workers);
	put_ms(out, "heartbeat", c->heartbeat_ms);
	put_ms(out, "client-stall", c->stall_ms);
	put_ms(out, "body-timeout", c->body_ms);
	put_ms(out, "drain-time", c->drain_ms);
	put_ms(out, "cgi-linger", c->linger_ms);
	put_str(out, "ca-path", c->ca_path);
	put_proxy(out, c->proxy);
	put_bool(out, "sandbox", c->sandbox);
	buf_printf(out, "\tlog = %s\n}\n", c->debug ? "debug" : "info");
}

static void
print_route(const struct config_route *r, struct buf *out)
{
	buf_printf(out, "route %s {\n", r->name);
	buf_printf(out, "\tstrategy = %s\n",
	    config_strategy_word[r->strategy]);
	put_bool(out, "fallback", r->fallback);
	put_int(out, "attempts", r->attempts);
	put_ms(out, "max-wait", r->max_wait_ms);
	put_bool(out, "sticky", r->sticky);
	buf_puts(out, "}\n");
}

static void
print_keys(const struct config_provider *p, struct buf *out)
{
	size_t i;

	if (p->nkeys == 0 && p->needs != NULL)
		buf_printf(out, "\tkey = ${%s}\n", p->needs);
	if (p->nkeys != 0 && *p->keys[0].secret != '\0') {
		buf_puts(out, "\tkeys = {");
		for (i = 0; i < p->nkeys; i++)
			buf_printf(out, "%s\"***%s\"", i ? ", " : "",
			    p->keys[i].name + 2);
		buf_puts(out, "}\n");
	}
	put_bool(out, "key-needed", !p->keyless);
}

static void
print_pairs(const char *name, const char *sep, bool hide,
    const struct config_pair *pair, struct buf *out)
{
	size_t i;

	buf_printf(out, "\t%s = {", name);
	for (i = 0; pair[i].name != NULL; i++) {
		struct buf one;

		buf_init(&one, 64 * 1024);
		buf_printf(&one, "%s%s%s", pair[i].name, sep,
		    hide ? "***" : pair[i].value);
		buf_puts(out, i ? ", " : "");
		put_quoted(out, buf_str(&one), false);
		buf_release(&one);
	}
	buf_puts(out, "}\n");
}

static void
print_provider(const struct config_provider *p, struct buf *out)
{
	buf_printf(out, "provider %s {\n", p->name);
	if (p->demo) {
		buf_puts(out, "}\n");
		return;
	}
	if (p->off != NULL)
		buf_printf(out, "\t# off: %s\n", p->off);
	buf_puts(out, "\turl = ");
	put_quoted(out, p->url, true);
	buf_puts(out, "\n");
	print_keys(p, out);
	put_str(out, "title", p->title);
	put_limits(out, "", &p->limits);
	put_limits(out, "key-", &p->key_limits);
	buf_printf(out, "\tday-resets = %s\n", config_day_word[p->day]);
	put_bool(out, "counts-failures", p->counts_failures);
	put_bool(out, "http2", p->http2);
	put_bool(out, "stream-usage", p->stream_usage);
	put_ms(out, "connect-timeout", p->connect_ms);
	put_ms(out, "first-event-timeout", p->first_ms);
	put_ms(out, "idle-timeout", p->idle_ms);
	put_ms(out, "total-timeout", p->total_ms);
	put_list(out, "drop", p->drop);
	print_pairs("rename", "=", false, p->rename, out);
	/* Any of them may be a credential: none is shown. */
	print_pairs("headers", ": ", true, p->headers, out);
	put_bool(out, "insecure", p->insecure);
	put_bool(out, "enabled", !p->disabled);
	buf_puts(out, "}\n");
}

static void
print_model(const struct config_model *m, struct buf *out)
{
	const char *sep = "";
	int i;

	buf_printf(out, "model \"%s\" {\n", m->name);
	put_str(out, "title", m->title);
	put_limits(out, "", &m->limits);
	put_int(out, "context", m->context);
	put_int(out, "output", m->output);
	buf_puts(out, "\tcan = {");
	for (i = 0; config_can_word[i] != NULL; i++) {
		if (!(m->can & (1u << i)))
			continue;
		buf_printf(out, "%s%s", sep, config_can_word[i]);
		sep = ", ";
	}
	buf_puts(out, "}\n");
	put_int(out, "weight", m->weight);
	put_int(out, "tier", m->tier);
	put_bool(out, "slow", m->slow);
	put_bool(out, "enabled", m->off == NULL);
	buf_puts(out, "}\n");
}

static void
print_alias(const struct config *c, const struct config_alias *a,
    struct buf *out)
{
	buf_printf(out, "alias \"%s\" {\n", a->name);
	put_list(out, "models", a->models);
	put_str(out, "route", c->routes[a->route].name);
	put_bool(out, "retired", a->retired);
	buf_puts(out, "}\n");
}

static void
print_client(const struct config_client *cl, struct buf *out)
{
	char when[24];

	buf_printf(out, "client %s {\n", cl->name);
	buf_printf(out, "\ttoken = \"blake2b:%02x%02x%02x%02x***\"\n",
	    cl->hash[0], cl->hash[1], cl->hash[2], cl->hash[3]);
	put_limits(out, "", &cl->limits);
	if (cl->models != NULL)
		put_list(out, "models", cl->models);
	buf_printf(out, "\tusage = %s\n", cl->sees_all ? "all" : "own");
	if (cl->expires != 0) {
		text_iso(when, cl->expires);
		buf_printf(out, "\texpires = %s\n", when);
	}
	buf_puts(out, "}\n");
}

int
config_print(const struct config *c, struct buf *out)
{
	size_t i;

	print_server(c, out);
	for (i = 0; i < c->nroutes; i++)
		print_route(&c->routes[i], out);
	for (i = 0; i < c->nproviders; i++)
		print_provider(&c->providers[i], out);
	for (i = 0; i < c->nmodels; i++)
		print_model(&c->models[i], out);
	for (i = 0; i < c->naliases; i++)
		if (!c->aliases[i].implicit)
			print_alias(c, &c->aliases[i], out);
	for (i = 0; i < c->nclients; i++)
		print_client(&c->clients[i], out);
	return out->failed ? -1 : 0;
}
