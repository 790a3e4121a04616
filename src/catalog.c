#include "catalog.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "parse.h"
#include "raw.h"
#include "text.h"
#include "url.h"

#define CATALOG_MAX_KEY		4096
#define CATALOG_MAX_KEYS	1000
#define CATALOG_MAX_LIMIT	((int64_t)1 << 40)
#define CATALOG_DAY_MS		(24 * 60 * 60 * 1000)
#define CATALOG_HIDDEN		"***"	/* begins a key that was printed */

const char *const catalog_provider_options[] = {
	"url", "key", "keys", "title", "rpm", "rph", "rpd", "rpmonth", "tpm",
	"tph", "tpd", "tpmonth", "concurrency", "key-rpm", "key-rph",
	"key-rpd", "key-rpmonth", "key-tpm", "key-tph", "key-tpd",
	"key-tpmonth", "key-concurrency", "day-resets", "counts-failures",
	"http2", "stream-usage", "connect-timeout", "first-event-timeout",
	"idle-timeout", "total-timeout", "drop", "rename", "headers",
	"enabled", "insecure", "key-needed", NULL
};

const char *const catalog_model_options[] = {
	"title", "rpm", "rph", "rpd", "rpmonth", "tpm", "tph", "tpd",
	"tpmonth", "concurrency", "context", "output", "can", "weight",
	"tier", "slow", "enabled", NULL
};

bool
catalog_name(const char *s, size_t max, const char *more)
{
	const char *p;

	for (p = s; *p != '\0'; p++)
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') &&
		    !(*p >= '0' && *p <= '9') && strchr("._-", *p) == NULL &&
		    strchr(more, *p) == NULL)
			return false;
	return p != s && (size_t)(p - s) <= max;
}

void
catalog_limits(struct parse *p, const struct scan_section *sec,
    const char *prefix, struct config_limits *out)
{
	char name[32];
	int i;

	for (i = 0; i < CONFIG_LIMITS; i++) {
		snprintf(name, sizeof(name), "%s%s", prefix,
		    config_limit_word[i]);
		out->max[i] = parse_int(p, sec, name, 0, CATALOG_MAX_LIMIT,
		    CONFIG_NONE);
		if (out->max[i] == 0)
			parse_warn(p, sec, name, "%s = 0 admits nothing: leave "
			    "it out if there is no limit", name);
	}
}

/* Stars nest in fnmatch: a few are a pattern, many are a way to hang. */
static bool
good_pattern(const char *s)
{
	int stars = 0;
	const char *c;

	for (c = s; *c != '\0'; c++)
		stars += *c == '*';
	return *s != '\0' && stars <= 8 && strlen(s) <= 300;
}

void
catalog_patterns(struct parse *p, const struct scan_section *sec, char **list)
{
	for (; list != NULL && *list != NULL; list++)
		if (!good_pattern(*list)) {
			parse_error(p, sec, "models",
			    "'%s' is no pattern for models", *list);
			**list = '\0';
		}
}

/* The address without its last slashes. */
static char *
read_url(struct parse *p, const struct scan_section *sec, bool insecure)
{
	const char *url = parse_str(p, sec, "url", NULL), *why;
	size_t n;

	if (url == NULL) {
		if (parse_find(sec, "url") == NULL)
			parse_error(p, sec, NULL, "provider '%s' wants a url",
			    sec->title);
		return strdup("");
	}
	if ((why = url_wrong(url, insecure)) != NULL)
		parse_error(p, sec, "url", "the url %s", why);
	for (n = strlen(url); n > 0 && url[n - 1] == '/'; n--)
		;
	return strndup(url, n);
}

/* ---- keys ---- */

static void
name_key(struct config_key *key)
{
	unsigned char hash[crypto_generichash_BYTES];
	const char *s = key->secret;

	/* A key from a printed configuration keeps the name it shows. */
	if (strncmp(s, CATALOG_HIDDEN, 3) == 0 && strlen(s) == 15 &&
	    strspn(s + 3, "0123456789abcdef") == 12) {
		snprintf(key->name, sizeof(key->name), "k-%s", s + 3);
		return;
	}
	crypto_generichash(hash, sizeof(hash), (const unsigned char *)s,
	    strlen(s), NULL, 0);
	snprintf(key->name, sizeof(key->name), "k-%02x%02x%02x%02x%02x%02x",
	    hash[0], hash[1], hash[2], hash[3], hash[4], hash[5]);
}

