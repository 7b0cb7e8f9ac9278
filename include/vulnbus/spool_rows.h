/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of the spool's file on their way in and out. One thread: the
 * spool's. */
#ifndef VULNBUS_SPOOL_ROWS_H
#define VULNBUS_SPOOL_ROWS_H

#include "vulnbus/kafka.h"
#include "vulnbus/shipment.h"
#include "vulnbus/spool_file.h"
#include "vulnbus/topics.h"
#include "vulnbus/trace.h"

/* STATUS_OK: the record is on the disk; anything else: nothing of it is.
 * Called on the spool's thread. */
typedef void
spool_done_f(void *owner, enum status status, const char *why);

struct spool_options {
	const char *path;
	uint64_t file_bytes_max;
	uint64_t queue_bytes_max; /* that wait for their commit */
	const struct topics *topics;
	spool_done_f *on_done;
	/* Onto Kafka, as produce_send; called on the spool's thread. */
	enum status (*send)(void *arg, const struct kafka_record *record,
	    struct shipment *shipment, struct error *err);
	bool (*is_kafka_up)(void *arg);
	void *arg;
};

struct spool_item {
	struct spool_item *next;
	void *owner;
	struct buffer payload;
};

/* A row on its way to Kafka. */
struct spool_row {
	struct shipment shipment; /* first: found from the report */
	struct spool_row *next;
	void *owner;
	int64_t id;
	struct trace trace;
	enum status outcome;
	struct error why;
};

struct spool_rows {
	const struct spool_options *options; /* borrowed */
	/* Of each row's shipment; `owner` is the row's. */
	void (*on_report)(
	    struct shipment *shipment, enum status status, const char *why);
	void *owner;
	struct spool_file *file;
	struct buffer payload;
	int64_t count, aside;
	int64_t sent_id; /* rows up to here are sent, or gone */
	bool has_unsent;
	size_t under_way;          /* sent and not reported */
	struct spool_row *settled; /* acknowledged, or refused for good; still
				    * in the file */
	size_t settled_count;
	int64_t rewind_to;    /* after a failure: where to begin again, or -1 */
	int64_t send_from_ms; /* steady clock: not before */
	int64_t measured_at_ms;
	int64_t peak_bytes; /* in use, since the file was last shrunk */
	bool was_full;
	bool was_unreadable;
};

enum status
spool_rows_open(struct spool_rows *rows, struct error *err) MUST_CHECK;

void
spool_rows_close(struct spool_rows *rows);

/* False: a row of which this was reported will be sent again. */
bool
spool_rows_is_final(enum status outcome);

/* Rows that were reported, as a list; they are taken. */
void
spool_rows_settle(struct spool_rows *rows, struct spool_row *reported);

/* Writes what came and takes out what went. STATUS_OK: all the items are on
 * the disk. Otherwise none is. */
enum status
spool_rows_store(struct spool_rows *rows, const struct spool_item *items,
    struct error *err) MUST_CHECK;

void
spool_rows_send(struct spool_rows *rows);

/* Sets the metrics; gives disk space back when nothing is left. */
void
spool_rows_measure(struct spool_rows *rows);

#endif
