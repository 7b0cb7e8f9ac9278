/* SPDX-License-Identifier: Apache-2.0
 *
 * The records of one notification between Kafka and the spool: every order in
 * which things may happen is played, and each ends once, with STATUS_OK only
 * if every record is safe. Then the same with the real spool, by chance, on
 * three threads. */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "vulnbus/delivery.h"
#include "vulnbus/timestamp.h"

static enum status
watched_put(struct spool *spool, struct spool_item *item, void *owner,
    struct error *err);

static bool
watched_is_holding(struct spool *spool);

#define spool_put        watched_put
#define spool_is_holding watched_is_holding
#include "../../bridge/delivery.c"
#undef spool_put
#undef spool_is_holding

#define RECORDS_MAX 2
#define STEPS_MAX   64
#define PATIENCE_MS PATIENCE_OF_MS(20000)

static struct topics topics;
static struct spool *real_spool; /* items need one */

/* --- every order ------------------------------------------------------------
 *
 * A play asks `choose` wherever it could go on in several ways; the next play
 * takes the next way, until there is none. */

static struct {
	unsigned taken[STEPS_MAX], of[STEPS_MAX];
	size_t depth, at;
} ways;

static unsigned
choose(unsigned count)
{
	assert_true(ways.at < STEPS_MAX);
	if (ways.at == ways.depth) {
		ways.taken[ways.depth] = 0;
		ways.of[ways.depth++] = count;
	}
	assert_int_equal(ways.of[ways.at], count);
	return ways.taken[ways.at++];
}

static bool
next_way(void)
{
	while (ways.depth > 0 &&
	       ways.taken[ways.depth - 1] + 1 == ways.of[ways.depth - 1])
		ways.depth--;
	ways.at = 0;
	if (ways.depth == 0)
		return false;
	ways.taken[ways.depth - 1]++;
	return true;
}

enum fate { NOT_YET, UNDER_WAY, SAFE, LOST };

static struct {
	struct delivery *delivery;
	bool is_played; /* else the real ones are called */
	bool is_held;
	size_t count, added, put_count, ended;
	bool is_sealed, is_hurried, has_given_up;
	enum fate on_kafka[RECORDS_MAX], in_spool[RECORDS_MAX];
	struct shipment *shipment;
	enum status end;
} play;

static bool
watched_is_holding(struct spool *spool)
{
	(void)spool;
	return play.is_held || (play.is_played && choose(2) == 1);
}

static enum status
watched_put(struct spool *spool, struct spool_item *item, void *owner,
    struct error *err)
{
	enum fate *fate = &play.in_spool[play.put_count];

	if (!play.is_played)
		return spool_put(spool, item, owner, err);
	assert_true(play.is_sealed);
	assert_true(play.put_count < play.count);
	assert_ptr_equal(owner, play.delivery);
	play.put_count++;
	spool_item_free(item);
	*fate = choose(2) == 0 ? UNDER_WAY : LOST;
	if (*fate == UNDER_WAY)
		return STATUS_OK;
	return error_set(err, STATUS_UNAVAILABLE, "no room");
}

static bool
is_each(enum fate fate, const enum fate *fates)
{
	for (size_t i = 0; i < play.count; i++)
		if (fates[i] != fate)
			return false;
	return true;
}

static void
on_end(void *owner, enum status status, const char *why)
{
	assert_ptr_equal(owner, &play);
	assert_true(play.is_sealed);
	assert_int_equal(play.ended, 0);
	play.ended++;
	play.end = status;
	for (size_t i = 0; i < play.count; i++) {
		if (status == STATUS_OK)
			assert_true(play.on_kafka[i] == SAFE ||
				    play.in_spool[i] == SAFE);
		else
			assert_true(play.on_kafka[i] != UNDER_WAY &&
				    play.in_spool[i] != UNDER_WAY);
	}
	assert_int_equal(status != STATUS_OK, why[0] != '\0');
}

static void
add_record(void)
{
	const struct kafka_record record = {
		.topic = topics.names[TOPIC_EVENTS],
		.key = VIEW("key"),
		.value = VIEW("value"),
	};
	struct error err = { "" };
	enum status status = delivery_add(play.delivery, &record, &err);

	if (play.on_kafka[play.added] == NOT_YET)
		play.on_kafka[play.added] = LOST;
	play.added++;
	/* As the webhook does: an error ends the notification. */
	if (status != STATUS_OK)
		play.has_given_up = true;
}

static void
report(size_t index, bool is_safe)
{
	play.on_kafka[index] = is_safe ? SAFE : LOST;
	play.shipment->on_report(play.shipment,
	    is_safe ? STATUS_OK : STATUS_UNAVAILABLE,
	    is_safe ? "" : "not on Kafka");
}