/* What is wrong with a key, or NULL. It goes into a header line. */
static const char *
bad_key(const char *s, size_t n)
{
	size_t i;

	if (n > CATALOG_MAX_KEY)
		return "is longer than 4096 bytes";
	for (i = 0; i < n; i++) {
		if (s[i] == '"' || s[i] == '\'')
			return "holds a quote: check the environment file";
		if (s[i] <= ' ' || s[i] > '~')
			return "holds a blank or a control byte";
		if (s[i] == '$' && i + 1 < n && s[i + 1] == '{')
			return "holds ${, a variable as such: in single "
			    "quotes none is filled in";
	}
	return NULL;
}

static bool
has_key(const struct config_provider *out, const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < out->nkeys; i++)
		if (text_is(s, n, out->keys[i].secret))
			return true;
	return false;
}

static int
add_key(struct parse *p, const struct scan_section *sec, const char *option,
    const char *s, size_t n, struct config_provider *out)
{
	struct config_key *grow;
	const char *why;

	if ((why = bad_key(s, n)) != NULL) {
		parse_error(p, sec, option, "a key of provider '%s' %s",
		    sec->title, why);
		return 0;
	}
	if (has_key(out, s, n)) {
		parse_warn(p, sec, option, "provider '%s' has a key twice: "
		    "counted once", sec->title);
		return 0;
	}
	if (out->nkeys == CATALOG_MAX_KEYS) {
		parse_error(p, sec, option, "more than %d keys",
		    CATALOG_MAX_KEYS);
		return 0;
	}
	grow = reallocarray(out->keys, out->nkeys + 1, sizeof(*grow));
	if (grow == NULL)
		return -1;
	out->keys = grow;
	if ((grow[out->nkeys].secret = strndup(s, n)) == NULL)
		return -1;
	name_key(&grow[out->nkeys]);
	/* One below 8 bytes is no secret that could be searched for. */
	if (n > 0)
		log_secret(grow[out->nkeys].secret);
	if (n >= 3 && memcmp(s, CATALOG_HIDDEN, 3) == 0)
		parse_warn(p, sec, option, "a key of provider '%s' is hidden "
		    "(printed by relevo): it will be refused", sec->title);
	out->nkeys++;
	return 0;
}

/* "a, b,,c": three keys. */
static int
add_pool(struct parse *p, const struct scan_section *sec, const char *option,
    const char *s, struct config_provider *out)
{
	size_t n, trim;

	for (;; s += n + 1) {
		n = strcspn(s, ",");
		trim = n;
		for (; trim > 0 && *s == ' '; trim--, n--)
			s++;
		while (trim > 0 && s[trim - 1] == ' ')
			trim--;
		if (trim > 0 && add_key(p, sec, option, s, trim, out) != 0)
			return -1;
		if (s[n] == '\0')
			return 0;
	}
}

static int
read_keys(struct parse *p, const struct scan_section *sec,
    struct config_provider *out)
{
	static const char *const names[] = { "key", "keys" };
	const struct scan_option *o;
	size_t i, k;

	if (parse_find(sec, "key") != NULL && parse_find(sec, "keys") != NULL)
		parse_error(p, sec, "keys", "give key or keys, not both");
	parse_str(p, sec, "key", NULL);		/* tells of a list */
	for (i = 0; i < 2; i++) {
		o = parse_find(sec, names[i]);
		for (k = 0; o != NULL && k < o->n; k++)
			if (add_pool(p, sec, names[i], o->value[k], out) != 0)
				return -1;
	}
	out->keyless = !parse_bool(p, sec, "key-needed", true);
	if (out->keyless && out->nkeys == 0)
		return add_key(p, sec, NULL, "", 0, out);
	return 0;
}

/* ---- off ---- */

/* The variable that one of the options wants and the environment has not. */
static bool
wants(const struct scan_section *sec, const char *name, char *var, size_t size)
{
	const struct scan_option *o = parse_find(sec, name);
	size_t i;

	for (i = 0; o != NULL && i < o->n; i++)
		if (raw_missing(o->raw[i], var, size))
			return true;
	return false;
}

