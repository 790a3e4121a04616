#include "fetch.h"

#include <dirent.h>
#include <fnmatch.h>
#include <string.h>
#include <unistd.h>

#include "fetch_own.h"

static bool
is_hashed(const char *dir)
{
	struct dirent *e;
	bool found = false;
	DIR *d = opendir(dir);

	while (d != NULL && !found && (e = readdir(d)) != NULL)
		found = fnmatch("????????.[0-9]", e->d_name, 0) == 0;
	if (d != NULL)
		closedir(d);
	return found;
}

/* Never the folder and the bundle together: libcurl then parses the bundle
 * anew for every connection (25 ms), for its store is cached only when it came
 * from the file alone. A hashed folder costs 1 ms, so it comes first. */
int
fetch_ca(const char *given, char **out, bool *is_dir)
{
	static const char *const dirs[] = { "/etc/ssl/certs",
	    "/etc/pki/tls/certs", NULL };
	static const char *const bundles[] = {
	    "/etc/ssl/certs/ca-certificates.crt",
	    "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem", NULL };
	const char *path = *given ? given : NULL;

	if (path != NULL) {
		*is_dir = is_hashed(path);
	} else {
		for (size_t i = 0; path == NULL && dirs[i] != NULL; i++)
			if (is_hashed(dirs[i]))
				path = dirs[i];
		*is_dir = path != NULL;
		for (size_t i = 0; path == NULL && bundles[i] != NULL; i++)
			if (access(bundles[i], R_OK) == 0)
				path = bundles[i];
	}
	if (path == NULL)
		return 0;
	*out = strdup(path);
	return *out == NULL ? -1 : 0;
}
