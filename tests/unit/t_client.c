#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>

/* How many hashes were compared, by the function that takes always as long. */
static int compared;

static int
counted(const void *a, const void *b, size_t n)
{
	compared++;
	assert_int_equal(n, 32);
	return sodium_memcmp(a, b, n);
}

#define sodium_memcmp counted
#include "../../src/client.c"
#undef sodium_memcmp

static struct config_client clients[2];
static const struct config token_only = { .clients = clients, .nclients = 2 };
static const struct config open_to_all = { .open = true, .clients = clients,
    .nclients = 2 };

static int
admit(const struct config *cfg, const char *token, int64_t now, size_t *client)
{
	struct http h = { .token = token, .auth_header = token != NULL };
	struct fault f = { .code = FAULT_NONE };
	int rc = client_admit(cfg, &h, now, client, &f);

	assert_int_equal(rc == 0 ? FAULT_NONE : FAULT_UNAUTHORIZED, f.code);
	return rc;
}

static void
only_the_very_token_opens(void **state)
{
	static const char *const wrong[] = { "", "rlv-on", "rlv-onee",
	    "RLV-ONE", "rlv-one ", " rlv-one", "x" };
	size_t c;

	(void)state;
	assert_int_equal(admit(&token_only, "rlv-one", 1, &c), 0);
	assert_int_equal(c, 0);
	assert_int_equal(admit(&token_only, "rlv-two", 1, &c), 0);
	assert_int_equal(c, 1);
	assert_int_equal(admit(&token_only, NULL, 1, &c), -1);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_int_equal(admit(&token_only, wrong[i], 1, &c), -1);
		assert_true(c == LEDGER_NOBODY);
	}
}

static void
an_expired_token_is_none(void **state)
{
	size_t c;

	(void)state;
	assert_int_equal(admit(&token_only, "rlv-two", 999, &c), 0);
	assert_int_equal(admit(&token_only, "rlv-two", 1000, &c), -1);
	assert_int_equal(admit(&open_to_all, "rlv-two", 1000, &c), 0);
	assert_true(c == LEDGER_NOBODY);
}

/* So that an answer tells nobody how near he was: the same words, and all of
 * the hashes compared. (The time itself: tests/prove/timing.c.) */
static void
unknown_shortened_and_expired_are_told_alike(void **state)
{
	static const char *const wrong[] = { "x", "rlv-two", "rlv-tw",
	    "rlv-one ", "RLV-ONE" };
	struct fault f, first = { .code = FAULT_NONE };
	size_t i, client;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct http h = { .token = wrong[i], .auth_header = true };

		compared = 0;
		assert_int_equal(client_admit(&token_only, &h, 1000, &client,
		    &f), -1);
		assert_int_equal(compared, 2);
		if (i == 0)
			first = f;
		assert_int_equal(f.code, first.code);
		assert_int_equal(f.status, 401);
		assert_string_equal(f.message, first.message);
	}
	compared = 0;
	assert_int_equal(admit(&token_only, "rlv-one", 1, &client), 0);
	assert_int_equal(compared, 2);
}

static void
open_access_still_knows_its_clients(void **state)
{
	size_t c;

	(void)state;
	assert_int_equal(admit(&open_to_all, NULL, 1, &c), 0);
	assert_true(c == LEDGER_NOBODY);
	assert_int_equal(admit(&open_to_all, "rlv-one", 1, &c), 0);
	assert_int_equal(c, 0);
}

static void
a_new_token_fits_its_hash(void **state)
{
	char token[48], hash[80];
	unsigned char raw[32], sum[32];

	(void)state;
	client_token(token, hash);
	assert_memory_equal(token, "rlv-", 4);
	assert_int_equal(strlen(token), 47);
	assert_memory_equal(hash, "blake2b:", 8);
	assert_int_equal(sodium_hex2bin(raw, 32, hash + 8, 64, NULL, NULL,
	    NULL), 0);
	hash_of(token, sum);
	assert_memory_equal(raw, sum, 32);
}

static void
a_name_that_was_made_to_lead_here(void **state)
{
	static char *hosts[] = { "Ai.example", NULL };
	static const struct config open_here = { .open = true,
	    .hosts = hosts };
	static const struct {
		const char *host, *remote;
		int	 rc;
	} rows[] = {
		{ "localhost", "127.0.0.1", 0 }, { "LocalHost:80", "::1", 0 },
		{ "a.localhost:8080", "127.0.0.1", 0 },
		{ "127.0.0.1:3000", "127.0.0.1", 0 },
		{ "192.168.1.2", "127.0.0.1", 0 }, { "[::1]:80", "::1", 0 },
		{ "ai.example", "127.0.0.1", 0 },
		{ "AI.EXAMPLE:8443", "127.0.0.1", 0 },
		{ "", "127.0.0.1", 0 }, { "evil.example", "192.0.2.1", 0 },
		{ "evil.example", "", 0 },
		{ "evil.example", "127.0.0.1", -1 },
		{ "evil.example:3000", "127.3.2.1", -1 },
		{ "evil.example", "::1", -1 },
		{ "evil.example", "::ffff:127.0.0.1", -1 },
		{ "evil.ai.example", "127.0.0.1", -1 },
		{ "ai.example.evil", "127.0.0.1", -1 },
		{ "ai.example.", "127.0.0.1", -1 },
		{ "localhost.evil", "127.0.0.1", -1 },
		{ "xlocalhost", "127.0.0.1", -1 }, { ":80", "127.0.0.1", -1 },
		{ "127.0.0.1.evil.example", "127.0.0.1", -1 },
		{ "127.1", "127.0.0.1", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct http h = { .host = rows[i].host,
		    .remote = rows[i].remote };
		struct fault f = { .code = FAULT_NONE };

		if (client_host(&open_here, &h, &f) != rows[i].rc)
			fail_msg("%s from %s", h.host, h.remote);
		assert_int_equal(f.status, rows[i].rc == 0 ? 0 : 421);
		assert_int_equal(client_host(&token_only, &h, &f), 0);
	}
}

static void
an_address_is_its_network(void **state)
{
	static const char *const same[][2] = {
		{ "2001:db8::1", "2001:db8:0:0:ffff::9" },
		{ "192.0.2.7", "::ffff:192.0.2.7" },
		{ "unix:", "unix:" }, { "", "" },
	}, *const other[][2] = {
		{ "2001:db8::1", "2001:db8:0:1::1" },
		{ "192.0.2.7", "192.0.2.8" }, { "", "0.0.0.0" },
		{ "192.0.2.7", "192.0.2.7 " }, { "::1", "0.0.0.1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		assert_true(client_address(&(struct http){ .remote =
		    same[i][0] }) == client_address(&(struct http){
		    .remote = same[i][1] }));
	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++)
		assert_true(client_address(&(struct http){ .remote =
		    other[i][0] }) != client_address(&(struct http){
		    .remote = other[i][1] }));
	assert_true(client_address(&(struct http){ .remote = "" }) != 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_very_token_opens),
		cmocka_unit_test(an_expired_token_is_none),
		cmocka_unit_test(unknown_shortened_and_expired_are_told_alike),
		cmocka_unit_test(open_access_still_knows_its_clients),
		cmocka_unit_test(a_new_token_fits_its_hash),
		cmocka_unit_test(an_address_is_its_network),
		cmocka_unit_test(a_name_that_was_made_to_lead_here),
	};

	if (sodium_init() < 0)
		return 1;
	hash_of("rlv-one", clients[0].hash);
	hash_of("rlv-two", clients[1].hash);
	clients[1].expires = 1000;
	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
