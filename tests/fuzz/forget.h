/* forget: the log knows no secret any more. For what includes log.c and runs
 * often: what one run teaches it would be searched by all that follow. */
#ifndef FORGET_H
#define FORGET_H

static void
forget(void)
{
	size_t i;

	for (i = 0; i < secret_count; i++)
		free(secrets[i].text);
	free(secrets);
	secrets = NULL;
	secret_count = 0;
	memset(first, 0, sizeof(first));
}

#endif
