/* lanes: what can be asked for: the lanes of a configuration, its aliases, and
 * the index that config_find uses. */
#ifndef LANES_H
#define LANES_H

struct config;
struct parse;

/* The option names of an alias section, NULL last, for a parse_spec. */
extern const char *const lanes_alias_options[];

/* From the providers and models of c, which must have room for one more
 * provider and two more models (the built-in ones), and the alias sections:
 * c->lanes, c->aliases, c->index. Errors of meaning as in catalog. -1: no
 * memory, or more than CONFIG_SCOPES (told). */
int	lanes_make(struct parse *p, struct config *c);

#endif
