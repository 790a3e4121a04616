#include "fetch.h"

#include <curl/curl.h>

#include "buf.h"
#include "fetch_own.h"

/* CURLE_TOO_LARGE, which curl.h has since 8.6: the library that is loaded may be
 * younger than the one that this was built with. */
#define FETCH_TOO_LARGE	100

enum fetch_result
fetch_judge(int code, const struct buf *head, bool headed)
{
	switch (code) {
	case CURLE_OK:
		/* A head that breaks off is well for libcurl (7.88). */
		return headed ? FETCH_OK : FETCH_CUT;
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PROXY:
		return FETCH_REFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return headed ? FETCH_CUT : FETCH_TIMEOUT;
	case FETCH_TOO_LARGE:		/* a header line, since 8.6 */
		return headed ? FETCH_CUT : FETCH_MALFORMED;
	case CURLE_OUT_OF_MEMORY:
		/* 7.88 says so as well of a header line above its own
		 * CURL_MAX_HTTP_HEADER, which is the upstream's fault. */
		return head->len > 0 && !headed ? FETCH_MALFORMED :
		    FETCH_MEMORY;
	case CURLE_WRITE_ERROR:		/* our own refusal of a head */
		return head->starved ? FETCH_MEMORY : FETCH_MALFORMED;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return FETCH_MALFORMED;
	default:
		return FETCH_CUT;
	}
}

const char *
fetch_version(void)
{
	return curl_version_info(CURLVERSION_NOW)->version;
}
