/* url: addresses: may one be called with a key, which is its port. Pure. */
#ifndef URL_H
#define URL_H

#include <stdbool.h>

/* What is wrong with an http(s) base address, or NULL: its scheme, a user in
 * it, a query, a host or port that is none (IPv6 in brackets is one; a name
 * outside ASCII must be punycode), a byte that could split a header. insecure
 * allows http:// to any host, else only to this one (localhost, 127.0.0.0/8,
 * ::1). The text continues "the url ...". */
const char *url_wrong(const char *url, bool insecure);

/* The port that is called for an address or a proxy's: as given, else 443 after
 * https://, else `plain`. */
int	url_port(const char *url, int plain);

#endif
