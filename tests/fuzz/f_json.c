/* The scanner against cJSON, which is laxer and so must take whatever the
 * scanner takes; and quoting against unescaping. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "buf.h"
#include "json.h"
#include "text.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define LONG_NUMBER	63	/* digits that any cJSON reads */

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* Walk the tokens. Each string is unescaped, and quoted again it must say the
 * same; each value that is skipped must end where walking it ends. False when
 * the text is not JSON, or has a number too long to compare. */
static bool
walk(const char *p, size_t n)
{
	struct buf text, quoted, again;
	struct json j, skipped;
	enum json_token t;
	bool result = true;

	buf_init(&text, n);
	buf_init(&quoted, 6 * n + 2);
	buf_init(&again, n);
	json_begin(&j, p, n);
	while ((t = json_next(&j)) != JSON_END && t != JSON_BAD) {
		must(j.tok + j.tok_len <= j.at && j.at <= n);
		must(j.depth <= JSON_DEPTH);
		if (t == JSON_NUMBER && j.tok_len > LONG_NUMBER)
			result = false;
		if (t == JSON_KEY || t == JSON_STRING) {
			buf_clear(&text);
			buf_clear(&quoted);
			buf_clear(&again);
			must(json_text(&j, &text) == 0);
			must(text.len == 0 ||
			    memchr(text.data, 0, text.len) != NULL ||
			    json_is(&j, buf_str(&text)));
			must(text_quote(&quoted, text.data, text.len) == 0);
			must(json_unescape(quoted.data + 1, quoted.len - 2,
			    &again) == 0);
			must(again.len == text.len && (text.len == 0 ||
			    memcmp(again.data, text.data, text.len) == 0));
		}
		skipped = j;
		if (json_skip(&skipped) == 0)
			must(skipped.at >= j.at &&
			    skipped.depth <= j.depth);
	}
	must((t == JSON_BAD) == (j.why != NULL));
	must(json_next(&j) == t);
	buf_release(&text);
	buf_release(&quoted);
	buf_release(&again);
	return result && t == JSON_END;
}

/* Any bytes at all, quoted, are JSON for the scanner. */
static void
quote(const char *p, size_t n)
{
	struct buf b;
	const char *why;
	size_t at;

	buf_init(&b, 6 * n + 2);
	must(text_quote(&b, p, n) == 0);
	must(json_check(b.data, b.len, &at, &why) == 0);
	buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct json_tree *tree;
	const char *p = (const char *)data;
	const char *why, *end;
	struct buf b;
	cJSON *t;
	size_t at;

	if (n > 4096)		/* skipping from every token is quadratic */
		return 0;
	if (walk(p, n)) {
		must(json_check(p, n, &at, &why) == 0);
		t = cJSON_ParseWithLengthOpts(p, n, &end, 0);
		must(t != NULL);
		cJSON_Delete(t);
		tree = json_parse(p, n);
		must(tree != NULL);
		must(json_kind(tree) != JSON_BAD);
		json_free(tree);
	}
	buf_init(&b, n);
	json_unescape(p, n, &b);
	buf_release(&b);
	quote(p, n);
	return 0;
}
