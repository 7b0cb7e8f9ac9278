/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool with a Kafka that does what the test says. Its rows are compiled
 * in here, so that commits can be counted and held up. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "vulnbus/log.h"
#include "vulnbus/spool_file.h"

static enum status
watched_commit(struct spool_file *file, struct error *err);

#define spool_file_commit watched_commit
#include "../../bridge/flow/spool.c"
#include "../../bridge/flow/spool_rows.c"
#undef spool_file_commit

#define PATIENCE_MS PATIENCE_OF_MS(20000)
#define MANY        4000

struct sent {
	struct shipment *shipment;
	int number;
};

static struct fixture {
	char folder[64];
	char path[96];
	struct topics topics;
	struct spool *spool;
	size_t value_bytes;
	const char *reason;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under `lock`. */
	struct sent sent[MANY];
	size_t sent_count;
	enum status send_says;
	bool is_gate_shut; /* no send comes through */
	bool is_commit_shut;
	size_t commits_let_pass;
	bool do_commits_fail;
	size_t in_send, in_commit;
	size_t commit_count;
	enum status done[MANY]; /* by number */
	size_t done_count;
	bool was_holding; /* when the last owner was told */

	atomic_bool is_up;
} f;

/* The owner of an item is the place of its outcome. */
static void
on_done(void *owner, enum status status, const char *why)
{
	assert_non_null(why);
	pthread_mutex_lock(&f.lock);
	*(enum status *)owner = status;
	f.was_holding = spool_is_holding(f.spool);
	f.done_count++;
	pthread_cond_broadcast(&f.changed);
	pthread_mutex_unlock(&f.lock);
}

static enum status
watched_commit(struct spool_file *file, struct error *err)
{
	bool does_fail;

	pthread_mutex_lock(&f.lock);
	f.in_commit++;
	pthread_cond_broadcast(&f.changed);
	while (f.is_commit_shut && f.commits_let_pass == 0)
		pthread_cond_wait(&f.changed, &f.lock);
	if (f.is_commit_shut)
		f.commits_let_pass--;
	f.in_commit--;
	f.commit_count++;
	does_fail = f.do_commits_fail;
	pthread_mutex_unlock(&f.lock);
	/* A transaction in a transaction: it fails, and takes all back. */
	return does_fail ? spool_file_begin(file, err)
			 : spool_file_commit(file, err);
}

static enum status
scripted_send(void *arg, const struct kafka_record *record,
    struct shipment *shipment, struct error *err)
{
	enum status status;
	int64_t number;

	assert_ptr_equal(arg, &f);
	assert_int_equal(view_to_int(record->key, &number), STATUS_OK);
	pthread_mutex_lock(&f.lock);
	f.in_send++;
	pthread_cond_broadcast(&f.changed);
	while (f.is_gate_shut)
		pthread_cond_wait(&f.changed, &f.lock);
	f.in_send--;
	status = f.send_says;
	if (status == STATUS_OK)
		f.sent[f.sent_count++] = (struct sent){ shipment, (int)number };
	pthread_cond_broadcast(&f.changed);
	pthread_mutex_unlock(&f.lock);
	if (status != STATUS_OK)
		error_set(err, status, "as the test says");
	return status;
}

static bool
is_kafka_up(void *arg)
{
	assert_ptr_equal(arg, &f);
	return atomic_load(&f.is_up);
}

/* Waits until a number that is changed under the lock is at least `least`. */
static void
wait_for(const size_t *number, size_t least, int line)
{
	struct timespec until;
	int failed = 0;
	size_t have;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	pthread_mutex_lock(&f.lock);
	while (*number < least && failed == 0)
		failed = pthread_cond_timedwait(&f.changed, &f.lock, &until);
	have = *number;
	pthread_mutex_unlock(&f.lock);
	if (have < least) {
		print_error("line %d: %zu, not %zu\n", line, have, least);
		fail();
	}
}

