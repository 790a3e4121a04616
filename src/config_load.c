/* The sections of a file into struct config: config_load of config.h. The
 * meaning of each kind of section is in catalog, server and lanes. */
#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "catalog.h"
#include "env.h"
#include "lanes.h"
#include "parse.h"
#include "raw.h"
#include "server.h"
#include "text.h"

static const struct parse_spec specs[] = {
	{ "server", PARSE_UNTITLED, server_options },
	{ "route", PARSE_EITHER, server_route_options },
	{ "provider", PARSE_TITLED, catalog_provider_options },
	{ "model", PARSE_TITLED, catalog_model_options },
	{ "alias", PARSE_TITLED, lanes_alias_options },
	{ "client", PARSE_TITLED, server_client_options },
};

/* ---- providers, models ---- */

static int
read_providers(struct parse *p, struct config *c)
{
	const struct scan_section *sec;
	size_t i = 0, n = parse_count(p, "provider") + 1;

	if ((c->providers = calloc(n, sizeof(*c->providers))) == NULL)
		return -1;
	while ((sec = parse_each(p, "provider", &i)) != NULL)
		if (catalog_provider(p, sec,
		    &c->providers[c->nproviders++]) != 0)
			return -1;
	return 0;
}

static int
read_models(struct parse *p, struct config *c)
{
	const struct scan_section *sec;
	size_t i = 0, n = parse_count(p, "model") + 2;

	if ((c->models = calloc(n, sizeof(*c->models))) == NULL)
		return -1;
	while ((sec = parse_each(p, "model", &i)) != NULL)
		if (catalog_model(p, sec, c->providers, c->nproviders,
		    &c->models[c->nmodels]) == 0)
			c->nmodels++;
	return 0;
}

static void
warn_idle(struct parse *p, const struct config *c)
{
	const struct scan_section *sec;
	size_t i = 0, n, k;

	for (n = 0; (sec = parse_each(p, "provider", &i)) != NULL; n++) {
		if (c->providers[n].off != NULL || c->providers[n].demo)
			continue;
		for (k = 0; k < c->nmodels; k++)
			if (c->models[k].provider == n)
				break;
		if (k == c->nmodels)
			parse_warn(p, sec, NULL, "provider '%s' has "
			    "no model", sec->title);
	}
}

/* ---- the file ---- */

/* In single quotes ${NAME} is as literal as the rest. */
static bool
secret_header(const char *raw)
{
	const char *colon = strchr(raw, ':');

	return catalog_credential(raw) && colon != NULL &&
	    (*raw == '\'' || raw_literal(colon + 1));
}

static bool
secret_proxy(const char *raw)
{
	return strchr(raw, '@') != NULL;
}

static bool
holds_secret(const struct scan_section *sec)
{
	static const struct {
		const char *option;
		bool	 (*secret)(const char *raw);
	} rows[] = {
		{ "key", raw_literal }, { "keys", raw_literal },
		{ "headers", secret_header }, { "proxy", secret_proxy },
	};
	const struct scan_option *o;
	size_t i, k;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		o = parse_find(sec, rows[i].option);
		for (k = 0; o != NULL && k < o->n; k++)
			if (rows[i].secret(o->raw[k]))
				return true;
	}
	return false;
}

static void
check_exposed(struct parse *p)
{
	const struct scan *s = &p->scan;
	const struct scan_file *told = NULL;
	const char *why;
	size_t i;

	for (i = 0; i < s->nsections; i++) {
		const struct scan_section *sec = &s->sections[i];

		if (sec->file == told || !holds_secret(sec) ||
		    (why = file_exposed(&sec->file->owner)) == NULL)
			continue;
		told = sec->file;
		parse_error(p, sec, NULL, "this file holds a secret "
		    "and %s: chmod 600 %s", why, sec->file->path);
	}
}

/* The folder of path, absolute, so that a later chdir changes nothing. */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir, *full;

	if (slash == NULL)
		dir = strdup(".");
	else
		dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (dir == NULL)
		return NULL;
	full = realpath(dir, NULL);
	if (full == NULL)
		return dir;
	free(dir);
	return full;
}

static int
read_all(struct parse *p, const char *folder, struct config *c)
{
	return server_read(p, folder, c) == 0 && server_routes(p, c) == 0 &&
	    read_providers(p, c) == 0 && read_models(p, c) == 0 &&
	    lanes_make(p, c) == 0 && server_clients(p, c) == 0 ? 0 : -1;
}

struct config *
config_load(const char *path, struct buf *errors, struct buf *warnings)
{
	struct parse p = { .warnings = warnings };
	struct config *c = calloc(1, sizeof(*c)), *good = NULL;
	char *folder = folder_of(path), *dotenv = NULL;
	struct text_time now;
	int bad;

	scan_init(&p.scan, errors);
	if (sodium_init() < 0 || c == NULL || folder == NULL ||
	    (c->file = strdup(path)) == NULL ||
	    asprintf(&dotenv, "%s/.env", folder) < 0) {
		dotenv = NULL;
		goto nomem;
	}
	text_clock(&now);
	c->loaded = now.wall;
	bad = env_folder(getenv("CREDENTIALS_DIRECTORY"), errors);
	bad |= env_path(dotenv, errors);
	bad |= parse_path(&p, path, specs, sizeof(specs) / sizeof(*specs),
	    errors, warnings);
	if (p.scan.nfiles == 0)
		goto out;		/* not even readable: said so */
	check_exposed(&p);
	if (read_all(&p, folder, c) != 0)
		goto nomem;
	warn_idle(&p, c);
	if (bad == 0 && p.scan.nerrors == 0) {
		good = c;
		c = NULL;
	}
	goto out;
nomem:
	if (p.scan.nerrors == 0)
		scan_error(&p.scan, path, 0, "out of memory");
out:
	parse_release(&p);
	config_free(c);
	free(folder);
	free(dotenv);
	return good;
}
