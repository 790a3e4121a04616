#include "client.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "config.h"
#include "fault.h"
#include "http.h"
#include "ledger.h"
#include "text.h"

static void
hash_of(const char *token, unsigned char hash[32])
{
	(void)crypto_generichash(hash, 32, (const unsigned char *)token,
	    strlen(token), NULL, 0);
}

/* Walks all clients whatever it finds, so that the time tells nothing. */
static size_t
find(const struct config *cfg, const char *token)
{
	unsigned char hash[32];
	size_t found = LEDGER_NOBODY;

	hash_of(token, hash);
	for (size_t i = 0; i < cfg->nclients; i++)
		if (sodium_memcmp(hash, cfg->clients[i].hash, 32) == 0)
			found = i;
	return found;
}

int
client_admit(const struct config *cfg, const struct http *h, int64_t now,
    size_t *client, struct fault *f)
{
	const struct config_client *c;

	*client = LEDGER_NOBODY;
	if (h->token != NULL)
		*client = find(cfg, h->token);
	if (*client != LEDGER_NOBODY) {
		c = &cfg->clients[*client];
		if (c->expires == 0 || now < c->expires)
			return 0;
		*client = LEDGER_NOBODY;
	}
	if (cfg->open)
		return 0;
	if (h->token == NULL && !h->auth_header)
		fault_set(f, FAULT_UNAUTHORIZED, NULL, "a token is needed: "
		    "send \"Authorization: Bearer TOKEN\" (if you do, the web "
		    "server drops it: Apache needs \"CGIPassAuth On\") or "
		    "\"X-Api-Key: TOKEN\"");
	else
		fault_set(f, FAULT_UNAUTHORIZED, NULL,
		    "this token is not known here, or it has expired");
	return -1;
}

static bool
is_loopback(const char *address)
{
	if (strncmp(address, "::ffff:", 7) == 0)
		address += 7;
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* localhost and below (RFC 6761, 6.3), addresses, and names of the config.
 * host[0..n) is without its port. */
static bool
is_ours(const struct config *cfg, const char *host, size_t n)
{
	static const char local[] = ".localhost";
	const size_t k = sizeof(local) - 1;
	char text[64];
	unsigned char a[4];

	if (host[0] == '[' || text_isi(host, n, local + 1) ||
	    (n > k && text_isi(host + n - k, k, local)))
		return true;
	for (char **p = cfg->hosts; p != NULL && *p != NULL; p++)
		if (text_isi(host, n, *p))
			return true;
	if (n >= sizeof(text))
		return false;
	memcpy(text, host, n);
	text[n] = '\0';
	return inet_pton(AF_INET, text, a) == 1;
}

int
client_host(const struct config *cfg, const struct http *h, struct fault *f)
{
	size_t n = strcspn(h->host, ":");

	if (!cfg->open || h->host[0] == '\0' || !is_loopback(h->remote) ||
	    is_ours(cfg, h->host, n))
		return 0;
	fault_set(f, FAULT_HOST, NULL, "access is open, and the request comes "
	    "from this machine by another name: if that name is right, put "
	    "allowed-hosts = {\"%.*s\"} into section server",
	    (int)(n < 100 ? n : 100), h->host);
	return -1;
}

uint64_t
client_address(const struct http *h)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	unsigned char a[16] = { 0 };
	size_t n = strlen(h->remote);
	const void *p = h->remote;
	uint64_t hash;

	if (inet_pton(AF_INET, h->remote, a + 12) == 1) {
		p = a + 12;
		n = 4;
	} else if (inet_pton(AF_INET6, h->remote, a) == 1) {
		bool v4 = memcmp(a, mapped, 12) == 0;

		p = v4 ? a + 12 : a;
		n = v4 ? 4 : 8;
	}
	hash = text_hash(TEXT_HASH, p, n);
	return hash != 0 ? hash : 1;
}

void
client_token(char *token, char *hash)
{
	unsigned char raw[32], sum[32];

	randombytes_buf(raw, sizeof(raw));
	memcpy(token, "rlv-", 4);
	(void)sodium_bin2base64(token + 4, 44, raw, sizeof(raw),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	hash_of(token, sum);
	memcpy(hash, "blake2b:", 8);
	(void)sodium_bin2hex(hash + 8, 65, sum, sizeof(sum));
	sodium_memzero(raw, sizeof(raw));
}
