/* version: of this program, said once. The Makefile reads it too. */
#ifndef VERSION_H
#define VERSION_H

#define VERSION		"0.1.0"

#endif
