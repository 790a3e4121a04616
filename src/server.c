#include "server.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog.h"
#include "log.h"
#include "parse.h"
#include "text.h"

#define MINUTE_MS	(60 * 1000)
#define HOUR_MS		(60 * MINUTE_MS)
#define STATE_SOCKET	90	/* bytes of a path beside which a socket can
				 * have its name: see linger_name */

const char *const server_options[] = {
	"state", "access", "chat-format", "allowed-origins", "allowed-hosts",
	"prefix", "max-body", "workers", "heartbeat", "client-stall",
	"body-timeout", "drain-time", "cgi-linger", "ca-path", "proxy",
	"sandbox", "log", NULL
};
const char *const server_route_options[] = {
	"strategy", "fallback", "attempts", "max-wait", "sticky", NULL
};
const char *const server_client_options[] = {
	"token", "rpm", "rph", "rpd", "rpmonth", "tpm", "tph", "tpd",
	"tpmonth", "concurrency", "models", "usage", "expires", NULL
};

/* ---- server ---- */

static char *
in_folder(const char *folder, const char *path)
{
	char *out;

	if (*path == '/')
		return strdup(path);
	if (asprintf(&out, "%s/%s", folder, path) < 0)
		return NULL;
	return out;
}

/* scheme://host[:port], "*" or NULL: what a browser sends as Origin. */
static bool
good_origin(const char *s)
{
	const char *host = strstr(s, "://");

	if (strcmp(s, "*") == 0)
		return true;
	if (host == NULL || host == s || host[3] == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~' || strchr("\"'<>\\^`{|}?#@,*", *s) ||
		    (*s == '/' && s >= host + 3))
			return false;
	return true;
}

static void
check_origins(struct parse *p, const struct scan_section *sec,
    struct config *c)
{
	char **o;
	size_t n;

	for (o = c->origins; o != NULL && *o != NULL; o++) {
		n = strlen(*o);
		if (n > 0 && (*o)[n - 1] == '/')
			(*o)[n - 1] = '\0';
		if (good_origin(*o))
			continue;
		if (sec != NULL && parse_find(sec, "allowed-origins"))
			parse_error(p, sec, "allowed-origins",
			    "'%s' is no origin: https://host or * is expected",
			    *o);
		else
			scan_error(&p->scan, c->file, 0,
			    "ALLOWED_ORIGINS: '%s' is no origin: https://host "
			    "or * is expected", *o);
	}
}

/* "a, b,c" into a list, NULL last. */
static char **
split(const char *s)
{
	char **list;
	size_t n = 0, max = 2, len;
	const char *p;

	for (p = s; *p != '\0'; p++)
		max += *p == ',';
	if ((list = calloc(max, sizeof(*list))) == NULL)
		return NULL;
	for (; *s != '\0'; s += len) {
		s += strspn(s, ", \t");
		len = strcspn(s, ", \t");
		if (len != 0 && (list[n++] = strndup(s, len)) == NULL) {
			parse_list_free(list);
			return NULL;
		}
	}
	return list;
}

static int
read_origins(struct parse *p, const struct scan_section *sec,
    struct config *c)
{
	const char *env = getenv("ALLOWED_ORIGINS");

	if (parse_find(sec, "allowed-origins") != NULL)
		c->origins = parse_list(p, sec, "allowed-origins");
	else
		c->origins = split(env != NULL ? env : "");
	check_origins(p, sec, c);
	return c->origins != NULL ? 0 : -1;
}

/* Names as a browser has them: without a port, any case. */
static void
read_hosts(struct parse *p, const struct scan_section *sec, struct config *c)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	char **h;

	c->hosts = parse_list(p, sec, "allowed-hosts");
	for (h = c->hosts; h != NULL && *h != NULL; h++)
		if (**h == '\0' || strspn(*h, plain) != strlen(*h))
			parse_error(p, sec, "allowed-hosts", "'%s' is no host: "
			    "a name such as ai.example is expected", *h);
}

static int
read_prefix(struct parse *p, const struct scan_section *sec, struct config *c)
{
	const char *v = parse_str(p, sec, "prefix", ""), *at;
	size_t n = strlen(v);

	while (n > 0 && v[n - 1] == '/')
		n--;
	for (at = v; *at != '\0'; at++)
		if (*v != '/' || *at <= ' ' || *at > '~' ||
		    strchr("?#%\"\\", *at) != NULL) {
			parse_error(p, sec, "prefix", "prefix = %s: a "
			    "path such as /ai is expected", v);
			n = 0;
			break;
		}
	c->prefix = strndup(v, n);
	return c->prefix != NULL ? 0 : -1;
}

/* Whether path leads to the same file as other, under whatever name. */
static bool
is_file(const char *path, const char *other)
{
	struct stat a, b;

	return stat(path, &a) == 0 && stat(other, &b) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* A file that is no state is renamed, and one is made in its place: not with
 * those that we were told by. */
static void
check_state(struct parse *p, const struct scan_section *sec,
    const struct config *c, const char *folder)
{
	char *dotenv = in_folder(folder, ".env");
	size_t n = strlen(c->state);
	bool ours = dotenv != NULL && is_file(c->state, dotenv);
	struct stat st;

	for (size_t i = 0; i < p->scan.nfiles && !ours; i++)
		ours = is_file(c->state, p->scan.files[i]->path);
	if (ours)
		parse_error(p, sec, "state", "state %s is the configuration "
		    "itself: a file of its own is wanted", c->state);
	else if (c->state[n - 1] == '/' ||
	    (stat(c->state, &st) == 0 && S_ISDIR(st.st_mode)))
		parse_error(p, sec, "state", "state %s is a folder: a file in "
		    "it is wanted", c->state);
	free(dotenv);
}

static int
read_paths(struct parse *p, const struct scan_section *sec, struct config *c,
    const char *folder)
{
	const char *state = parse_str(p, sec, "state", "state");
	const char *ca = parse_str(p, sec, "ca-path", "");

	if (*state == '\0')
		parse_error(p, sec, "state", "state is empty");
	c->state = in_folder(folder, state);
	c->ca_path = *ca == '\0' ? strdup("") : in_folder(folder, ca);
	if (c->state == NULL || c->ca_path == NULL)
		return -1;
	if (*state != '\0' && sec != NULL)
		check_state(p, sec, c, folder);
	if (*ca != '\0' && access(c->ca_path, R_OK) != 0)
		parse_error(p, sec, "ca-path", "ca-path %s: %s",
		    c->ca_path, strerror(errno));
	return 0;
}

/* All of user:password@host, and its parts: a message of curl's may quote
 * any of them. */
static int
hide_user(const char *s)
{
	char *user = strndup(s, (size_t)(strrchr(s, '@') - s)), *colon;

	if (user == NULL)
		return -1;
	(void)log_secret(s);
	(void)log_secret(user);
	if ((colon = strchr(user, ':')) != NULL)
		(void)log_secret(colon + 1);
	free(user);
	return 0;
}

static int
read_proxy(struct parse *p, const struct scan_section *sec, struct config *c)
{
	static const char *const schemes[] = { "http://", "https://",
	    "socks5://", "socks5h://" };
	const char *v = parse_str(p, sec, "proxy", "");
	size_t i, n = 0;

	for (i = 0; i < 4; i++)
		if (strncmp(v, schemes[i], strlen(schemes[i])) == 0)
			n = strlen(schemes[i]);
	if (*v != '\0' && (n == 0 || v[n] == '\0' ||
	    strpbrk(v, " \t\"\\${}") != NULL))
		parse_error(p, sec, "proxy", "the proxy must begin "
		    "with http:// https:// socks5:// or socks5h://");
	if (n != 0 && strchr(v, '@') != NULL && hide_user(v + n) != 0)
		return -1;
	c->proxy = strdup(v);
	return c->proxy != NULL ? 0 : -1;
}

/* Who may ask must have been decided by a person: no default. */
static void
read_access(struct parse *p, const struct scan_section *sec, struct config *c)
{
	static const char *const words[] = { "token", "open" };

	if (sec == NULL || parse_find(sec, "access") == NULL) {
		scan_error(&p->scan, c->file, sec ? sec->line : 0,
		    "access is not set: write `access = token` (a client must "
		    "send a token) or `access = open` (anyone who reaches the "
		    "socket) in section server");
		c->open = true;
		return;
	}
	c->open = parse_word(p, sec, "access", words, 2, 1) == 1;
}

/* Off unless asked for: many hosts' terms forbid a process that outlives its
 * request. */
static int
read_linger(struct parse *p, const struct scan_section *sec)
{
	const struct scan_option *o = parse_find(sec, "cgi-linger");

	if (o != NULL && !o->list && (strcmp(o->value[0], "no") == 0 ||
	    strcmp(o->value[0], "0") == 0))
		return 0;
	return parse_ms(p, sec, "cgi-linger", 0, 24 * HOUR_MS, 0);
}

int
server_read(struct parse *p, const char *folder, struct config *c)
{
	static const char *const formats[] = { "sse", "text" };
	static const char *const levels[] = { "info", "debug" };
	size_t i = 0;
	const struct scan_section *sec = parse_each(p, "server", &i);

	read_access(p, sec, c);
	c->chat_text = parse_word(p, sec, "chat-format", formats, 2, 0) == 1;
	read_hosts(p, sec, c);
	c->sandbox = parse_bool(p, sec, "sandbox", true);
	c->debug = parse_word(p, sec, "log", levels, 2, 0) == 1;
	c->max_body = parse_size(p, sec, "max-body", 1024, 1 << 30, 8 << 20);
	c->workers = (int)parse_int(p, sec, "workers", 1, 256, 1);
	c->heartbeat_ms = parse_ms(p, sec, "heartbeat", 0, HOUR_MS, 10000);
	c->stall_ms = parse_ms(p, sec, "client-stall", 1, HOUR_MS, 30000);
	c->body_ms = parse_ms(p, sec, "body-timeout", 1, HOUR_MS, 30000);
	c->drain_ms = parse_ms(p, sec, "drain-time", 0, HOUR_MS, 30000);
	c->linger_ms = read_linger(p, sec);
	if (read_paths(p, sec, c, folder) != 0 ||
	    read_origins(p, sec, c) != 0 ||
	    read_prefix(p, sec, c) != 0 || read_proxy(p, sec, c) != 0)
		return -1;
	if (c->linger_ms > 0 && strlen(c->state) > STATE_SOCKET)
		parse_warn(p, sec, "cgi-linger", "nothing lingers: the path of "
		    "the state is longer than %d bytes, too long for a socket "
		    "beside it", STATE_SOCKET);
	return 0;
}

/* ---- routes ---- */

static int
read_route(struct parse *p, const struct scan_section *sec,
    struct config_route *r)
{
	const char *name = sec && sec->title ? sec->title : "default";

	if (!catalog_name(name, 64, ""))
		parse_error(p, sec, NULL, "'%s' is no name for a route", name);
	r->strategy = (enum config_strategy)parse_word(p, sec, "strategy",
	    config_strategy_word, CONFIG_STRATEGIES, CONFIG_ROUND_ROBIN);
	r->fallback = parse_bool(p, sec, "fallback", true);
	r->attempts = (int)parse_int(p, sec, "attempts", 1, 16, 4);
	r->max_wait_ms = parse_ms(p, sec, "max-wait", 0, 10 * MINUTE_MS,
	    10000);
	r->sticky = parse_bool(p, sec, "sticky", false);
	return (r->name = strdup(name)) != NULL ? 0 : -1;
}

/* The default route stands first, wherever the file has it. */
int
server_routes(struct parse *p, struct config *c)
{
	const struct scan_section *sec, *first = NULL;
	size_t i = 0;

	c->routes = calloc(parse_count(p, "route") + 1, sizeof(*c->routes));
	if (c->routes == NULL)
		return -1;
	while ((sec = parse_each(p, "route", &i)) != NULL) {
		if (sec->title != NULL && strcmp(sec->title, "default") != 0)
			continue;
		if (first != NULL)
			parse_error(p, sec, NULL, "the default route "
			    "is there twice (also line %d)", first->line);
		first = sec;
	}
	if (read_route(p, first, &c->routes[c->nroutes++]) != 0)
		return -1;
	for (i = 0; (sec = parse_each(p, "route", &i)) != NULL;)
		if (sec->title != NULL && strcmp(sec->title, "default") != 0 &&
		    read_route(p, sec, &c->routes[c->nroutes++]) != 0)
			return -1;
	return 0;
}

/* ---- clients ---- */

static int
from_hex(const char *s, unsigned char *out, size_t n)
{
	size_t got;

	return sodium_hex2bin(out, n, s, 2 * n, NULL, &got, NULL) == 0 &&
	    got == n ? 0 : -1;
}

static void
read_token(struct parse *p, const struct scan_section *sec,
    struct config_client *out)
{
	const char *v = parse_str(p, sec, "token", NULL);

	if (v == NULL) {
		parse_error(p, sec, NULL, "client '%s' has no token: "
		    "`relevo client new %s` makes one", sec->title,
		    sec->title);
		return;
	}
	if (strncmp(v, "blake2b:", 8) == 0 && strlen(v) == 8 + 64 &&
	    from_hex(v + 8, out->hash, 32) == 0)
		return;
	/* From a printed configuration: zeros for the rest match no token
	 * that anyone can find. */
	if (strncmp(v, "blake2b:", 8) == 0 && strlen(v) == 8 + 8 + 3 &&
	    strcmp(v + 16, "***") == 0 && from_hex(v + 8, out->hash, 4) == 0) {
		parse_warn(p, sec, "token", "the token of client '%s' "
		    "is shortened: none will match", sec->title);
		return;
	}
	/* It may be the token itself, put there by mistake. */
	log_secret(v);
	parse_error(p, sec, "token", "the token of client '%s' must "
	    "be \"blake2b:\" and 64 hex digits: `relevo client new %s` makes "
	    "one", sec->title, sec->title);
}

static void
read_expiry(struct parse *p, const struct scan_section *sec, int64_t now,
    struct config_client *out)
{
	const char *v = parse_str(p, sec, "expires", NULL);
	char full[64];

	if (v == NULL)
		return;
	snprintf(full, sizeof(full), "%s%s", v,
	    strlen(v) == 10 ? "T00:00:00Z" : "");
	if (strlen(v) > 40 || text_date(full, strlen(full), &out->expires) !=
	    0 || out->expires <= 0) {
		parse_error(p, sec, "expires", "expires = %s: a day "
		    "(2027-01-31) or a time (2027-01-31T12:00:00Z) is "
		    "expected", v);
		return;
	}
	out->expires -= out->expires % 1000;
	if (out->expires <= now)
		parse_warn(p, sec, "expires", "client '%s' has expired",
		    sec->title);
}

static int
read_client(struct parse *p, const struct scan_section *sec, int64_t now,
    struct config_client *out)
{
	static const char *const sees[] = { "own", "all" };

	if (!catalog_name(sec->title, 64, ""))
		parse_error(p, sec, NULL, "'%s' is no name for a "
		    "client: letters, digits and . _ - only, 64 at most",
		    sec->title);
	read_token(p, sec, out);
	read_expiry(p, sec, now, out);
	catalog_limits(p, sec, "", &out->limits);
	out->models = parse_list(p, sec, "models");
	out->sees_all = parse_word(p, sec, "usage", sees, 2, 0) == 1;
	catalog_patterns(p, sec, out->models);
	return (out->name = strdup(sec->title)) != NULL ? 0 : -1;
}

int
server_clients(struct parse *p, struct config *c)
{
	const struct scan_section *sec;
	size_t i = 0, n = parse_count(p, "client");

	if ((c->clients = calloc(n + 1, sizeof(*c->clients))) == NULL)
		return -1;
	while ((sec = parse_each(p, "client", &i)) != NULL)
		if (read_client(p, sec, c->loaded,
		    &c->clients[c->nclients++]) != 0)
			return -1;
	for (i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (memcmp(c->clients[i].hash, c->clients[k].hash,
			    32) == 0 && p->scan.nerrors == 0)
				scan_error(&p->scan, c->file, 0,
				    "clients '%s' and '%s' have one token",
				    c->clients[k].name, c->clients[i].name);
	i = 0;
	sec = parse_each(p, "server", &i);
	if (sec != NULL && !c->open && n == 0)
		parse_error(p, sec, "access", "access = token, but "
		    "there is no client: `relevo client new NAME` makes one "
		    "(or access = open)");
	return 0;
}
