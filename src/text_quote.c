#include "text.h"

#include <endian.h>
#include <string.h>

#include "buf.h"
#include "wide.h"

/* Eight bytes at p: a subtraction sets the top bit of each byte that is too
 * small, and one that was set is a find anyway. Borrows only spoil bytes above
 * the first find. */
static uint64_t
hits(const char *p)
{
	const uint64_t one = 0x0101010101010101ULL;
	uint64_t w;

	memcpy(&w, p, 8);
	w = le64toh(w);
	return ((w - one * 0x20) | ((w ^ one * '"') - one) |
	    ((w ^ one * '\\') - one) | w) & one * 0x80;
}

/* Which of the sixteen bytes at p are not plain. */
static wide
special(const char *p)
{
	const wide v = wide_load(p);

	/* As signed numbers those above 0x7f are less than a space, too. */
	return (wide)((wide_signed)v < 0x20) | (wide)(v == '"') |
	    (wide)(v == '\\');
}

/* Past the blocks of sixteen plain bytes at i. */
static size_t
blocks(const char *p, size_t i, size_t n)
{
	for (; n - i >= sizeof(wide); i += sizeof(wide))
		if (wide_any(special(p + i)))
			break;
	return i;
}

/* Most strings are short, so the first eight bytes are looked at alone. */
size_t
text_plain(const char *p, size_t i, size_t n)
{
	uint64_t hit;
	unsigned char c;

	for (; n - i >= 8; i += 8) {
		hit = hits(p + i);
		if (hit != 0)
			return i + (size_t)__builtin_ctzll(hit) / 8;
		i = blocks(p, i + 8, n) - 8;
	}
	for (; i < n; i++) {
		c = (unsigned char)p[i];
		if (c < 0x20 || c == '"' || c == '\\' || c >= 0x80)
			break;
	}
	return i;
}

size_t
text_utf8(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;
	unsigned char low = 0x80, high = 0xbf;
	size_t len, i;

	if (n == 0)
		return 0;
	if (u[0] < 0x80)
		return 1;
	if (u[0] < 0xc2 || u[0] > 0xf4)
		return 0;
	len = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	/* The second byte shuts out overlong forms, surrogates and what lies
	 * above U+10FFFF (RFC 3629 section 4). */
	switch (u[0]) {
	case 0xe0:
		low = 0xa0;
		break;
	case 0xed:
		high = 0x9f;
		break;
	case 0xf0:
		low = 0x90;
		break;
	case 0xf4:
		high = 0x8f;
		break;
	}
	if (u[1] < low || u[1] > high)
		return 0;
	for (i = 2; i < len; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* Append the escape of c, or of a byte that is no character. */
static int
escape(struct buf *out, char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *s = c != '\0' ? strchr(from, c) : NULL;
	char two[2] = { '\\' };

	if (s == NULL)
		return buf_printf(out, "\\u%04x", (unsigned)c & 0xff);
	two[1] = to[s - from];
	return buf_put(out, two, 2);
}

int
text_quote(struct buf *out, const char *p, size_t n)
{
	size_t start = out->len, run = 0, i = 0, len;

	buf_put(out, "\"", 1);
	while ((i = text_plain(p, i, n)) < n && !out->failed) {
		len = text_utf8(p + i, n - i);
		if (len > 1) {
			i += len;
			continue;
		}
		buf_put(out, p + run, i - run);
		if (len == 0)
			buf_put(out, "\xef\xbf\xbd", 3);
		else
			escape(out, p[i]);
		run = ++i;
	}
	buf_put(out, p + run, n - run);
	if (buf_put(out, "\"", 1) == 0)
		return 0;
	out->len = start;	/* all or nothing */
	return -1;
}
