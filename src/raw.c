#include "raw.h"

#include <stdlib.h>
#include <string.h>

/* The next ${...} of raw at or after p: its inside in *n bytes. NULL: none. */
static const char *
variable(const char *raw, const char *p, size_t *n)
{
	if (*raw == '\'')
		return NULL;
	for (; *p != '\0'; p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		else if (p[0] == '$' && p[1] == '{') {
			*n = strcspn(p + 2, "}");
			return p + 2;
		}
	}
	return NULL;
}

bool
raw_missing(const char *raw, char *out, size_t size)
{
	const char *p = raw, *value;
	size_t n;

	for (; (p = variable(raw, p, &n)) != NULL; p += n) {
		if (memmem(p, n, ":-", 2) != NULL || n == 0 || n >= size)
			continue;
		memcpy(out, p, n);
		out[n] = '\0';
		if ((value = getenv(out)) == NULL || *value == '\0')
			return true;
	}
	return false;
}

void
raw_unset_empty(const char *raw)
{
	const char *p = raw, *dash, *value;
	char name[256];
	size_t n;

	for (; (p = variable(raw, p, &n)) != NULL; p += n) {
		dash = memmem(p, n, ":-", 2);
		if (dash == NULL || dash == p ||
		    (size_t)(dash - p) >= sizeof(name))
			continue;
		memcpy(name, p, (size_t)(dash - p));
		name[dash - p] = '\0';
		if ((value = getenv(name)) != NULL && *value == '\0')
			(void)unsetenv(name);
	}
}

bool
raw_literal(const char *raw)
{
	const char *p = raw, *at, *dash;
	size_t n;

	for (; (at = variable(raw, p, &n)) != NULL; p = at + n + 1) {
		dash = memmem(at, n, ":-", 2);
		if (dash != NULL && dash + 2 < at + n)
			return true;
		for (; p < at - 2; p++)
			if (strchr("\"' ", *p) == NULL)
				return true;
	}
	return p[strspn(p, "\"' ")] != '\0';
}
