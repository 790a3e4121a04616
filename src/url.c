#include "url.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

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

/* As providers' pages show it, to be copied. */
static bool
ends_in_chat(const char *s)
{
	static const char path[] = "/chat/completions";
	const size_t k = sizeof(path) - 1;
	size_t n = strlen(s);

	while (n > 0 && s[n - 1] == '/')
		n--;
	return n >= k && strncmp(s + n - k, path, k) == 0;
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
	if (ends_in_chat(host))
		return "is the base: /chat/completions is put behind it";
	if (!tls && !insecure && !is_loopback(host, hostlen))
		return "would send the key in clear: use https://, or "
		    "insecure = yes if that is meant";
	return NULL;
}

/* The names that mean something at home only: RFC 6761, 6762 (appendix G),
 * 8375, and ICANN's .internal of 2024. */
static bool
is_home(const char *host, size_t n)
{
	static const char *const ends[] = { ".localhost", ".local", ".lan",
	    ".internal", ".intranet", ".private", ".corp", ".home",
	    ".home.arpa", ".test", NULL };

	for (size_t i = 0; ends[i] != NULL; i++) {
		size_t len = strlen(ends[i]);

		if (n > len && text_isi(host + n - len, len, ends[i]))
			return true;
	}
	return memchr(host, '.', n) == NULL;
}

bool
url_public(const char *url)
{
	const char *host = strstr(url, "://");
	size_t n;

	host = host == NULL ? url : host + 3;
	n = strcspn(host, ":/");
	if (n > 0 && host[n - 1] == '.')
		n--;
	return *host != '[' && strspn(host, "0123456789.") < n &&
	    !is_home(host, n);
}

static bool
near4(uint32_t a)
{
	return a >> 24 == 0 || a >> 24 == 127 || a >> 16 == 0xa9fe;
}

bool
url_near(const struct sockaddr *sa)
{
	const struct sockaddr_in *v4 = (const void *)sa;
	const struct in6_addr *v6;
	uint32_t last;

	if (sa->sa_family == AF_INET)
		return near4(ntohl(v4->sin_addr.s_addr));
	if (sa->sa_family != AF_INET6)
		return false;
	v6 = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	memcpy(&last, &v6->s6_addr[12], 4);
	return IN6_IS_ADDR_LOOPBACK(v6) || IN6_IS_ADDR_UNSPECIFIED(v6) ||
	    IN6_IS_ADDR_LINKLOCAL(v6) ||
	    (IN6_IS_ADDR_V4MAPPED(v6) && near4(ntohl(last)));
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
