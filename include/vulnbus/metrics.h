/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters, gauges and histograms of the process, printed in Prometheus' text
 * format; metrics_table.h names them all. Any thread may add; a label value is
 * a source's name or a word of ours, never anything a stranger chose.
 *
 * A daemon says who it is and which sources there are. From then on its series
 * are settled: every counter of its own is there, at 0, for every source and
 * word, and for the source "", to which counts whatever belongs to none of
 * them; a word the table does not have is "other". (A counter that appeared
 * with its first event would show no increase to Prometheus, whose rates need
 * two samples.) Before, and in other programs, any label makes a series. */
#ifndef VULNBUS_METRICS_H
#define VULNBUS_METRICS_H

#include <stdio.h>

#include "vulnbus/buffer.h"
#include "vulnbus/config.h"
#include "vulnbus/metrics_table.h"

enum metric {
#define X(symbol, name, type, daemons, unit, label1, label2, words, meaning) \
	METRIC_##symbol,
	METRIC_TABLE(X)
#undef X
	    METRIC_COUNT
};

/* `daemon` is 'I' or 'E', as in the table; `service` its name. Before there are
 * other threads. */
void
metrics_begin(char daemon, const char *service);

/* The sources of `config` have series from now on. To be called before they are
 * used, and whether or not `config` will take effect. */
void
metrics_know_sources(const struct config *config);

/* `config` has taken effect: gauges of sources that it does not have are
 * printed no more, until they are set again. NULL: a reload failed. */
void
metrics_note_reload(const struct config *config);

/* Label values; NULL where the metric has no such label. What is in seconds is
 * given in microseconds. Beyond 65536 series a new one is not made. */
void
metric_add(
    enum metric metric, const char *label1, const char *label2, int64_t amount);

void
metric_set(
    enum metric metric, const char *label1, const char *label2, int64_t value);

/* One observation of a histogram, in microseconds; below 0 it is none. */
void
metric_observe(enum metric metric, int64_t us);

void
metrics_print(struct buffer *out);

/* The table as Markdown. */
void
metrics_print_reference(FILE *out);

#endif