static void
end_put(size_t index, bool is_safe)
{
	play.in_spool[index] = is_safe ? SAFE : LOST;
	delivery_on_spooled(play.delivery,
	    is_safe ? STATUS_OK : STATUS_TOO_LARGE, is_safe ? "" : "disk full");
}

/* One of what may happen now; false: nothing is left that must. */
static bool
go_on(void)
{
	enum { ADD, SEAL, HURRY, KAFKA_OK, KAFKA_FAILS, DISK_OK, DISK_FAILS };
	struct {
		int what;
		size_t index;
	} may[2 + 4 * RECORDS_MAX], it;
	unsigned count = 0;

	if (!play.has_given_up && play.added < play.count)
		may[count++].what = ADD;
	else if (!play.has_given_up && !play.is_sealed)
		may[count++].what = SEAL;
	for (size_t i = 0; i < play.count; i++)
		for (int fails = 0; fails < 2; fails++) {
			if (play.on_kafka[i] == UNDER_WAY) {
				may[count].index = i;
				may[count++].what = KAFKA_OK + fails;
			}
			if (play.in_spool[i] == UNDER_WAY) {
				may[count].index = i;
				may[count++].what = DISK_OK + fails;
			}
		}
	if (count == 0)
		return false;
	if (!play.is_hurried)
		may[count++].what = HURRY;
	it = may[choose(count)];
	if (it.what == ADD) {
		add_record();
	} else if (it.what == SEAL) {
		play.is_sealed = true;
		delivery_seal(play.delivery);
	} else if (it.what == HURRY) {
		play.is_hurried = true;
		delivery_hurry(play.delivery);
	} else if (it.what == KAFKA_OK || it.what == KAFKA_FAILS) {
		report(it.index, it.what == KAFKA_OK);
	} else {
		end_put(it.index, it.what == DISK_OK);
	}
	return true;
}

static void
play_once(struct deliveries *shared, size_t count)
{
	memset(&play, 0, sizeof(play));
	play.is_played = true;
	play.count = count;
	play.delivery = delivery_new(shared, on_end, &play);
	assert_non_null(play.delivery);
	while (go_on()) {
		/* Not a moment later than it could be known. */
		if (play.is_sealed && (is_each(SAFE, play.on_kafka) ||
					  is_each(SAFE, play.in_spool)))
			assert_true(play.ended == 1 && play.end == STATUS_OK);
		/* Kafka's time is up: everything has gone to the spool. */
		if (play.is_sealed && play.is_hurried && shared->spool != NULL)
			assert_true(play.ended == 1 || play.put_count == count);
	}
	assert_int_equal(play.ended, play.has_given_up ? 0 : 1);
	delivery_release(play.delivery);
}

static void
play_all(struct deliveries *shared, size_t count)
{
	size_t plays = 0;

	ways.depth = ways.at = 0;
	do {
		play_once(shared, count);
		plays++;
	} while (next_way());
	print_message("%zu record(s), %s: %zu ways\n", count,
	    shared->spool == NULL ? "no spool" : "a spool", plays);
	assert_true(plays > 10);
}

static void
however_it_goes_it_ends_once_and_well_only_if_all_is_safe(void **state)
{
	struct deliveries with = { .spool = real_spool }, without = { 0 };

	(void)state;
	play_all(&without, 1);
	play_all(&without, 2);
	play_all(&with, 1);
	play_all(&with, 2);
}

static void
more_records_than_are_kept_are_refused(void **state)
{
	struct deliveries with = { .spool = real_spool };
	struct delivery *delivery = delivery_new(&with, on_end, &play);
	const struct kafka_record record = {
		.topic = topics.names[TOPIC_EVENTS]
	};
	struct error err = { "" };

	(void)state;
	assert_non_null(delivery);
	memset(&play, 0, sizeof(play));
	play.is_held = true;
	for (int i = 0; i < DELIVERY_RECORDS_MAX; i++)
		assert_ok(delivery_add(delivery, &record, &err), &err);
	assert_status(delivery_add(delivery, &record, &err), STATUS_TOO_LARGE);
	delivery_release(delivery);
}

/* --- on threads -------------------------------------------------------------
 */

#define NOTIFICATIONS 3000

struct notification {
	struct delivery *delivery;
	atomic_int ended;
	enum status end;
};

static struct {
	struct shipment *sent[NOTIFICATIONS];
	atomic_size_t sent_count;
	struct notification all[NOTIFICATIONS];
	atomic_size_t made, ended;
	atomic_bool is_over;
} crowd;

/* Only one thread sends. */
enum status
produce_send(struct produce *produce, const struct kafka_record *record,
    struct shipment *shipment, struct error *err)
{
	static const enum status refusals[] = { STATUS_UNAVAILABLE,
		STATUS_FATAL, STATUS_TOO_LARGE };
	unsigned way;