#define WAIT_FOR(number, least) wait_for(&(number), (least), __LINE__)

static void
wait_until_holding(bool is_holding)
{
	const int64_t until_ms = clock_steady_ms() + PATIENCE_MS;

	while (spool_is_holding(f.spool) != is_holding) {
		assert_true(clock_steady_ms() < until_ms);
		usleep(1000);
	}
}

static void
set_flag(bool *flag, bool value)
{
	pthread_mutex_lock(&f.lock);
	*flag = value;
	pthread_cond_broadcast(&f.changed);
	pthread_mutex_unlock(&f.lock);
}

static void
say(enum status status)
{
	pthread_mutex_lock(&f.lock);
	f.send_says = status;
	pthread_mutex_unlock(&f.lock);
}

static size_t
sent_count(void)
{
	size_t count;

	pthread_mutex_lock(&f.lock);
	count = f.sent_count;
	pthread_mutex_unlock(&f.lock);
	return count;
}

static void
open_spool(uint64_t file_bytes_max, uint64_t queue_bytes_max)
{
	const struct spool_options options = {
		.path = f.path,
		.file_bytes_max = file_bytes_max,
		.queue_bytes_max = queue_bytes_max,
		.topics = &f.topics,
		.on_done = on_done,
		.send = scripted_send,
		.is_kafka_up = is_kafka_up,
		.arg = &f,
	};
	struct error err = { "" };

	assert_ok(spool_open(&options, &f.spool, &err), &err);
}

static enum status
put(int number)
{
	static char value[1 << 16];
	struct error err = { "" };
	struct spool_item *item;
	char key[16];

	snprintf(key, sizeof(key), "%d", number);
	item = spool_item_new(f.spool,
	    &(struct kafka_record){ .topic = f.topics.names[TOPIC_EVENTS],
		.partition = KAFKA_PARTITION_BY_KEY,
		.key = view_of(key),
		.value = { value, f.value_bytes } });
	assert_non_null(item);
	return spool_put(f.spool, item, &f.done[number], &err);
}

static void
put_range(int from, int to)
{
	for (int i = from; i <= to; i++)
		assert_status(put(i), STATUS_OK);
}

static void
report(size_t sending, enum status status)
{
	struct shipment *shipment;

	pthread_mutex_lock(&f.lock);
	shipment = f.sent[sending].shipment;
	f.sent[sending].shipment = NULL;
	pthread_mutex_unlock(&f.lock);
	assert_non_null(shipment);
	shipment->on_report(shipment, status, f.reason);
}

static void
assert_sent(size_t from, size_t count, const int *numbers)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(f.sent[from + i].number, numbers[i]);
}

/* How many rows are in the file once the spool is closed. */
static int64_t
count_rows(void)
{
	struct spool_file *file = NULL;
	struct error err = { "" };
	int64_t rows = -1;

	spool_stop_sending(f.spool);
	spool_close(&f.spool);
	assert_ok(spool_file_open(f.path, 64 << 20, &file, &err), &err);
	assert_ok(spool_file_count(file, &rows, &err), &err);
	spool_file_close(&file);
	return rows;
}

static int
set_up(void **state)
{
	(void)state;
	f = (struct fixture){ .folder = "/tmp/vulnbus-spool-XXXXXX",
		.value_bytes = 100,
		.reason = "so it was reported" };
	pthread_mutex_init(&f.lock, NULL);
	pthread_cond_init(&f.changed, NULL);
	for (int i = 0; i < TOPIC_COUNT; i++)
		snprintf(f.topics.names[i], sizeof(f.topics.names[i]),
		    "test.%s.v1", topic_short_name((enum topic)i));
	if (mkdtemp(f.folder) == NULL)
		return -1;
	snprintf(f.path, sizeof(f.path), "%s/spool.db", f.folder);
	return 0;
}

