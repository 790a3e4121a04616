#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/demo.c"

#include <stdio.h>

#include "reply.h"

/* What the caller of a demo call sees. */
struct seen {
	struct loop	*loop;
	struct demo	*demo;
	struct loop_timer timer;
	struct loop_task after_head;
	struct buf	 head, body;
	int		 heads, bodies, ends;
	int		 cancel_at;	/* in this call of body; 0: never */
	int		 pause_at;
	bool		 cancel_in_head;
	int64_t		 began, first, paused, resumed;
	int64_t		 wait;		/* for the first of body */
};

/* When the head's batch ends: however long the machine takes then. */
static void
after_head(struct loop_task *t)
{
	struct seen *s = LOOP_OWNER(t, struct seen, after_head);

	s->wait = s->demo->timer.due - loop_now(s->loop);
}

static void
on_head(void *arg, int status, const char *head, size_t n)
{
	struct seen *s = arg;

	assert_int_equal(status, 200);
	assert_int_equal(s->bodies, 0);
	buf_put(&s->head, head, n);
	s->heads++;
	if (s->cancel_in_head) {
		demo_cancel(s->demo);
	} else {
		s->after_head.run = after_head;
		loop_post(s->loop, &s->after_head);
	}
}

static bool
on_body(void *arg, const char *p, size_t n)
{
	struct seen *s = arg;

	assert_int_equal(s->heads, 1);
	/* Nothing comes while paused. */
	assert_true(s->paused == 0 || s->resumed != 0);
	if (s->bodies++ == 0)
		s->first = loop_now(s->loop);
	buf_put(&s->body, p, n);
	if (s->bodies == s->cancel_at)
		demo_cancel(s->demo);
	if (s->bodies != s->pause_at)
		return false;
	s->paused = loop_now(s->loop);
	loop_timer_set(s->loop, &s->timer, s->paused + 120);
	return true;
}

static void
on_done(void *arg, enum fetch_result result, const char *detail)
{
	struct seen *s = arg;

	assert_int_equal(result, FETCH_OK);
	assert_string_equal(detail, "");
	s->ends++;
}

static void
on_timer(struct loop_timer *t)
{
	struct seen *s = (struct seen *)(void *)((char *)t -
	    offsetof(struct seen, timer));

	s->resumed = loop_now(s->loop);
	demo_resume(s->demo);
}

static const struct fetch_events events = { on_head, on_body, on_done };

static void
run(struct seen *s, const char *id, const char *body, bool stream)
{
	s->loop = loop_new();
	assert_non_null(s->loop);
	s->timer.fire = on_timer;
	buf_init(&s->head, 1000);
	buf_init(&s->body, 100000);
	s->began = loop_now(s->loop);
	s->demo = demo_fetch(s->loop, id, body, strlen(body), stream, &events,
	    s);
	assert_non_null(s->demo);
	assert_int_equal(s->heads, 0);
	assert_int_equal(loop_run(s->loop), 0);
	loop_free(s->loop);
}

static void
release(struct seen *s)
{
	buf_release(&s->head);
	buf_release(&s->body);
}

/* The bare text of what came, by the way that a client gets it. */
static void
text_of(struct seen *s, struct buf *out, int64_t *completion)
{
	const struct reply_spec spec = {
		.mode = REPLY_TEXT, .max_event = 65536, .max_json = 65536
	};
	struct reply r;

	buf_init(out, 65536);
	reply_init(&r, &spec);
	reply_head(&r, s->head.data, s->head.len);
	reply_feed(&r, s->body.data, s->body.len, out);
	reply_end(&r, true, out);
	assert_true(r.done);
	assert_true(r.prompt > 0);
	*completion = r.completion;
	reply_release(&r);
}

#define ASK(text) "{\"model\":\"demo\",\"messages\":[" \
	"{\"role\":\"user\",\"content\":\"not me\"}," \
	"{\"role\":\"assistant\",\"content\":\"nor me\"}," \
	"{\"role\":\"user\",\"content\":" text "}]}"

static void
test_streams(void **state)
{
	struct seen s = { 0 };
	int64_t completion;
	struct buf text;

	(void)state;
	run(&s, "echo", ASK("\"How are\\nyou?\""), true);
	assert_int_equal(s.heads, 1);
	assert_int_equal(s.ends, 1);
	assert_true(s.bodies > 20);
	assert_true(s.first - s.began >= 150);
	assert_in_range(s.wait, 150, 599);
	text_of(&s, &text, &completion);
	assert_memory_equal(buf_str(&text),
	    "This is relevo's demo provider: no model is answering.", 54);
	assert_non_null(strstr(buf_str(&text), "\n\n> How are you?\n\n"));
	assert_non_null(strstr(buf_str(&text), "GROQ_API_KEY"));
	assert_null(strstr(buf_str(&text), "not me"));
	assert_true(completion > 30 && completion < 120);
	assert_non_null(strstr(buf_str(&s.body), "data: [DONE]\n\n"));
	buf_release(&text);
	release(&s);
}

