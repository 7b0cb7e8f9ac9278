/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of the command "demo": a simulated vendor, the two daemons as
 * child processes, webhooks signed as VDR signs them, and a reader that counts
 * what comes out. All but the vendor's port is one thread. */
#ifndef VULNBUS_TOOL_DEMO_H
#define VULNBUS_TOOL_DEMO_H

#include <sys/types.h>

#include "vulnbus/crypto.h"
#include "vulnbus/tool.h"
#include "vulnbus/tool_line.h"
#include "vulnbus/tool_reader.h"

#define DEMO_SOURCE     "demo-vdr"
#define DEMO_VENDOR     "taegis-vdr"
#define DEMO_STEPS_MAX  8
#define DEMO_PATH_BYTES 512
#define DEMO_TEXT_BYTES 128

struct demo_child {
	const char *program; /* also its log's name */
	pid_t pid;           /* 0: not running */
	char log[DEMO_PATH_BYTES];
	char admin[DEMO_TEXT_BYTES]; /* host:port, once it listens */
	char public[DEMO_TEXT_BYTES];
};

/* One webhook to send, and what is to come of it. */
struct demo_step {
	const char *title;
	const char *kind, *id, *status;
	const char *event_kind;
	const char *asset_type, *asset_id; /* NULL: not a scan */
	int64_t attempt;                   /* 0: none is stated */
	int64_t signed_before_s;
	bool is_forged;
	bool is_again; /* one that came before */
	unsigned code; /* the answer it must get */
	enum topic topic;
};

extern const struct demo_step demo_steps[];
extern const size_t demo_step_count;

/* What became of a step. */
struct demo_result {
	char event_id[DEMO_TEXT_BYTES];
	bool is_sent;
	unsigned code;
	int64_t sent_us;     /* steady clock */
	int64_t answer_us;   /* the answer took */
	int64_t enriched_us; /* 0: not yet */
	int64_t events;      /* records read back */
	int64_t records;
};

struct demo_counts {
	int64_t read[TOPIC_COUNT];
	int64_t undecoded;
	int64_t next_row;       /* from 1 */
	int64_t rows_misplaced; /* repeated, missing or out of order */
	int64_t duplicates;     /* as the enricher counts them */
	int64_t manifest_rows;
	char manifest_sha256[SHA256_BYTES * 2 + 1];
};

struct demo {
	const struct tool *tool;
	const char *kafka; /* host:port, or NULL: the embedded broker */
	int64_t rows;
	bool is_keeping;
	bool is_terminal;
	uint32_t width; /* of the terminal */
	int64_t started_ms;
	int64_t until_ms;
	char prefix[DEMO_TEXT_BYTES];
	char secret[DEMO_TEXT_BYTES];
	char token[DEMO_TEXT_BYTES];
	char folder[DEMO_PATH_BYTES]; /* "": none made */
	char config_path[DEMO_PATH_BYTES];
	struct config *config;
	struct topics topics;
	struct kafka_broker *broker;
	struct demo_vendor *vendor;
	struct es512_key *key;    /* the vendor's */
	struct es512_key *forger; /* somebody else's */
	struct demo_child ingress;
	struct demo_child enricher;
	struct reader *reader;
	struct tree value;
	struct buffer text;
	bool is_counter_open; /* the terminal's last line will be replaced */
	int64_t counter_ms;
	struct demo_counts counts;
	struct demo_result results[DEMO_STEPS_MAX];
};

/* --- demo_say.c: what is printed ----------------------------------------- */

/* "  label  text"; a line, whole. */
void
demo_say(struct demo *demo, const char *label, enum tool_paint paint,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

void
demo_head(struct demo *demo, const char *fmt, ...) PRINTF_LIKE(2, 3);

void
demo_say_record(struct demo *demo, const struct line_record *record);

/* On a terminal, a line that the next one replaces. */
void
demo_say_counter(struct demo *demo, const char *label, int64_t count);

/* "2,000" and "12.3 ms" or "1.23 s". */
void
demo_number(int64_t number, char out[32]);

void
demo_duration(int64_t us, char out[32]);

/* --- demo_place.c: the temporary folder ------------------------------------
 */

/* Makes the folder with the configuration of this run, and loads it. */
enum status
demo_place_open(struct demo *demo, struct error *err) MUST_CHECK;

void
demo_place_close(struct demo *demo);

/* Random letters and digits. */
void
demo_place_secret(char out[DEMO_TEXT_BYTES]);

/* --- demo_vendor.c: the simulated VDR instance -----------------------------
 */

struct demo_vendor;

struct demo_vendor_options {
	const char *token;
	const struct es512_key *key; /* its public half is served */
	int64_t rows;
};

enum status
demo_vendor_open(const struct demo_vendor_options *options,
    struct demo_vendor **out_vendor, struct error *err) MUST_CHECK;

void
demo_vendor_close(struct demo_vendor **vendor);

/* host:port */
const char *
demo_vendor_address(const struct demo_vendor *vendor);

/* Of the export's file, as it is served. */
const char *
demo_vendor_sha256(const struct demo_vendor *vendor);

/* A call it was asked, oldest first; false when all are told. */
struct demo_vendor_call {
	char path[DEMO_TEXT_BYTES];
	unsigned code;
};

bool
demo_vendor_take_call(
    struct demo_vendor *vendor, struct demo_vendor_call *out_call);

/* Fills `out` with the export's file. */
void
demo_vendor_write_csv(int64_t rows, struct buffer *out);

/* --- demo_children.c: the daemons ------------------------------------------
 */

enum status
demo_children_start(struct demo *demo, struct error *err) MUST_CHECK;

/* Waits until one of them can take work. */
enum status
demo_child_await(
    struct demo *demo, struct demo_child *child, struct error *err) MUST_CHECK;

/* STATUS_FATAL: one of them has ended by itself. */
enum status
demo_children_check(struct demo *demo, struct error *err) MUST_CHECK;

/* SIGTERM, then waits. True when both ended with 0; those that run no more
 * are passed over. */
bool
demo_children_stop(struct demo *demo);

/* The ends of their logs, on standard error. */
void
demo_children_show_logs(const struct demo *demo);

/* A figure of /metrics: the line that begins with `series`, or -1. */
int64_t
demo_child_metric(const struct demo_child *child, const char *series);

/* --- demo_webhook.c: signing and sending -----------------------------------
 */

/* Sends demo_steps[index]; the answer is in results[index]. */
enum status
demo_webhook_send(
    struct demo *demo, size_t index, struct error *err) MUST_CHECK;

/* The result that records of step `index` are counted in. */
struct demo_result *
demo_webhook_result(struct demo *demo, size_t index);

/* --- demo_watch.c: reading back --------------------------------------------
 */

/* Prints what the vendor was asked since. */
void
demo_watch_vendor(struct demo *demo);

/* Reads and prints for up to `ms`. STATUS_END: a signal came.
 * STATUS_FATAL: a daemon ended, or the deadline passed. */
enum status
demo_watch(struct demo *demo, uint32_t ms, struct error *err) MUST_CHECK;

/* The same until all is there that step `index` leads to. */
enum status
demo_watch_step(struct demo *demo, size_t index, struct error *err) MUST_CHECK;

/* The same until everything written so far has been read. */
enum status
demo_watch_rest(struct demo *demo, struct error *err) MUST_CHECK;

/* --- demo_report.c: the end -------------------------------------------------
 */

/* Prints the summary; true when every figure is as it must be. */
bool
demo_report(struct demo *demo);

#endif
