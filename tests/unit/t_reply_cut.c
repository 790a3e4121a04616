#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The growth of a buf that fails: the n-th from now on, -1 none. */
static long fails_at = -1;

static void *
hungry(void *p, size_t n)
{
	return fails_at >= 0 && fails_at-- == 0 ? NULL : realloc(p, n);
}

#define realloc	hungry
#include "../../src/buf.c"
#undef realloc

#include "text.h"

/* Answers in the framings of the providers (tests/fixtures/streams), cut in
 * two at every offset, and into single bytes: what the client gets, and what
 * is known afterwards, is that of the whole, in every form. */

#define OK	FAULT_NONE
#define CUT	FAULT_UPSTREAM_CUT
#define ERR	FAULT_UPSTREAM_ERROR
#define BAD	FAULT_UPSTREAM_MALFORMED
#define EMPTY	FAULT_UPSTREAM_EMPTY

static const struct row {
	const char	*name;
	const char	*text;		/* of the first choice */
	enum fault_code	 sse, words, json;	/* how each form ends */
	int64_t		 prompt, completion;
} rows[] = {
	{ "openai", "Nine blue herons\n", OK, OK, BAD, 21, 5 },
	{ "groq-x", "<i>Nine</i> herons", OK, OK, BAD, 8, 4 },
	{ "groq-error", "Nine", ERR, ERR, BAD, -1, -1 },
	{ "cerebras-error", "", ERR, ERR, BAD, -1, -1 },
	{ "mistral", "Nine h\xc3\xa9rons \xf0\x9f\xaa\xb6", OK, OK, BAD, 6,
	  9 },
	{ "gemini", "Neun Reiher", OK, OK, BAD, 9, 51 },
	{ "openrouter", "Nueve garzas", OK, OK, BAD, 10, 7 },
	{ "openrouter-error", "Nueve", ERR, ERR, BAD, -1, -1 },
	{ "zai", "\xe4\xb9\x9d\xe5\x8f\xaa\xe9\xb9\xad", OK, OK, BAD, 13,
	  30 },
	{ "ollama", "Nine", OK, OK, BAD, 11, 3 },
	{ "escapes", "Nine \xf0\x9f\xaa\xb6 h\"\xc3\xa9\\rons\t", OK, OK, BAD,
	  -1, -1 },
	{ "tools", "", OK, EMPTY, BAD, 30, 12 },
	{ "odd", "Nine herons", OK, OK, BAD, -1, -1 },
	{ "no-done", "Nine", OK, OK, BAD, -1, -1 },
	{ "cut", "Nine her", CUT, CUT, BAD, -1, -1 },
	{ "choices", "Nine", OK, OK, BAD, -1, -1 },
	{ "object", "Nine h\xc3\xa9rons\n\xf0\x9f\xaa\xb6", OK, OK, OK, 12,
	  6 },
	{ "object-tools", "", OK, EMPTY, OK, 12, 6 },
	{ "object-error", "", ERR, ERR, ERR, -1, -1 },
};

static const struct reply_spec forms[] = {
	{ .mode = REPLY_SSE, .max_event = 65536, .max_json = 65536 },
	{ .mode = REPLY_SSE, .want_usage = true,
	  .relevo = "{\"provider\":\"p\"}", .max_event = 65536,
	  .max_json = 65536 },
	/* Nearly every event is above the maximum, and so is what is skimmed
	 * of it: nothing is known of the end. */
	{ .mode = REPLY_SSE, .max_event = 64, .max_json = 65536 },
	{ .mode = REPLY_TEXT, .max_event = 65536, .max_json = 65536 },
	{ .mode = REPLY_JSON, .max_event = 65536, .max_json = 65536 },
};

struct result {
	struct buf	 out;
	bool		 done, failed, content;
	struct fault	 fault;
	int		 status;
	int64_t		 prompt, completion, bytes;
};

/* A piece is a block of its own, so that nothing can be read beside it. */
static void
feed(struct reply *r, const char *p, size_t n, struct buf *out)
{
	char *copy = malloc(n > 0 ? n : 1);

	assert_non_null(copy);
	memcpy(copy, p, n);
	reply_feed(r, copy, n, out);
	free(copy);
}

/* A head, and a body of n bytes: `first` of them, then `step` at a time. */
static void
run(const struct reply_spec *spec, const char *head, const char *body,
    size_t n, size_t first, size_t step, struct result *x)
{
	struct reply r;
	size_t i, k = first;

	memset(x, 0, sizeof(*x));
	buf_init(&x->out, 1 << 20);
	reply_init(&r, spec);
	reply_head(&r, head, (size_t)(body - head));
	for (i = 0; i < n; i += k, k = step) {
		if (k > n - i)
			k = n - i;
		feed(&r, body + i, k, &x->out);
	}
	reply_end(&r, true, &x->out);
	reply_break(&r, &x->out);
	x->done = r.done;
	x->failed = r.failed;
	x->content = r.content;
	x->fault = r.fault;
	x->status = r.status;
	x->prompt = r.prompt;
	x->completion = r.completion;
	x->bytes = r.bytes;
	reply_release(&r);
}