	(void)produce;
	(void)record;
	if (!play.is_played) {
		crowd.sent[atomic_load(&crowd.sent_count)] = shipment;
		atomic_fetch_add(&crowd.sent_count, 1);
		return STATUS_OK;
	}
	way = choose(1 + COUNT(refusals));
	if (way > 0)
		return error_set(err, refusals[way - 1], "refused at once");
	play.shipment = shipment;
	play.on_kafka[play.added] = UNDER_WAY;
	return STATUS_OK;
}

static void
on_crowd_end(void *owner, enum status status, const char *why)
{
	struct notification *notification = owner;

	(void)why;
	notification->end = status;
	atomic_fetch_add(&notification->ended, 1);
	atomic_fetch_add(&crowd.ended, 1);
}

static void *
report_all(void *arg)
{
	size_t next = 0;

	(void)arg;
	while (next < NOTIFICATIONS)
		if (next < atomic_load(&crowd.sent_count)) {
			struct shipment *shipment = crowd.sent[next];

			shipment->on_report(shipment,
			    next % 3 == 0 ? STATUS_UNAVAILABLE : STATUS_OK,
			    next % 3 == 0 ? "not on Kafka" : "");
			next++;
		}
	return NULL;
}

static void *
hurry_all(void *arg)
{
	size_t next = 0;

	(void)arg;
	while (next < NOTIFICATIONS)
		if (next < atomic_load(&crowd.made)) {
			delivery_hurry(crowd.all[next].delivery);
			delivery_release(crowd.all[next].delivery);
			next++;
		}
	return NULL;
}

static void
with_reports_haste_and_the_real_spool_at_once_each_ends_once(void **state)
{
	const struct kafka_record record = {
		.topic = topics.names[TOPIC_EVENTS],
		.key = VIEW("key"),
		.value = VIEW("value"),
	};
	struct deliveries shared = { .spool = real_spool };
	const int64_t until_ms = clock_steady_ms() + PATIENCE_MS;
	pthread_t reporting, hurrying;
	struct error err = { "" };

	(void)state;
	memset(&play, 0, sizeof(play));
	assert_int_equal(pthread_create(&reporting, NULL, report_all, NULL), 0);
	assert_int_equal(pthread_create(&hurrying, NULL, hurry_all, NULL), 0);
	for (size_t i = 0; i < NOTIFICATIONS; i++) {
		struct notification *notification = &crowd.all[i];

		notification->delivery = delivery_new(
		    &shared, on_crowd_end, notification);
		assert_non_null(notification->delivery);
		hold(notification->delivery); /* the hurrying thread's */
		atomic_store(&crowd.made, i + 1);
		assert_ok(
		    delivery_add(notification->delivery, &record, &err), &err);
		delivery_seal(notification->delivery);
		delivery_release(notification->delivery);
	}
	pthread_join(reporting, NULL);
	pthread_join(hurrying, NULL);
	while (atomic_load(&crowd.ended) < NOTIFICATIONS) {
		assert_true(clock_steady_ms() < until_ms);
		poll(NULL, 0, 1);
	}
	spool_stop_sending(real_spool);
	spool_close(&real_spool);
	for (size_t i = 0; i < NOTIFICATIONS; i++) {
		assert_int_equal(atomic_load(&crowd.all[i].ended), 1);
		assert_status(crowd.all[i].end, STATUS_OK);
	}
}

/* --- the spool
 * ---------------------------------------------------------------- */

static char folder[] = "/tmp/vulnbus-delivery-XXXXXX";
static char path[64];

static enum status
refuse_all(void *arg, const struct kafka_record *record,
    struct shipment *shipment, struct error *err)
{
	(void)arg;
	(void)record;
	(void)shipment;
	return error_set(err, STATUS_UNAVAILABLE, "the queue is full");
}

static bool
is_up(void *arg)
{
	(void)arg;
	return true;
}

static int
open_all(void **state)
{
	struct error err = { "" };

	(void)state;
	for (int i = 0; i < TOPIC_COUNT; i++)
		snprintf(topics.names[i], sizeof(topics.names[i]), "test.%s.v1",
		    topic_short_name((enum topic)i));
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/spool.db", folder);
	return spool_open(&(struct spool_options){ .path = path,
			      .file_bytes_max = 64 << 20,
			      .queue_bytes_max = 64 << 20,
			      .topics = &topics,
			      .on_done = delivery_on_spooled,
			      .send = refuse_all,
			      .is_kafka_up = is_up },
		   &real_spool, &err) == STATUS_OK
		   ? 0
		   : -1;
}

static int
close_all(void **state)
{
	(void)state;
	spool_close(&real_spool);
	(void)unlink(path);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    however_it_goes_it_ends_once_and_well_only_if_all_is_safe),
		cmocka_unit_test(more_records_than_are_kept_are_refused),
		cmocka_unit_test(
		    with_reports_haste_and_the_real_spool_at_once_each_ends_once),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
