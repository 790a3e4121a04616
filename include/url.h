/* url: addresses: may one be called with a key, which is its port. Pure. */
#ifndef URL_H
#define URL_H

#include <stdbool.h>

struct sockaddr;

/* What is wrong with an http(s) base address, or NULL: its scheme, a user in
 * it, a query, a host or port that is none (IPv6 in brackets is one; a name
 * outside ASCII must be punycode), a byte that could split a header, the path
 * of a chat that is put behind a base. insecure
 * allows http:// to any host, else only to this one (localhost, 127.0.0.0/8,
 * ::1). The text continues "the url ...". */
const char *url_wrong(const char *url, bool insecure);

/* Whether the host is a name of the public DNS: no address, no name without a
 * dot, none that is only known at home (.local, .lan, .internal ...). */
bool	url_public(const char *url);

/* Whether an address is of this machine or of its link: 127.0.0.0/8, ::1,
 * 169.254.0.0/16 (where clouds keep the credentials of a machine), fe80::/10,
 * 0.0.0.0/8, ::. A public name that leads there was forged or is a slip.
 * Networks of one's own (10.0.0.0/8 and so on) are not meant: many have a
 * public name for a machine there, and its certificate proves it. */
bool	url_near(const struct sockaddr *sa);

/* The port that is called for an address or a proxy's: as given, else 443 after
 * https://, else `plain`. */
int	url_port(const char *url, int plain);

#endif
