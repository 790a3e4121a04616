/* segment: what loading a program has read of its files, given back. */
#ifndef SEGMENT_H
#define SEGMENT_H

/* The dynamic linker and the libraries' constructors touch most of every
 * library once, and no page leaves a process by itself while the machine has
 * memory. What cannot be written to is dropped; what is wanted again is mapped
 * from the page cache, sixteen pages at a time. */
void	segment_drop(void);

#endif