static int
tear_down(void **state)
{
	char wal[112];

	(void)state;
	set_flag(&f.is_gate_shut, false);
	set_flag(&f.is_commit_shut, false);
	if (f.spool != NULL) {
		spool_stop_sending(f.spool);
		spool_close(&f.spool);
	}
	snprintf(wal, sizeof(wal), "%s-wal", f.path);
	(void)unlink(wal);
	(void)unlink(f.path);
	return rmdir(f.folder);
}

static void
what_was_put_is_sent_in_order_and_forgotten_when_acknowledged(void **state)
{
	(void)state;
	open_spool(64 << 20, 1 << 20);
	put_range(0, 1499);
	WAIT_FOR(f.done_count, 1500);
	for (int i = 0; i < 1500; i++)
		assert_status(f.done[i], STATUS_OK);
	assert_int_equal(f.sent_count, 0);
	assert_true(spool_is_holding(f.spool));
	atomic_store(&f.is_up, true);
	for (size_t i = 0; i < 1500; i++) {
		WAIT_FOR(f.sent_count, i + 1);
		assert_int_equal(f.sent[i].number, i);
		report(i, STATUS_OK);
	}
	wait_until_holding(false);
	assert_int_equal(count_rows(), 0);
	assert_int_equal(f.sent_count, 1500);
}

static void
what_is_not_acknowledged_is_sent_by_the_next_run(void **state)
{
	(void)state;
	open_spool(64 << 20, 1 << 20);
	atomic_store(&f.is_up, true);
	put_range(0, 2);
	WAIT_FOR(f.sent_count, 3);
	report(1, STATUS_OK);
	spool_stop_sending(f.spool);
	report(0, STATUS_UNAVAILABLE);
	report(2, STATUS_UNAVAILABLE);
	spool_close(&f.spool);
	open_spool(64 << 20, 1 << 20);
	assert_true(spool_is_holding(f.spool));
	WAIT_FOR(f.sent_count, 5);
	assert_sent(3, 2, (const int[]){ 0, 2 });
	wait_until_holding(false);
	report(3, STATUS_OK);
	report(4, STATUS_OK);
	assert_int_equal(count_rows(), 0);
}

static void
those_that_come_during_a_commit_share_the_next(void **state)
{
	size_t before;

	(void)state;
	open_spool(64 << 20, 1 << 20);
	set_flag(&f.is_commit_shut, true);
	put_range(0, 0);
	WAIT_FOR(f.in_commit, 1);
	before = f.commit_count;
	put_range(1, 500);
	assert_int_equal(f.done_count, 0);
	set_flag(&f.is_commit_shut, false);
	WAIT_FOR(f.done_count, 501);
	assert_int_equal(f.commit_count - before, 2);
}

/* The sender of row 0 has its 202: what it sends next may not be the first on
 * Kafka. */
static void
a_failed_report_holds_back_what_comes_from_then_on(void **state)
{
	(void)state;
	open_spool(64 << 20, 1 << 20);
	atomic_store(&f.is_up, true);
	put_range(0, 0);
	WAIT_FOR(f.sent_count, 1);
	wait_until_holding(false);
	set_flag(&f.is_commit_shut, true);
	put_range(1, 1);
	WAIT_FOR(f.in_commit, 1);
	wait_until_holding(false);
	report(0, STATUS_UNAVAILABLE);
	assert_true(spool_is_holding(f.spool));
	set_flag(&f.is_commit_shut, false);
	WAIT_FOR(f.done_count, 2);
	assert_true(f.was_holding);
	assert_true(spool_is_holding(f.spool));
	WAIT_FOR(f.sent_count, 2); /* in the round that was under way */
	report(1, STATUS_UNAVAILABLE);
	assert_true(spool_is_holding(f.spool));
	WAIT_FOR(f.sent_count, 4);
	assert_sent(2, 2, (const int[]){ 0, 1 });
	report(2, STATUS_OK);
	report(3, STATUS_OK);
	wait_until_holding(false);
	assert_int_equal(count_rows(), 0);
}

