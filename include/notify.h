/* notify: tells the service manager how it goes, as sd_notify(3) does. */
#ifndef NOTIFY_H
#define NOTIFY_H

/* Send lines such as "READY=1" to the socket that NOTIFY_SOCKET names, by one
 * datagram; without one nothing. Best effort: never waits, and a manager that
 * does not listen is none of our faults. */
void	notify(const char *lines);

/* "RELOADING=1" with the time that it has to come with; "READY=1" ends it. */
void	notify_reloading(void);

#endif
