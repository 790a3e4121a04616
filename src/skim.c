#include "skim.h"

void
skim_init(struct skim *s, size_t max)
{
	*s = (struct skim){ .left = 0 };
	buf_init(&s->text, max);
}

void
skim_release(struct skim *s)
{
	buf_release(&s->text);
}

void
skim_clear(struct skim *s)
{
	size_t max = s->text.max;

	skim_release(s);
	skim_init(s, max);
}

/* One byte of an escape, behind its backslash. */
static void
escaped(struct skim *s, char c)
{
	switch (s->escape) {
	case 1:
		s->escape = c == 'u' ? 2 : 0;
		return;
	case 2:
		s->hex = c;
		break;
	case 3:
		s->high = (s->hex | 0x20) == 'd' && ((c >= '8' && c <= '9') ||
		    ((c | 0x20) >= 'a' && (c | 0x20) <= 'b'));
		break;
	case 5:
		s->escape = 0;
		return;
	}
	s->escape++;
}

/* A byte inside a string. Whether it is kept: the cut is neither inside a
 * character nor inside an escape nor between the halves of a pair. */
static bool
inside(struct skim *s, char c)
{
	bool middle = s->escape > 0 || s->high || ((unsigned char)c & 0xc0) ==
	    0x80;

	if (s->escape > 0) {
		escaped(s, c);
	} else if (c == '"') {
		s->string = s->dropping = false;
		return true;
	} else {
		s->high = false;
		s->escape = c == '\\';
	}
	s->run++;
	s->dropping |= s->run > SKIM_STRING && !middle;
	return !s->dropping;
}

void
skim_put(struct skim *s, const char *p, size_t n)
{
	const char *from = p, *end = p + n;
	bool keep;

	for (; p < end; p++) {
		if (s->string) {
			keep = inside(s, *p);
		} else {
			s->string = *p == '"';
			s->high = false;
			s->run = 0;
			keep = true;
		}
		if (keep)
			continue;
		if (p > from)
			(void)buf_put(&s->text, from, (size_t)(p - from));
		from = p + 1;
		s->left++;
	}
	(void)buf_put(&s->text, from, (size_t)(end - from));
}