static int
read_off(struct parse *p, const struct scan_section *sec,
    struct config_provider *out)
{
	const struct scan_option *url = parse_find(sec, "url");
	char var[128];

	if (wants(sec, "url", var, sizeof(var)) || (out->nkeys == 0 &&
	    (wants(sec, "key", var, sizeof(var)) ||
	    wants(sec, "keys", var, sizeof(var))))) {
		if ((out->needs = strdup(var)) == NULL)
			return -1;
	}
	out->disabled = !parse_bool(p, sec, "enabled", true);
	if (out->disabled) {
		out->off = strdup("switched off in the configuration");
	} else if (out->needs != NULL) {
		if (asprintf(&out->off, "%s is not set", var) < 0)
			out->off = NULL;
	} else if (out->nkeys == 0) {
		if (asprintf(&out->off, "no key: set `key` of provider %s",
		    out->name) < 0)
			out->off = NULL;
	} else {
		return 0;
	}
	if (out->off == NULL)
		return -1;
	/* An address with a hole is shown as it was written. */
	if (url != NULL && url->n == 1 && out->needs != NULL &&
	    wants(sec, "url", var, sizeof(var))) {
		size_t quoted = *url->raw[0] == '"';

		free(out->url);
		out->url = strndup(url->raw[0] + quoted,
		    strlen(url->raw[0]) - 2 * quoted);
		return out->url != NULL ? 0 : -1;
	}
	return 0;
}

/* ---- lists ---- */

/* Split each "a<sep>b" of the option into pairs, name NULL last. */
static int
read_pairs(struct parse *p, const struct scan_section *sec, const char *name,
    char sep, struct config_pair **out)
{
	const struct scan_option *o = parse_find(sec, name);
	struct config_pair *pair;
	const char *v, *at;
	size_t i;

	*out = pair = calloc((o != NULL ? o->n : 0) + 1, sizeof(*pair));
	if (pair == NULL)
		return -1;
	for (i = 0; o != NULL && i < o->n; i++) {
		v = o->value[i];
		at = strchr(v, sep);
		if (at == NULL || at == v || at[1] == '\0') {
			parse_error(p, sec, name,
			    "%s wants \"name%c%svalue\", not '%s'", name, sep,
			    sep == ':' ? " " : "", v);
			continue;
		}
		pair->name = strndup(v, (size_t)(at - v));
		pair->value = strdup(at + 1 + strspn(at + 1, " "));
		if (pair->name == NULL || pair->value == NULL) {
			free(pair->name);
			free(pair->value);
			pair->name = NULL;
			return -1;
		}
		pair++;
	}
	return 0;
}

bool
catalog_credential(const char *header)
{
	static const char *const words[] = { "auth", "key", "token", "secret",
	    "cookie" };
	const char *at, *end = header + strcspn(header, ":");
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if ((at = strcasestr(header, words[i])) != NULL && at < end)
			return true;
	return false;
}

/* Headers that would break the framing or the host of a call are not for the
 * configuration. Those that carry a credential are kept out of logs. */
static void
check_headers(struct parse *p, const struct scan_section *sec,
    const struct config_pair *h)
{
	static const char *const ours[] = { "host", "content-length",
	    "transfer-encoding", "connection", "content-type", "te",
	    "upgrade" };
	size_t i, n = 0, bytes = 0;

	for (; h->name != NULL; h++) {
		n++;
		bytes += strlen(h->name) + strlen(h->value);
		if (!catalog_name(h->name, 100, "!#$%&*+^`|~"))
			parse_error(p, sec, "headers",
			    "'%s' is no name of a header", h->name);
		for (i = 0; i < sizeof(ours) / sizeof(*ours); i++)
			if (strcasecmp(h->name, ours[i]) == 0)
				parse_error(p, sec, "headers",
				    "the header %s is not yours to set",
				    h->name);
		if (catalog_credential(h->name))
			log_secret(h->value);
	}
	if (n > CONFIG_HEADERS || bytes > CONFIG_HEAD)
		parse_error(p, sec, "headers", "more than %d headers, or more "
		    "than %d bytes of them", CONFIG_HEADERS, CONFIG_HEAD);
}