/* And the same while the round that learns of it is at the disk. */
static void
it_is_held_back_while_the_failure_is_dealt_with(void **state)
{
	size_t before;

	(void)state;
	open_spool(64 << 20, 1 << 20);
	atomic_store(&f.is_up, true);
	put_range(0, 1);
	WAIT_FOR(f.sent_count, 2);
	wait_until_holding(false);
	set_flag(&f.is_commit_shut, true);
	report(0, STATUS_OK);
	WAIT_FOR(f.in_commit, 1);
	report(1, STATUS_UNAVAILABLE);
	put_range(2, 2);
	pthread_mutex_lock(&f.lock);
	before = f.commit_count;
	f.commits_let_pass = 1;
	pthread_cond_broadcast(&f.changed);
	pthread_mutex_unlock(&f.lock);
	WAIT_FOR(f.commit_count, before + 1);
	WAIT_FOR(f.in_commit, 1); /* of the next round */
	assert_true(spool_is_holding(f.spool));
	set_flag(&f.is_commit_shut, false);
	WAIT_FOR(f.done_count, 3);
	assert_true(spool_is_holding(f.spool));
	WAIT_FOR(f.sent_count, 4);
	assert_sent(2, 2, (const int[]){ 1, 2 });
	report(2, STATUS_OK);
	report(3, STATUS_OK);
	assert_int_equal(count_rows(), 0);
}

static void
failures_are_sent_again_in_order_once_nothing_is_under_way(void **state)
{
	(void)state;
	open_spool(64 << 20, 1 << 20);
	atomic_store(&f.is_up, true);
	put_range(0, 5);
	WAIT_FOR(f.sent_count, 6);
	report(4, STATUS_UNAVAILABLE);
	report(5, STATUS_OK);
	report(1, STATUS_UNAVAILABLE);
	report(2, STATUS_OK);
	report(0, STATUS_OK);
	/* Rounds pass, and nothing is sent: 3 is still under way. */
	for (int i = 6; i < 9; i++) {
		put_range(i, i);
		WAIT_FOR(f.done_count, (size_t)i + 1);
	}
	assert_int_equal(sent_count(), 6);
	report(3, STATUS_UNAVAILABLE);
	WAIT_FOR(f.sent_count, 12);
	assert_sent(6, 6, (const int[]){ 1, 3, 4, 6, 7, 8 });
	for (size_t i = 6; i < 12; i++)
		report(i, STATUS_OK);
	wait_until_holding(false);
	assert_int_equal(count_rows(), 0);
}

static void
what_kafka_refuses_for_good_is_set_aside_and_delays_nobody(void **state)
{
	(void)state;
	open_spool(64 << 20, 1 << 20);
	atomic_store(&f.is_up, true);
	put_range(0, 3);
	WAIT_FOR(f.sent_count, 4);
	report(0, STATUS_TOO_LARGE);
	report(1, STATUS_OK);
	report(2, STATUS_INVALID);
	report(3, STATUS_UNAVAILABLE);
	WAIT_FOR(f.sent_count, 5);
	assert_sent(4, 1, (const int[]){ 3 });
	report(4, STATUS_OK);
	wait_until_holding(false);
	say(STATUS_TOO_LARGE);
	put_range(4, 4);
	WAIT_FOR(f.done_count, 5);
	wait_until_holding(false);
	assert_int_equal(count_rows(), 3);
	say(STATUS_OK);
	open_spool(64 << 20, 1 << 20);
	WAIT_FOR(f.sent_count, 8);
	assert_sent(5, 3, (const int[]){ 0, 2, 4 });
	for (size_t i = 5; i < 8; i++)
		report(i, STATUS_OK);
}

