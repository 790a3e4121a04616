#include "json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "text.h"

/* struct json_tree is never defined: it is cJSON behind a cast, so that the
 * library is known to this file alone. */
static const cJSON *
node(const struct json_tree *t)
{
	return (const cJSON *)t;
}

struct json_tree *
json_parse(const char *p, size_t n)
{
	const char *end = NULL, *why;
	size_t at;
	cJSON *t;

	if (json_check(p, n, &at, &why) < 0)
		return NULL;
	t = cJSON_ParseWithLengthOpts(p, n, &end, 0);
	if (t == NULL)
		return NULL;
	/* cJSON without the fix of CVE-2023-26819 takes 63 bytes of a number
	 * and leaves the rest. */
	for (; end < p + n; end++) {
		if (strchr(" \t\r\n", *end) == NULL) {
			cJSON_Delete(t);
			return NULL;
		}
	}
	return (struct json_tree *)t;
}

void
json_free(struct json_tree *t)
{
	cJSON_Delete((cJSON *)t);
}

static const cJSON *
child(const cJSON *t, const char *name, size_t n)
{
	char copy[64];
	uint64_t index;

	if (cJSON_IsArray(t)) {
		if (text_uint(name, n, INT32_MAX, &index) < 0)
			return NULL;
		return cJSON_GetArrayItem(t, (int)index);
	}
	if (n >= sizeof(copy))
		return NULL;
	memcpy(copy, name, n);
	copy[n] = '\0';
	return cJSON_GetObjectItemCaseSensitive(t, copy);
}

const struct json_tree *
json_at(const struct json_tree *t, const char *path)
{
	const cJSON *at = node(t);
	size_t n;

	while (at != NULL && *path != '\0') {
		n = strcspn(path, ".");
		at = child(at, path, n);
		path += n;
		path += *path == '.';
	}
	return (const struct json_tree *)at;
}

enum json_token
json_kind(const struct json_tree *t)
{
	static const struct {
		int		type;
		enum json_token	token;
	} kinds[] = {
		{ cJSON_Object, JSON_OBJECT }, { cJSON_Array, JSON_ARRAY },
		{ cJSON_String, JSON_STRING }, { cJSON_Number, JSON_NUMBER },
		{ cJSON_True, JSON_TRUE }, { cJSON_False, JSON_FALSE },
		{ cJSON_NULL, JSON_NULL },
	};
	size_t i;

	if (t == NULL)
		return JSON_BAD;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((node(t)->type & 0xff) == kinds[i].type)
			return kinds[i].token;
	return JSON_BAD;
}

const char *
json_string(const struct json_tree *t)
{
	return cJSON_IsString(node(t)) ? node(t)->valuestring : NULL;
}

int
json_number(const struct json_tree *t, double *out)
{
	/* 1e999 is JSON, and infinite for cJSON. */
	if (!cJSON_IsNumber(node(t)) || !isfinite(node(t)->valuedouble))
		return -1;
	*out = node(t)->valuedouble;
	return 0;
}

size_t
json_count(const struct json_tree *t)
{
	if (!cJSON_IsArray(node(t)))
		return 0;
	return (size_t)cJSON_GetArraySize(node(t));
}

const char *
json_version(void)
{
	return cJSON_Version();
}
