/* cmd: the command line. */
#ifndef CMD_H
#define CMD_H

struct config;

/* Run the command line that main did not take for a server's. The exit
 * status: 0, 1 for a failure, 2 for errors in the configuration or in the
 * call. file: the configuration. */
int	cmd_run(const char *file, int argc, char **argv);

/* The options of `serve`: -1, and the words in *path and *mode (NULL: not
 * given); or the exit status, when something is wrong with them, and was told,
 * or their help was asked. */
int	cmd_serve(int argc, char **argv, const char **path, const char **mode);

/* Load file, or print every error on stderr and return NULL. */
struct config *cmd_config(const char *file);

#endif