static void *
stop_sending(void *arg)
{
	size_t *in_send = arg;

	spool_stop_sending(f.spool);
	pthread_mutex_lock(&f.lock);
	*in_send = f.in_send;
	pthread_mutex_unlock(&f.lock);
	return NULL;
}

static void
nothing_is_sent_any_more_when_stop_sending_returns(void **state)
{
	size_t in_send = 99, sent;
	pthread_t stopping;
	bool may_send = true;

	(void)state;
	open_spool(64 << 20, 1 << 20);
	atomic_store(&f.is_up, true);
	set_flag(&f.is_gate_shut, true);
	put_range(0, 4);
	WAIT_FOR(f.in_send, 1);
	assert_int_equal(
	    pthread_create(&stopping, NULL, stop_sending, &in_send), 0);
	while (may_send) {
		pthread_mutex_lock(&f.spool->lock);
		may_send = f.spool->may_send;
		pthread_mutex_unlock(&f.spool->lock);
	}
	set_flag(&f.is_gate_shut, false);
	pthread_join(stopping, NULL);
	assert_int_equal(in_send, 0);
	sent = sent_count();
	put_range(5, 9);
	WAIT_FOR(f.done_count, 10);
	assert_true(spool_is_holding(f.spool));
	assert_int_equal(sent_count(), sent);
	for (size_t i = 0; i < sent; i++)
		report(i, STATUS_OK);
	assert_int_equal(count_rows(), 10 - (int64_t)sent);
}

static void
it_holds_while_kafka_is_away_or_has_not_all(void **state)
{
	(void)state;
	open_spool(64 << 20, 1 << 20);
	assert_true(spool_is_holding(f.spool));
	atomic_store(&f.is_up, true);
	wait_until_holding(false);
	atomic_store(&f.is_up, false);
	wait_until_holding(true);
	atomic_store(&f.is_up, true);
	wait_until_holding(false);
	say(STATUS_UNAVAILABLE);
	put_range(0, 0);
	WAIT_FOR(f.done_count, 1);
	assert_true(spool_is_holding(f.spool));
	say(STATUS_OK);
	WAIT_FOR(f.sent_count, 1);
	wait_until_holding(false);
	report(0, STATUS_OK);
	assert_int_equal(count_rows(), 0);
}

static void
a_full_file_takes_nothing_until_kafka_has_taken_something(void **state)
{
	int count = 0;

	(void)state;
	f.value_bytes = 3000;
	open_spool(1 << 20, 1 << 20);
	do {
		put_range(count, count);
		WAIT_FOR(f.done_count, (size_t)count + 1);
	} while (f.done[count++] == STATUS_OK);
	assert_status(f.done[count - 1], STATUS_TOO_LARGE);
	assert_true(count > 200);
	assert_false(spool_has_room(f.spool));
	atomic_store(&f.is_up, true);
	WAIT_FOR(f.sent_count, (size_t)count - 1);
	report(0, STATUS_OK);
	report(1, STATUS_OK);
	put_range(count, count);
	WAIT_FOR(f.done_count, (size_t)count + 1);
	assert_status(f.done[count], STATUS_OK);
	assert_true(spool_has_room(f.spool));
	WAIT_FOR(f.sent_count, (size_t)count);
	for (size_t i = 2; i < (size_t)count; i++)
		report(i, STATUS_OK);
	assert_int_equal(count_rows(), 0);
}

/* The reason beside a row may find no room in a full file; what goes is
 * written all the same. */