static void
test_json(void **state)
{
	struct seen s = { 0 };
	int64_t completion;
	struct buf text;

	(void)state;
	run(&s, "echo", ASK("[{\"type\":\"text\",\"text\":\"uno\"},"
	    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"no\"}}]"),
	    false);
	assert_int_equal(s.bodies, 1);
	assert_int_equal(s.ends, 1);
	text_of(&s, &text, &completion);
	assert_non_null(strstr(buf_str(&text), "\n\n> uno\n\n"));
	buf_release(&text);
	release(&s);
}

static void
test_pause(void **state)
{
	struct seen s = { .pause_at = 3 };

	(void)state;
	run(&s, "echo", ASK("\"x\""), true);
	assert_true(s.resumed - s.paused >= 120);
	assert_int_equal(s.ends, 1);
	release(&s);
}

static void
test_cancel(void **state)
{
	struct seen head = { .cancel_in_head = true };
	struct seen body = { .cancel_at = 2 };
	struct seen none = { 0 };
	struct loop *l = loop_new();

	(void)state;
	run(&head, "tortoise", ASK("\"x\""), true);
	assert_int_equal(head.bodies + head.ends, 0);
	run(&body, "echo", ASK("\"x\""), true);
	assert_int_equal(body.bodies, 2);
	assert_int_equal(body.ends, 0);
	release(&head);
	release(&body);
	/* Before the first callback: nothing is left to wait for. */
	demo_cancel(demo_fetch(l, "echo", "{}", 2, true, &events, &none));
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(none.heads, 0);
	loop_free(l);
}

/* The words alone, without waiting for a model. */
static void
say(struct buf *out, const char *body)
{
	buf_init(out, TEXT_MAX);
	assert_int_equal(speak(out, body, strlen(body)), 0);
}

static void
test_language(void **state)
{
	static const struct {
		const char	*ask;
		bool		 spanish;
	} rows[] = {
		{ ASK("\"\xc2\xbfQu\\u00e9 hora es en Lima?\""), true },
		{ ASK("\"Hola\""), true },
		{ ASK("\"hola, dime los nombres de las capitales\""), true },
		{ ASK("\"What is the capital of France?\""), false },
		{ ASK("\"hello\""), false },
		{ ASK("\"\""), false },
		{ ASK("\"no\""), false },
		{ "{}", false },
		{ "not json", false },
		{ "{\"messages\":[{\"role\":\"user\"}]}", false },
		{ "{\"messages\":[7", false },
	};
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		say(&b, rows[i].ask);
		assert_int_equal(strncmp(buf_str(&b), "Este", 4) == 0,
		    rows[i].spanish);
		buf_release(&b);
	}
}

static void
test_markdown(void **state)
{
	struct buf b;

	(void)state;
	say(&b, ASK("\"Show me Markdown.\""));
	assert_non_null(strstr(buf_str(&b), "```c\n"));
	assert_non_null(strstr(buf_str(&b), "|---|"));
	assert_non_null(strstr(buf_str(&b), "no model is answering"));
	buf_release(&b);
	say(&b, ASK("\"a markdowner\""));
	assert_null(strstr(buf_str(&b), "```c\n"));
	buf_release(&b);
}

static void
test_echo_is_cut_at_a_character(void **state)
{
	char ask[2000];
	struct buf b;
	int i, n;

	(void)state;
	n = snprintf(ask, sizeof(ask), "{\"messages\":[{\"role\":\"user\","
	    "\"content\":\"x");
	for (i = 0; i < 300; i++)
		n += snprintf(ask + n, sizeof(ask) - (size_t)n, "\xc3\xb1");
	snprintf(ask + n, sizeof(ask) - (size_t)n, "\"}]}");
	say(&b, ask);
	/* 400 would be half a character: 1 + 2 * 199. */
	assert_non_null(strstr(buf_str(&b), "\xb1...\n\nThe stream"));
	assert_null(strstr(buf_str(&b), "\xc3..."));
	for (i = 0; i < (int)b.len; i += n) {
		n = (int)text_utf8(b.data + i, b.len - (size_t)i);
		assert_true(n > 0);
	}
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_language),
		cmocka_unit_test(test_markdown),
		cmocka_unit_test(test_echo_is_cut_at_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
