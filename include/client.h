/* client: tokens: who may use the gateway. Pure but for client_token. */
#ifndef CLIENT_H
#define CLIENT_H

#include <stddef.h>
#include <stdint.h>

struct config;
struct fault;
struct http;

/* The client that h's token names, its index in cfg, or LEDGER_NOBODY when
 * access is open and no known token was shown. All stored hashes are compared
 * in constant time. -1 and f (401) when a token is needed and none fits, or it
 * has expired (now: wall ms). */
int	client_admit(const struct config *cfg, const struct http *h,
    int64_t now, size_t *client, struct fault *f);

/* Whether h may be what it says, where no token tells it: with open access, a
 * request from this machine must name it as localhost, by an address, or as one
 * of allowed-hosts. Else a page of anybody's, whose name was made to lead here
 * (DNS rebinding), would be of one origin with us and could read all. -1 and f
 * (421). Who comes from elsewhere reaches a server that is meant to be reached,
 * and with a token the page has none. */
int	client_host(const struct config *cfg, const struct http *h,
    struct fault *f);

/* A number, not 0, for the address that a request came from: of IPv6 the first
 * 64 bits, which one customer has at least; IPv4 in IPv6 is that IPv4. Only
 * REMOTE_ADDR is believed: anybody can write an X-Forwarded-For. */
uint64_t client_address(const struct http *h);

/* Make a token: 32 random bytes behind "rlv-", and the line for the config
 * ("blake2b:" and 64 hex digits). token holds 48 bytes, hash 80. */
void	client_token(char *token, char *hash);

#endif