static void
check_renames(struct parse *p, const struct scan_section *sec,
    const struct config_provider *out)
{
	const struct config_pair *r;
	size_t i;

	for (r = out->rename; r->name != NULL; r++)
		if (!catalog_name(r->name, 64, "") ||
		    !catalog_name(r->value, 64, ""))
			parse_error(p, sec, "rename", "'%s=%s' are no names "
			    "of parameters", r->name, r->value);
	for (i = 0; out->drop != NULL && out->drop[i] != NULL; i++)
		if (!catalog_name(out->drop[i], 64, ""))
			parse_error(p, sec, "drop", "'%s' is no name of a "
			    "parameter", out->drop[i]);
}

static int
read_lists(struct parse *p, const struct scan_section *sec,
    struct config_provider *out)
{
	out->drop = parse_list(p, sec, "drop");
	if (out->drop == NULL)
		out->drop = calloc(1, sizeof(*out->drop));
	if (out->drop == NULL ||
	    read_pairs(p, sec, "rename", '=', &out->rename) != 0 ||
	    read_pairs(p, sec, "headers", ':', &out->headers) != 0)
		return -1;
	check_renames(p, sec, out);
	check_headers(p, sec, out->headers);
	return 0;
}

/* ---- provider, model ---- */

static void
read_timeouts(struct parse *p, const struct scan_section *sec,
    struct config_provider *out)
{
	out->connect_ms = parse_ms(p, sec, "connect-timeout", 1,
	    CATALOG_DAY_MS, 5 * 1000);
	out->first_ms = parse_ms(p, sec, "first-event-timeout", 1,
	    CATALOG_DAY_MS, 30 * 1000);
	out->idle_ms = parse_ms(p, sec, "idle-timeout", 1, CATALOG_DAY_MS,
	    60 * 1000);
	out->total_ms = parse_ms(p, sec, "total-timeout", 1, CATALOG_DAY_MS,
	    600 * 1000);
}

int
catalog_provider(struct parse *p, const struct scan_section *sec,
    struct config_provider *out)
{
	if (!catalog_name(sec->title, 64, ""))
		parse_error(p, sec, NULL, "'%s' is no name for a provider: "
		    "letters, digits and . _ - only, 64 at most", sec->title);
	if (strcmp(sec->title, "demo") == 0) {
		if (sec->noptions != 0)
			parse_error(p, sec, NULL, "provider demo is built in "
			    "and takes no options");
		return catalog_demo(out);
	}
	out->name = strdup(sec->title);
	out->file = strdup(sec->file->path);
	out->line = sec->line;
	out->title = strdup(parse_str(p, sec, "title", sec->title));
	out->insecure = parse_bool(p, sec, "insecure", false);
	out->url = read_url(p, sec, out->insecure);
	if (out->name == NULL || out->title == NULL || out->url == NULL ||
	    out->file == NULL || read_keys(p, sec, out) != 0 ||
	    read_off(p, sec, out) != 0 || read_lists(p, sec, out) != 0)
		return -1;
	catalog_limits(p, sec, "", &out->limits);
	catalog_limits(p, sec, "key-", &out->key_limits);
	out->day = (enum config_day)parse_word(p, sec, "day-resets",
	    config_day_word, CONFIG_DAYS, CONFIG_DAY_UTC);
	out->counts_failures = parse_bool(p, sec, "counts-failures", false);
	out->http2 = parse_bool(p, sec, "http2", false);
	out->stream_usage = parse_bool(p, sec, "stream-usage", true);
	read_timeouts(p, sec, out);
	return 0;
}

static unsigned
read_can(struct parse *p, const struct scan_section *sec)
{
	const struct scan_option *o = parse_find(sec, "can");
	unsigned can = 0;
	size_t i, k;

	for (i = 0; o != NULL && i < o->n; i++) {
		for (k = 0; config_can_word[k] != NULL; k++)
			if (strcmp(o->value[i], config_can_word[k]) == 0)
				break;
		if (config_can_word[k] != NULL)
			can |= 1u << k;
		else
			parse_error(p, sec, "can", "can: '%s' is none of "
			    "tools vision json audio reasoning", o->value[i]);
	}
	return can;
}

