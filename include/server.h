/* server: the server, route and client sections of a configuration, checked,
 * into struct config. Errors as in catalog. */
#ifndef SERVER_H
#define SERVER_H

struct config;
struct parse;

/* The option names, NULL last, for a parse_spec. */
extern const char *const server_options[];
extern const char *const server_route_options[];
extern const char *const server_client_options[];

/* Fill the members of c that its one section sets; relative paths are in
 * folder. 0, or -1 when memory is out. */
int	server_read(struct parse *p, const char *folder, struct config *c);

/* c->routes, "default" first, whether the file has it or not. */
int	server_routes(struct parse *p, struct config *c);

/* c->clients; access = token without any is told. */
int	server_clients(struct parse *p, struct config *c);

#endif
