#include "http.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "text.h"

#define ID_BYTES	16

/* Fill r with n bytes, a multiple of ID_BYTES. Early in boot, or on an old
 * kernel, the clock has to do for the first id: an id is no secret. How many
 * bytes are good. */
static size_t
random_bytes(unsigned char *r, size_t n)
{
	struct text_time now;
	uint64_t h;
	size_t i;

	if (getrandom(r, n, GRND_NONBLOCK) == (ssize_t)n)
		return n;
	text_clock(&now);
	h = text_hash(TEXT_HASH, &now, sizeof(now));
	h = text_hash(h, &(pid_t){ getpid() }, sizeof(pid_t));
	for (i = 0; i < ID_BYTES; i++) {
		h = text_hash(h, &i, sizeof(i));
		r[i] = (unsigned char)(h >> 32);
	}
	return ID_BYTES;
}

/* "req_" and 16 letters of 5 random bits each. */
void
http_id(struct http_ids *ids, char id[HTTP_ID])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	struct http_ids once;
	const unsigned char *r;
	size_t i;

	_Static_assert(HTTP_ID >= 4 + ID_BYTES + 1, "an id fits");
	if (ids == NULL) {
		ids = &once;
		ids->left = random_bytes(ids->bytes, ID_BYTES);
	} else if (ids->left < ID_BYTES) {
		ids->left = random_bytes(ids->bytes, sizeof(ids->bytes));
	}
	ids->left -= ID_BYTES;
	r = ids->bytes + ids->left;
	memset(id, 0, HTTP_ID);
	memcpy(id, "req_", 4);
	for (i = 0; i < ID_BYTES; i++)
		id[4 + i] = letters[r[i] % 32];
}
