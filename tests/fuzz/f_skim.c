/* Skimming: any cut of a text leaves the same, no byte is lost but inside of
 * strings, and a text that is valid is so when it is skimmed. The first byte
 * says how it is cut. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "json.h"
#include "skim.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct skim whole, cut;
	const char *why;
	struct buf b;
	size_t i, k, at;

	if (n < 2)
		return 0;
	/* '~' becomes a long run, so that short inputs reach the cut. */
	buf_init(&b, 1 << 20);
	for (i = 1; i < n && i < 2000; i++)
		for (k = 0; k < (data[i] == '~' ? SKIM_STRING : 1); k++)
			buf_put(&b, data + i, 1);
	skim_init(&whole, 1 << 20);
	skim_init(&cut, 1 << 20);
	skim_put(&whole, b.data, b.len);
	for (i = 0; i < b.len; i += k) {
		k = data[0] % 16 + 1;
		if (k > b.len - i)
			k = b.len - i;
		skim_put(&cut, b.data + i, k);
	}
	must(whole.text.len == cut.text.len && memcmp(whole.text.data,
	    cut.text.data, cut.text.len) == 0);
	must(whole.text.len + (size_t)whole.left == b.len);
	if (json_check(b.data, b.len, &at, &why) == 0)
		must(json_check(cut.text.data, cut.text.len, &at, &why) == 0);
	skim_release(&whole);
	skim_release(&cut);
	buf_release(&b);
	return 0;
}
