/* An environment of NUL-separated variables, and all that is asked of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "fault.h"
#include "http.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define VARIABLES	300	/* more than http_read takes */

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* What is promised of every path. */
static void
check_path(const char *path)
{
	size_t n = strlen(path), i;

	must(n > 0 && n < HTTP_PATH && path[0] == '/');
	must(n == 1 || path[n - 1] != '/');
	must(strstr(path, "//") == NULL && strstr(path, "/../") == NULL);
	must(n < 3 || strcmp(path + n - 3, "/..") != 0);
	for (i = 0; i < n; i++)
		must((unsigned char)path[i] >= 0x20 && path[i] != 0x7f);
}

/* Each line of a head is whole and has no control byte but its end. */
static void
check_head(const struct buf *b)
{
	size_t i;

	for (i = 0; i < b->len; i++) {
		if (b->data[i] == '\r')
			must(i + 1 < b->len && b->data[++i] == '\n');
		else
			must((unsigned char)b->data[i] >= 0x20);
	}
	must(b->len >= 2 && b->data[b->len - 1] == '\n');
}

static void
use(const struct http *h, const char *raw, size_t n)
{
	char *const origins[] = { "https://a", "*", NULL };
	const char *p;
	struct buf b;
	char out[16];
	size_t len;

	check_path(h->path);
	must(strlen(h->id) == 20);
	must(h->length >= -1);
	must(h->token == NULL || *h->token != '\0');
	must(!http_prefers(h, "text/plain", "text/plain"));
	must(!(http_prefers(h, "text/plain", "text/html") &&
	    http_prefers(h, "text/html", "text/plain")));
	http_is_json(h);
	if (http_query(h, "model", out, sizeof(out)) == 0)
		must(strlen(out) < sizeof(out));
	buf_init(&b, 4096 + 2 * n);
	http_head(&b, h, 200, "text/plain");
	http_cors(&b, h, origins);
	if (h->remote[0] != '\0')
		http_header(&b, "X-Any", h->remote);
	must(!b.failed);
	check_head(&b);
	buf_release(&b);
	p = http_find(raw, n, "retry-after", &len);
	must(p == NULL || (p >= raw && p + len <= raw + n));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *envp[VARIABLES + 1];
	struct fault f = { .code = FAULT_NONE };
	char *copy = malloc(n + 1);
	size_t count = 0, i;
	struct http h;

	must(copy != NULL);
	if (n > 0)
		memcpy(copy, data, n);
	copy[n] = '\0';
	for (i = 0; i < n && count < VARIABLES; i += strlen(copy + i) + 1)
		envp[count++] = copy + i;
	envp[count] = NULL;
	if (http_read(&h, envp, NULL, &f) < 0)
		must(f.status >= 400 && f.status < 500);
	else
		must(f.code == FAULT_NONE && *h.method_name != '\0');
	use(&h, copy, n);
	free(copy);
	return 0;
}
