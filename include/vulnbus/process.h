/* SPDX-License-Identifier: Apache-2.0
 *
 * What the process uses of the machine, under the names that Prometheus' own
 * client libraries give it ("Process metrics", Writing client libraries). */
#ifndef VULNBUS_PROCESS_H
#define VULNBUS_PROCESS_H

/* Before the sandbox is entered: what is not dumpable may not list its own
 * files (proc(5), /proc/pid/fd) unless it is root. */
void
process_begin(void);

/* One thread. Sets the metrics process_*; what cannot be read stays as it was.
 */
void
process_measure(void);

/* Gives back the memory that only the start has needed: half of what is
 * resident is code of libraries that the loader and their own beginning have
 * touched. Code that is called again comes back from the page cache. */
void
process_let_go_of_start(void);

#endif
