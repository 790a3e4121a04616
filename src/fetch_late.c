/* libcurl, loaded when it is first used. With it come some thirty libraries,
 * whose loading is six sevenths of what it costs to start this program (4.5 of
 * 5.3 ms of processor time under Debian 12; dlopen takes 0.3 more), and a CGI
 * that answers /models, or hands its request on, has no use for any of them. So
 * here are curl's functions by their own names, each of which calls the real
 * one; fetch.c is written as for a libcurl that is linked.
 *
 * curl_global_init loads it, and curl_version_info for who only asks; nothing
 * else may be called before. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>

#include "log.h"

/* The macros that check types. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt
#undef curl_share_setopt

/* The ABI of all curl 7.16 (2006) to 8. */
#define LIBRARY		"libcurl.so.4"

#define FUNCTIONS(F)							\
	F(global_init) F(global_cleanup) F(version_info)		\
	F(slist_append) F(slist_free_all)				\
	F(url) F(url_set) F(url_cleanup)				\
	F(easy_init) F(easy_cleanup) F(easy_setopt) F(easy_getinfo)	\
	F(easy_pause) F(easy_strerror)					\
	F(share_init) F(share_cleanup) F(share_setopt)			\
	F(multi_init) F(multi_cleanup) F(multi_setopt)			\
	F(multi_add_handle) F(multi_remove_handle)			\
	F(multi_socket_action) F(multi_info_read)

/* Written once, as the dynamic linker's own table is. */
static struct {
#define MEMBER(name)	__typeof__(curl_##name) *(name);
	FUNCTIONS(MEMBER)
} curl;

static int
load(void)
{
	void *lib;

	if (curl.global_init != NULL)
		return 0;
	lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
#define FIND(name)							\
	if (lib == NULL ||						\
	    (*(void **)&curl.name = dlsym(lib, "curl_" #name)) == NULL)	\
		goto fail;
	FUNCTIONS(FIND)
	return 0;
fail:
	log_msg(LOG_ERROR, "libcurl", "%s", dlerror());
	curl.global_init = NULL;
	return -1;
}

CURLcode
curl_global_init(long flags)
{
	return load() == 0 ? curl.global_init(flags) : CURLE_FAILED_INIT;
}

void
curl_global_cleanup(void)
{
	curl.global_cleanup();
}

curl_version_info_data *
curl_version_info(CURLversion age)
{
	static curl_version_info_data none = { .version = "(not found)" };

	return load() == 0 ? curl.version_info(age) : &none;
}

struct curl_slist *
curl_slist_append(struct curl_slist *list, const char *s)
{
	return curl.slist_append(list, s);
}

void
curl_slist_free_all(struct curl_slist *list)
{
	curl.slist_free_all(list);
}

CURLU *
curl_url(void)
{
	return curl.url();
}

CURLUcode
curl_url_set(CURLU *url, CURLUPart part, const char *s, unsigned flags)
{
	return curl.url_set(url, part, s, flags);
}

void
curl_url_cleanup(CURLU *url)
{
	curl.url_cleanup(url);
}

CURL *
curl_easy_init(void)
{
	return curl.easy_init();
}

void
curl_easy_cleanup(CURL *easy)
{
	curl.easy_cleanup(easy);
}

/* An option's number says what its argument is (curl.h, CURLOPTTYPE_*). */
#define PASS(call, h, option, ap)					\
	((int)(option) < CURLOPTTYPE_OBJECTPOINT ?			\
	    call(h, option, va_arg(ap, long)) :				\
	    (int)(option) >= CURLOPTTYPE_OFF_T &&			\
	    (int)(option) < CURLOPTTYPE_BLOB ?				\
	    call(h, option, va_arg(ap, curl_off_t)) :			\
	    call(h, option, va_arg(ap, void *)))

CURLcode
curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
	CURLcode rc;
	va_list ap;

	va_start(ap, option);
	rc = PASS(curl.easy_setopt, easy, option, ap);
	va_end(ap);
	return rc;
}

CURLMcode
curl_multi_setopt(CURLM *multi, CURLMoption option, ...)
{
	CURLMcode rc;
	va_list ap;

	va_start(ap, option);
	rc = PASS(curl.multi_setopt, multi, option, ap);
	va_end(ap);
	return rc;
}

CURLcode
curl_easy_getinfo(CURL *easy, CURLINFO info, ...)
{
	CURLcode rc;
	va_list ap;

	va_start(ap, info);
	rc = curl.easy_getinfo(easy, info, va_arg(ap, void *));
	va_end(ap);
	return rc;
}

CURLcode
curl_easy_pause(CURL *easy, int what)
{
	return curl.easy_pause(easy, what);
}

const char *
curl_easy_strerror(CURLcode code)
{
	return curl.easy_strerror(code);
}

CURLSH *
curl_share_init(void)
{
	return curl.share_init();
}

CURLSHcode
curl_share_cleanup(CURLSH *share)
{
	return curl.share_cleanup(share);
}

/* Of what share.c takes, only a kind of data is no pointer: an int. */
CURLSHcode
curl_share_setopt(CURLSH *share, CURLSHoption option, ...)
{
	CURLSHcode rc;
	va_list ap;

	va_start(ap, option);
	rc = option == CURLSHOPT_SHARE || option == CURLSHOPT_UNSHARE ?
	    curl.share_setopt(share, option, va_arg(ap, int)) :
	    curl.share_setopt(share, option, va_arg(ap, void *));
	va_end(ap);
	return rc;
}

CURLM *
curl_multi_init(void)
{
	return curl.multi_init();
}

CURLMcode
curl_multi_cleanup(CURLM *multi)
{
	return curl.multi_cleanup(multi);
}

CURLMcode
curl_multi_add_handle(CURLM *multi, CURL *easy)
{
	return curl.multi_add_handle(multi, easy);
}

CURLMcode
curl_multi_remove_handle(CURLM *multi, CURL *easy)
{
	return curl.multi_remove_handle(multi, easy);
}

CURLMcode
curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int what, int *running)
{
	return curl.multi_socket_action(multi, fd, what, running);
}

CURLMsg *
curl_multi_info_read(CURLM *multi, int *left)
{
	return curl.multi_info_read(multi, left);
}
