#include "lanes.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "config.h"
#include "parse.h"

const char *const lanes_alias_options[] = {
	"models", "route", "retired", NULL
};

struct maker {
	struct parse	*p;
	struct config	*c;
	bool		*seen;		/* lanes in the alias at hand */
	bool		 demo;		/* added by us, not asked for */
};

static bool
has_model(const struct config *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->nmodels; i++)
		if (strcmp(c->models[i].name, name) == 0)
			return true;
	return false;
}

/* The built-in provider: asked for by its section, or added for want of any
 * model that is on. */
static int
add_demo(struct maker *m)
{
	struct config *c = m->c;
	struct config_model model;
	size_t p, i;

	for (p = 0; p < c->nproviders && !c->providers[p].demo; p++)
		;
	if (p == c->nproviders) {
		if (config_models_on(c) > 0)
			return 0;
		m->demo = true;
		if (catalog_demo(&c->providers[c->nproviders++]) != 0)
			return -1;
	}
	for (i = 0; i < 2; i++) {
		int rc = catalog_demo_model(i, (uint16_t)p, &model);

		if (rc == 0 && !has_model(c, model.name)) {
			c->models[c->nmodels++] = model;
			continue;
		}
		free(model.id);
		free(model.name);
		free(model.title);
		if (rc != 0)
			return -1;
	}
	return 0;
}

static int
make_lanes(struct maker *m)
{
	struct config *c = m->c;
	size_t i, k, n = 0, others;

	for (i = 0; i < c->nmodels; i++)
		if (config_off(c, &c->models[i]) == NULL)
			n += c->providers[c->models[i].provider].nkeys;
	others = c->nproviders + parse_count(m->p, "client");
	for (i = 0; i < c->nproviders; i++)
		others += c->providers[i].nkeys;
	if (n + others > CONFIG_SCOPES) {
		scan_error(&m->p->scan, c->file, 0, "%zu models times keys "
		    "and %zu providers, keys and clients are more than %d", n,
		    others, CONFIG_SCOPES);
		return -1;
	}
	if ((c->lanes = calloc(n + 1, sizeof(*c->lanes))) == NULL)
		return -1;
	for (i = 0; i < c->nmodels; i++) {
		uint16_t p = c->models[i].provider;

		for (k = 0; config_off(c, &c->models[i]) == NULL &&
		    k < c->providers[p].nkeys; k++)
			c->lanes[c->nlanes++] = (struct config_lane){ p,
			    (uint16_t)i, (uint16_t)k };
	}
	return 0;
}

/* ---- aliases ---- */

static int
add_lane(struct maker *m, struct config_alias *a, size_t lane)
{
	uint16_t *grow;

	if (m->seen[lane])
		return 0;
	/* Room doubles at each power of two. */
	if ((a->nlanes & (a->nlanes - 1)) == 0) {
		grow = reallocarray(a->lanes, a->nlanes ? a->nlanes * 2 : 1,
		    sizeof(*grow));
		if (grow == NULL)
			return -1;
		a->lanes = grow;
	}
	m->seen[lane] = true;
	a->lanes[a->nlanes++] = (uint16_t)lane;
	return 0;
}

static int
add_all(struct maker *m, struct config_alias *a)
{
	size_t i;

	for (i = 0; i < m->c->nlanes; i++)
		if (add_lane(m, a, i) != 0)
			return -1;
	return 0;
}

/* The lanes are in the order of the models: halve to the first of this one. */
static int
add_model(struct maker *m, struct config_alias *a, size_t model)
{
	const struct config_lane *lanes = m->c->lanes;
	size_t lo = 0, hi = m->c->nlanes, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (lanes[mid].model < model)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < m->c->nlanes && lanes[lo].model == model; lo++)
		if (add_lane(m, a, lo) != 0)
			return -1;
	return 0;
}

static struct config_alias *
new_alias(struct maker *m)
{
	memset(m->seen, 0, m->c->nlanes + 1);
	return &m->c->aliases[m->c->naliases++];
}

static int
match_lanes(struct maker *m, const struct scan_section *sec,
    struct config_alias *a)
{
	const struct config *c = m->c;
	size_t i, k, n = 0, matched;

	for (i = 0; a->models[i] != NULL; i++) {
		matched = 0;
		for (k = 0; k < c->nmodels && a->models[i][0] != '\0'; k++) {
			if (fnmatch(a->models[i], c->models[k].name, 0) != 0)
				continue;
			matched++;
			if (add_model(m, a, k) != 0)
				return -1;
		}
		n += matched;
		if (matched == 0 && !a->retired)
			parse_warn(m->p, sec, "models", "alias '%s': "
			    "'%s' matches no model", a->name, a->models[i]);
	}
	if (n == 0 && !a->retired)
		parse_error(m->p, sec, "models", "alias '%s' matches no "
		    "model", a->name);
	return 0;
}

