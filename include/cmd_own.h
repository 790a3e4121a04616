/* cmd_own: what the parts of cmd share, for no one else. */
#ifndef CMD_OWN_H
#define CMD_OWN_H

struct args;
struct args_row;

#define CMD_OUT	(16 * 1024 * 1024)	/* of what a command prints */

/* Commands. The exit status. */
int	cmd_models(const char *file, const struct args *a);
int	cmd_usage(const char *file, const struct args *a);
int	cmd_explain(const char *file, const struct args *a);
int	cmd_state_path(const char *file, const struct args *a);
int	cmd_state_dump(const char *file, const struct args *a);
int	cmd_state_verify(const char *file, const struct args *a);
int	cmd_state_reset(const char *file, const struct args *a);

/* Say what is wrong in the call of a command, and how it is called: 2. */
int	cmd_wrong(const struct args_row *row, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

#endif
