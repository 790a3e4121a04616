#include "url.h"

#include <stdint.h>
#include <string.h>

#include "text.h"

static bool
is_loopback(const char *host, size_t n)
{
	return text_isi(host, n, "localhost") || text_is(host, n, "[::1]") ||
	    (n >= 7 && strncmp(host, "127.", 4) == 0 &&
	    strspn(host, "0123456789.") >= n);
}

static bool
good_host(const char *host, size_t n)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

	if (n >= 4 && host[0] == '[' && host[n - 1] == ']')
		return strspn(host + 1, "0123456789abcdefABCDEF:.") == n - 2;
	return n > 0 && host[0] != '.' && strspn(host, plain) >= n;
}

const char *
url_wrong(const char *url, bool insecure)
{
	const char *host, *p;
	size_t n, hostlen;
	uint64_t port;
	bool tls;

	for (p = url; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || strchr("\"'<>\\^`{|}?#", *p))
			return "holds a byte that has no place there";
	tls = strncmp(url, "https://", 8) == 0;
	if (!tls && strncmp(url, "http://", 7) != 0)
		return "must begin with https://";
	host = url + (tls ? 8 : 7);
	n = strcspn(host, "/");
	if (memchr(host, '@', n) != NULL)
		return "must not hold a user or password: use key";
	hostlen = n;
	p = *host == '[' ? memchr(host, ']', n) : host;
	if (p != NULL && (p = memchr(p, ':', n - (size_t)(p - host)))) {
		hostlen = (size_t)(p - host);
		if (text_uint(p + 1, n - hostlen - 1, 65535, &port) != 0 ||
		    port == 0)
			return "has no good port";
	}
	if (!good_host(host, hostlen))
		return "has no good host";
	if (!tls && !insecure && !is_loopback(host, hostlen))
		return "would send the key in clear: use https://, or "
		    "insecure = yes if that is meant";
	return NULL;
}

int
url_port(const char *url, int plain)
{
	const char *host = strstr(url, "://"), *p;
	uint64_t port;
	size_t n;

	host = host == NULL ? url : host + 3;
	n = strcspn(host, "/?#");
	if ((p = memrchr(host, '@', n)) != NULL) {
		n -= (size_t)(p + 1 - host);
		host = p + 1;
	}
	p = memrchr(host, ':', n);
	if (p != NULL && memchr(p, ']', n - (size_t)(p - host)) == NULL &&
	    text_uint(p + 1, n - (size_t)(p + 1 - host), 65535, &port) == 0)
		return (int)port;
	return strncmp(url, "https://", 8) == 0 ? 443 : plain;
}