static void
check_alias(struct maker *m, const struct scan_section *sec)
{
	const struct config *c = m->c;
	size_t i;

	if (!catalog_name(sec->title, 200, "/:@+=,~"))
		parse_error(m->p, sec, NULL, "'%s' is no name for an "
		    "alias", sec->title);
	for (i = 0; i < c->nmodels; i++)
		if (strcmp(sec->title, c->models[i].name) == 0 ||
		    strcmp(sec->title, c->models[i].id) == 0) {
			parse_error(m->p, sec, NULL, "alias '%s' is also "
			    "the name of model %s", sec->title,
			    c->models[i].name);
			return;
		}
}

static uint16_t
find_route(struct maker *m, const struct scan_section *sec)
{
	const char *name = parse_str(m->p, sec, "route", "default");
	size_t i;

	for (i = 0; i < m->c->nroutes; i++)
		if (strcmp(m->c->routes[i].name, name) == 0)
			return (uint16_t)i;
	parse_error(m->p, sec, "route", "there is no route '%s'", name);
	return 0;
}

static int
read_alias(struct maker *m, const struct scan_section *sec,
    struct config_alias *a)
{
	check_alias(m, sec);
	a->retired = parse_bool(m->p, sec, "retired", false);
	a->route = find_route(m, sec);
	a->name = strdup(sec->title);
	a->models = parse_list(m->p, sec, "models");
	if (a->models == NULL) {
		if (parse_find(sec, "models") == NULL)
			parse_error(m->p, sec, NULL, "alias '%s' wants "
			    "models = {\"provider/*\", ...}", sec->title);
		a->models = calloc(1, sizeof(*a->models));
	} else {
		catalog_patterns(m->p, sec, a->models);
		if (match_lanes(m, sec, a) != 0)
			return -1;
	}
	if (a->nlanes == 0 && m->demo && add_all(m, a) != 0)
		return -1;
	return a->name != NULL && a->models != NULL ? 0 : -1;
}

/* aliases[0]: the file's own "auto", or every lane. */
static int
read_aliases(struct maker *m)
{
	const struct scan_section *sec, *first = NULL;
	struct config *c = m->c;
	struct config_alias *a;
	size_t i = 0;

	/* Each model adds at most its name and its bare id. */
	c->aliases = calloc(parse_count(m->p, "alias") + 1 + 2 * c->nmodels,
	    sizeof(*c->aliases));
	if (c->aliases == NULL)
		return -1;
	while ((sec = parse_each(m->p, "alias", &i)) != NULL)
		if (strcmp(sec->title, "auto") == 0)
			first = sec;
	a = new_alias(m);
	if (first != NULL) {
		if (read_alias(m, first, a) != 0)
			return -1;
	} else {
		a->implicit = true;
		if ((a->name = strdup("auto")) == NULL || add_all(m, a) != 0)
			return -1;
	}
	for (i = 0; (sec = parse_each(m->p, "alias", &i)) != NULL;)
		if (strcmp(sec->title, "auto") != 0 &&
		    read_alias(m, sec, new_alias(m)) != 0)
			return -1;
	return 0;
}

static bool
has_alias(const struct config *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->naliases; i++)
		if (strcmp(c->aliases[i].name, name) == 0)
			return true;
	return false;
}

/* An alias for one name of models; id: bare, of every provider that has it. */
static int
add_implicit(struct maker *m, const char *name, bool id)
{
	const struct config *c = m->c;
	struct config_alias *a;
	size_t i;

	if (has_alias(c, name))
		return 0;
	a = new_alias(m);
	a->implicit = true;
	if ((a->name = strdup(name)) == NULL)
		return -1;
	for (i = 0; i < c->nmodels; i++)
		if (strcmp(name, id ? c->models[i].id : c->models[i].name)
		    == 0 && add_model(m, a, i) != 0)
			return -1;
	return 0;
}

static int
compare_names(const void *a, const void *b)
{
	const struct config_alias *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Full names first: where "openai/gpt" is both a model of provider openai
 * and the bare id of another's, it means the first. */
static int
make_index(struct maker *m)
{
	struct config *c = m->c;
	size_t i;

	for (i = 0; i < c->nmodels; i++)
		if (add_implicit(m, c->models[i].name, false) != 0)
			return -1;
	for (i = 0; i < c->nmodels; i++)
		if (add_implicit(m, c->models[i].id, true) != 0)
			return -1;
	c->index = calloc(c->naliases, sizeof(*c->index));
	if (c->index == NULL)
		return -1;
	for (i = 0; i < c->naliases; i++)
		c->index[i] = &c->aliases[i];
	qsort(c->index, c->naliases, sizeof(*c->index), compare_names);
	return 0;
}

int
lanes_make(struct parse *p, struct config *c)
{
	struct maker m = { .p = p, .c = c };
	int rc = -1;

	if (add_demo(&m) != 0 || make_lanes(&m) != 0 ||
	    (m.seen = calloc(c->nlanes + 1, sizeof(*m.seen))) == NULL)
		goto out;
	if (read_aliases(&m) == 0 && make_index(&m) == 0)
		rc = 0;
out:
	free(m.seen);
	return rc;
}