static const struct config_provider *
find_provider(const struct config_provider *list, size_t n, const char *title,
    size_t len)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (text_is(title, len, list[i].name))
			return &list[i];
	return NULL;
}

int
catalog_model(struct parse *p, const struct scan_section *sec,
    const struct config_provider *list, size_t n, struct config_model *out)
{
	const char *slash = strchr(sec->title, '/');
	const struct config_provider *of;
	bool off;

	if (slash == NULL || !catalog_name(slash + 1, 200, "/:@+=,~")) {
		parse_error(p, sec, NULL, "'%s' is no model: PROVIDER/ID is "
		    "expected", sec->title);
		return -1;
	}
	of = find_provider(list, n, sec->title, (size_t)(slash - sec->title));
	if (of == NULL) {
		parse_error(p, sec, NULL, "model '%s': there is no provider "
		    "'%.*s'", sec->title, (int)(slash - sec->title),
		    sec->title);
		return -1;
	}
	if (of->demo && strcmp(slash, "/echo") != 0 &&
	    strcmp(slash, "/tortoise") != 0)
		parse_error(p, sec, NULL, "provider demo has only the models "
		    "echo and tortoise");
	out->provider = (uint16_t)(of - list);
	out->name = strdup(sec->title);
	out->id = strdup(slash + 1);
	out->title = strdup(parse_str(p, sec, "title", slash + 1));
	catalog_limits(p, sec, "", &out->limits);
	out->context = parse_int(p, sec, "context", 0, CATALOG_MAX_LIMIT, 0);
	out->output = parse_int(p, sec, "output", 0, CATALOG_MAX_LIMIT, 0);
	out->can = read_can(p, sec);
	out->weight = (int)parse_int(p, sec, "weight", 1, 1000, 1);
	out->tier = (int)parse_int(p, sec, "tier", 0, 1000, 0);
	out->slow = parse_bool(p, sec, "slow", false);
	off = !parse_bool(p, sec, "enabled", true);
	if (off)
		out->off = strdup("switched off in the configuration");
	if (out->name && out->id && out->title && (!off || out->off))
		return 0;
	parse_error(p, sec, NULL, "out of memory");
	free(out->name);
	free(out->id);
	free(out->title);
	free(out->off);
	memset(out, 0, sizeof(*out));
	return -1;
}

/* ---- demo ---- */

int
catalog_demo(struct config_provider *out)
{
	memset(out, 0, sizeof(*out));
	out->name = strdup("demo");
	out->title = strdup("Demo (built in)");
	out->url = strdup("");
	out->keys = calloc(1, sizeof(*out->keys));
	out->drop = calloc(1, sizeof(*out->drop));
	out->rename = calloc(1, sizeof(*out->rename));
	out->headers = calloc(1, sizeof(*out->headers));
	if (!out->name || !out->title || !out->url || !out->keys ||
	    !out->drop || !out->rename || !out->headers ||
	    (out->keys[0].secret = strdup("")) == NULL)
		return -1;
	name_key(&out->keys[0]);
	out->nkeys = 1;
	out->demo = out->stream_usage = out->keyless = true;
	catalog_limits(NULL, NULL, "", &out->limits);
	catalog_limits(NULL, NULL, "key-", &out->key_limits);
	read_timeouts(NULL, NULL, out);
	return 0;
}

/* Limits so small that they trip while one looks on. */
int
catalog_demo_model(size_t i, uint16_t provider, struct config_model *out)
{
	static const struct {
		const char *id, *title;
		int64_t rpm, rpd;
		bool slow;
	} rows[] = {
		{ "echo", "Demo echo", 6, 200, false },
		{ "tortoise", "Demo tortoise (slow)", 3, CONFIG_NONE, true },
	};

	memset(out, 0, sizeof(*out));
	out->id = strdup(rows[i].id);
	out->title = strdup(rows[i].title);
	if (asprintf(&out->name, "demo/%s", rows[i].id) < 0)
		out->name = NULL;
	out->provider = provider;
	catalog_limits(NULL, NULL, "", &out->limits);
	out->limits.max[CONFIG_RPM] = rows[i].rpm;
	out->limits.max[CONFIG_RPD] = rows[i].rpd;
	out->weight = 1;
	out->slow = rows[i].slow;
	return out->id && out->title && out->name ? 0 : -1;
}
