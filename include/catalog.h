/* catalog: the provider and model sections of a configuration, checked, into
 * their structs.
 *
 * Errors of meaning are told by parse_error and leave a usable default, so
 * that the rest is checked too. */
#ifndef CATALOG_H
#define CATALOG_H

#include "config.h"

struct parse;
struct scan_section;

/* The option names, NULL last, for a parse_spec. */
extern const char *const catalog_provider_options[];
extern const char *const catalog_model_options[];

/* Fill out, which is zero, from the section. What it holds is released by
 * config_free. 0, or -1 when memory is out. */
int	catalog_provider(struct parse *p, const struct scan_section *sec,
	    struct config_provider *out);

/* The same for a model; its provider's name is what stands before the first
 * '/' of the title. -1 when that provider is not among list[0..n), the title
 * is none, or memory is out, each told; out then holds nothing. */
int	catalog_model(struct parse *p, const struct scan_section *sec,
	    const struct config_provider *list, size_t n,
	    struct config_model *out);

/* The built-in provider and its models: i is 0 or 1; -1 for no memory. */
int	catalog_demo(struct config_provider *out);
int	catalog_demo_model(size_t i, uint16_t provider,
	    struct config_model *out);

/* The limits of a section: rpm, rpd, ... each after prefix. */
void	catalog_limits(struct parse *p, const struct scan_section *sec,
	    const char *prefix, struct config_limits *out);

/* Tell of and empty those of a list of patterns (NULL: none) that are none. */
void	catalog_patterns(struct parse *p, const struct scan_section *sec,
	    char **list);

/* Whether a header, "name: value" or the name alone, is a credential: by its
 * name. */
bool	catalog_credential(const char *header);

/* Whether s is a name: 1 to max bytes, letters, digits and . _ - and those
 * in more. */
bool	catalog_name(const char *s, size_t max, const char *more);

#endif