static void
same(const struct result *a, const struct result *b)
{
	assert_int_equal(a->out.len, b->out.len);
	if (a->out.len > 0)
		assert_memory_equal(a->out.data, b->out.data, a->out.len);
	assert_int_equal(a->done, b->done);
	assert_int_equal(a->failed, b->failed);
	assert_int_equal(a->content, b->content);
	assert_int_equal(a->fault.code, b->fault.code);
	assert_string_equal(a->fault.message, b->fault.message);
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->prompt, b->prompt);
	assert_int_equal(a->completion, b->completion);
	assert_int_equal(a->bytes, b->bytes);
}

static char bytes[8192];		/* of a row's fixture: head, body */

/* A row's body, of *n bytes, behind its head at `bytes`. */
static const char *
load(const struct row *w, size_t *n)
{
	char path[200], *body;
	size_t all;
	FILE *f;

	snprintf(path, sizeof(path), "tests/fixtures/streams/%s.http", w->name);
	f = fopen(path, "rb");
	if (f == NULL)
		fail_msg("%s: run it from the top folder", path);
	all = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	assert_true(all > 0 && all < sizeof(bytes));
	body = memmem(bytes, all, "\r\n\r\n", 4);
	assert_non_null(body);
	body += 4;
	*n = all - (size_t)(body - bytes);
	return body;
}

/* The whole is as the row says. */
static void
right(const struct row *w, const struct reply_spec *spec, struct result *x)
{
	enum fault_code code = spec->mode == REPLY_SSE ? w->sse :
	    spec->mode == REPLY_TEXT ? w->words : w->json;

	if (x->fault.code != code)
		fail_msg("%s: %s, not %s", w->name, fault_word(x->fault.code),
		    fault_word(code));
	assert_int_equal(x->done, code == OK);
	assert_int_equal(x->failed, code != OK);
	if (code == OK || code == EMPTY) {
		assert_int_equal(x->prompt, w->prompt);
		assert_int_equal(x->completion, w->completion);
	}
	if (spec->mode == REPLY_TEXT)
		assert_string_equal(buf_str(&x->out), w->text);
}

static void
each_offset(const struct row *w, const struct reply_spec *spec,
    const char *head, const char *body, size_t n)
{
	struct result whole, cut;
	size_t i;

	run(spec, head, body, n, n, n, &whole);
	if (spec->max_event > 64)
		right(w, spec, &whole);
	for (i = 0; i <= n; i++) {
		run(spec, head, body, n, i, i < n ? n : 1, &cut);
		same(&whole, &cut);
		buf_release(&cut.out);
	}
	run(spec, head, body, n, 1, 1, &cut);
	same(&whole, &cut);
	buf_release(&cut.out);
	buf_release(&whole.out);
}

static void
test_every_cut_of_every_framing(void **state)
{
	size_t i, k, n;
	const char *body;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		body = load(&rows[i], &n);
		for (k = 0; k < sizeof(forms) / sizeof(forms[0]); k++)
			each_offset(&rows[i], &forms[k], bytes, body, n);
	}
}

/* Memory that is out is our fault, wherever it happens and however the answer
 * comes: never one of the provider, nor an answer that is another. */
static void
starve(const struct row *w, const struct reply_spec *spec, const char *head,
    const char *body, size_t n, size_t step)
{
	struct result whole, x;
	long at;

	run(spec, head, body, n, step, step, &whole);
	for (at = 0;; at++) {
		fails_at = at;
		run(spec, head, body, n, step, step, &x);
		if (fails_at >= 0)
			break;		/* there were not so many */
		if (x.fault.code != FAULT_INTERNAL &&
		    (x.fault.code != whole.fault.code ||
		    x.out.len != whole.out.len))
			fail_msg("%s: %s, not %s, at %ld", w->name,
			    fault_word(x.fault.code),
			    fault_word(whole.fault.code), at);
		buf_release(&x.out);
	}
	fails_at = -1;
	assert_true(at > 0);
	buf_release(&x.out);
	buf_release(&whole.out);
}

static void
test_memory_is_out(void **state)
{
	size_t i, k, n;
	const char *body;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		body = load(&rows[i], &n);
		for (k = 0; k < sizeof(forms) / sizeof(forms[0]); k++) {
			if (rows[i].json == BAD && forms[k].mode == REPLY_JSON)
				continue;
			starve(&rows[i], &forms[k], bytes, body, n, 1);
			starve(&rows[i], &forms[k], bytes, body, n, 100);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut_of_every_framing),
		cmocka_unit_test(test_memory_is_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
