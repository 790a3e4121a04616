#include "fetch.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "fetch_own.h"
#include "url.h"

void
fetch_free(struct fetch *f)
{
	curl_easy_cleanup(f->easy);
	buf_release(&f->head);
	free(f);
}

void
fetch_target_free(struct fetch_target *t)
{
	struct fetch *f;

	while ((f = t->spare) != NULL) {
		t->spare = f->next;
		fetch_free(f);
	}
	curl_slist_free_all(t->headers);
	curl_url_cleanup(t->url);
	free(t->ca_path);
	free(t->proxy);
	free(t);
}

static int
header_add(struct fetch_target *t, const char *line)
{
	struct curl_slist *p = curl_slist_append(t->headers, line);

	if (p == NULL)
		return -1;
	t->headers = p;
	return 0;
}

struct fetch_target *
fetch_target(struct fetcher *fr, const struct fetch_spec *spec)
{
	struct fetch_target *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->fr = fr;
	t->connect_ms = spec->connect_ms;
	t->http2 = spec->http2;
	t->strict = !spec->insecure && spec->proxy[0] == '\0' &&
	    url_public(spec->url);
	t->url = curl_url();
	t->proxy = strdup(spec->proxy);
	if (t->url == NULL || t->proxy == NULL ||
	    fetch_ca(spec->ca_path, &t->ca_path, &t->ca_is_dir) != 0)
		goto fail;
	/* One that is none stays empty, which fails each call. */
	(void)curl_url_set(t->url, CURLUPART_URL, spec->url,
	    CURLU_NON_SUPPORT_SCHEME);
	/* What curl would add by itself and no provider wants. */
	if (header_add(t, "Expect:") != 0 || header_add(t, "Accept:") != 0)
		goto fail;
	for (size_t i = 0; spec->headers[i] != NULL; i++)
		if (header_add(t, spec->headers[i]) != 0)
			goto fail;
	t->next = fr->targets;
	fr->targets = t;
	return t;
fail:
	fetch_target_free(t);
	return NULL;
}