static void
a_refusal_in_a_full_file_does_not_stop_the_others(void **state)
{
	static char reason[400];
	int count = 0;

	(void)state;
	memset(reason, 'r', sizeof(reason) - 1);
	f.reason = reason;
	f.value_bytes = 1200;
	open_spool(1 << 20, 1 << 20);
	do {
		put_range(count, count);
		WAIT_FOR(f.done_count, (size_t)count + 1);
	} while (f.done[count++] == STATUS_OK);
	atomic_store(&f.is_up, true);
	WAIT_FOR(f.sent_count, (size_t)count - 1);
	set_flag(&f.is_commit_shut, true);
	report(0, STATUS_OK);
	WAIT_FOR(f.in_commit, 1);
	/* One round learns of all these. */
	for (int i = 1; i < count - 1; i++)
		report((size_t)i, i <= 10 ? STATUS_TOO_LARGE : STATUS_OK);
	set_flag(&f.is_commit_shut, false);
	put_range(count, count);
	WAIT_FOR(f.done_count, (size_t)count + 1);
	assert_status(f.done[count], STATUS_OK);
	WAIT_FOR(f.sent_count, (size_t)count);
	report((size_t)count - 1, STATUS_OK);
	assert_int_equal(count_rows(), 10);
}

/* Nobody is told that it was stored, and nothing is forgotten that was not. */
static void
a_commit_that_fails_is_as_if_nothing_had_come_or_gone(void **state)
{
	(void)state;
	open_spool(64 << 20, 1 << 20);
	atomic_store(&f.is_up, true);
	put_range(0, 1);
	WAIT_FOR(f.sent_count, 2);
	set_flag(&f.do_commits_fail, true);
	put_range(2, 2);
	WAIT_FOR(f.done_count, 3);
	assert_status(f.done[2], STATUS_UNAVAILABLE);
	assert_false(spool_has_room(f.spool));
	set_flag(&f.do_commits_fail, false);
	put_range(3, 3);
	WAIT_FOR(f.done_count, 4);
	assert_status(f.done[3], STATUS_OK);
	WAIT_FOR(f.sent_count, 3);
	assert_sent(2, 1, (const int[]){ 3 });
	set_flag(&f.do_commits_fail, true);
	for (size_t i = 0; i < 3; i++)
		report(i, STATUS_OK);
	assert_int_equal(count_rows(), 3);
}

static void
what_waits_for_the_disk_has_a_ceiling(void **state)
{
	int taken = 1;

	(void)state;
	open_spool(64 << 20, 4096);
	set_flag(&f.is_commit_shut, true);
	put_range(0, 0);
	WAIT_FOR(f.in_commit, 1);
	while (put(taken) == STATUS_OK)
		assert_true(++taken < 100);
	assert_true(taken > 10);
	set_flag(&f.is_commit_shut, false);
	WAIT_FOR(f.done_count, (size_t)taken);
	f.value_bytes = 5000;
	put_range(taken, taken); /* one that is larger is taken alone */
	WAIT_FOR(f.done_count, (size_t)taken + 1);
	assert_status(f.done[taken], STATUS_OK);
}

#define WITH_A_FILE(test) \
	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_A_FILE(
		    what_was_put_is_sent_in_order_and_forgotten_when_acknowledged),
		WITH_A_FILE(what_is_not_acknowledged_is_sent_by_the_next_run),
		WITH_A_FILE(those_that_come_during_a_commit_share_the_next),
		WITH_A_FILE(a_failed_report_holds_back_what_comes_from_then_on),
		WITH_A_FILE(it_is_held_back_while_the_failure_is_dealt_with),
		WITH_A_FILE(
		    failures_are_sent_again_in_order_once_nothing_is_under_way),
		WITH_A_FILE(
		    what_kafka_refuses_for_good_is_set_aside_and_delays_nobody),
		WITH_A_FILE(nothing_is_sent_any_more_when_stop_sending_returns),
		WITH_A_FILE(it_holds_while_kafka_is_away_or_has_not_all),
		WITH_A_FILE(
		    a_full_file_takes_nothing_until_kafka_has_taken_something),
		WITH_A_FILE(a_refusal_in_a_full_file_does_not_stop_the_others),
		WITH_A_FILE(
		    a_commit_that_fails_is_as_if_nothing_had_come_or_gone),
		WITH_A_FILE(what_waits_for_the_disk_has_a_ceiling),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
