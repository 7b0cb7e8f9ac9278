/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/produce.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/timestamp.h"

#define POLL_MS          100
#define PROBE_MS         1000
#define PREPARE_MS       2000
#define REBUILD_PAUSE_MS 1000
#define RENEW_FLUSH_MS   1000
#define RENEW_STEP_MS    50
#define RENEW_AGAIN_MS   10000

struct produce {
	struct config *config; /* its kafka.properties: under `probing` */
	const struct topics *topics;
	struct kafka_producer *producer; /* under `lock`; NULL in between */
	pthread_rwlock_t lock;
	pthread_mutex_t probing; /* held while the producer is probed */
	pthread_t thread;
	atomic_bool is_stopping;
	atomic_bool is_prepared;
	atomic_bool is_stale; /* the producer is of former properties */
	atomic_int reach;     /* enum kafka_reach */
	int64_t renew_at_ms;  /* steady clock; the serving thread's */
	bool was_up;          /* the ticking thread's */
};

static void
on_delivery(void *record_arg, const struct kafka_report *report, void *arg)
{
	struct shipment *shipment = record_arg;

	(void)arg;
	metric_observe(METRIC_DELIVERY_TIME, report->latency_us);
	shipment->on_report(shipment, report->status, report->why);
}

static enum status
open_producer(
    struct produce *produce, struct kafka_producer **out, struct error *err)
{
	const struct kafka_producer_options options = {
		.config = produce->config,
		.client = "vulnbus-ingress",
		.is_measured = true,
		.on_delivery = on_delivery,
		.is_ordered = produce->config->ingress.spool.path != NULL,
	};

	return kafka_producer_open(&options, out, err);
}

static enum status
open_next(
    struct produce *produce, struct kafka_producer **out, struct error *err)
{
	enum status status;

	pthread_mutex_lock(&produce->probing);
	atomic_store(&produce->is_stale, false);
	status = open_producer(produce, out, err);
	pthread_mutex_unlock(&produce->probing);
	return status;
}

static struct kafka_producer *
exchange(struct produce *produce, struct kafka_producer *next)
{
	struct kafka_producer *former;

	pthread_rwlock_wrlock(&produce->lock);
	former = produce->producer;
	produce->producer = next;
	pthread_rwlock_unlock(&produce->lock);
	return former;
}

/* "Fatal errors: the producer can no longer be used" (librdkafka manual,
 * Idempotent Producer): reports for all it held come while it closes. */
static void
rebuild(struct produce *produce)
{
	struct kafka_producer *broken, *fresh = NULL;
	struct error err;

	atomic_store(&produce->reach, KAFKA_AWAY);
	LOG_WARN("kafka producer is rebuilt after a fatal error");
	broken = exchange(produce, NULL);
	/* A probe that began before may still be at it; none begins now. */
	pthread_mutex_lock(&produce->probing);
	pthread_mutex_unlock(&produce->probing);
	kafka_producer_close(&broken, 0);
	if (open_next(produce, &fresh, &err) != STATUS_OK) {
		LOG_ERROR("kafka producer not rebuilt",
		    LOG_TEXT("error.message", err.text));
		poll(NULL, 0, REBUILD_PAUSE_MS);
	}
	exchange(produce, fresh);
}

/* With other kafka.properties. Nobody is turned away meanwhile: without a spool
 * the next one is there before the former goes, which is given a moment for
 * what it holds. With one the spool takes what comes, and the next one is used
 * when all of the former's reports are in, or its rows could be overtaken. */
static void
renew(struct produce *produce)
{
	const bool is_spooled = produce->config->ingress.spool.path != NULL;
	struct kafka_producer *former, *fresh = NULL;
	struct error err;

	if (open_next(produce, &fresh, &err) != STATUS_OK) {
		LOG_ERROR("kafka producer not renewed, the old one stays",
		    LOG_TEXT("error.message", err.text));
		produce->renew_at_ms = clock_steady_ms() + RENEW_AGAIN_MS;
		atomic_store(&produce->is_stale, true);
		return;
	}
	former = exchange(produce, is_spooled ? NULL : fresh);
	/* As above: a probe may still be at the former. */
	pthread_mutex_lock(&produce->probing);
	pthread_mutex_unlock(&produce->probing);
	for (int ms = 0; ms < RENEW_FLUSH_MS; ms += RENEW_STEP_MS) {
		kafka_producer_flush(former, RENEW_STEP_MS);
		kafka_producer_poll(fresh, 0);
	}
	kafka_producer_close(&former, 0);
	exchange(produce, fresh);
}

/* Only this thread changes the producer, so it polls without the lock. */
static void *
serve_reports(void *arg)
{
	struct produce *produce = arg;

	while (!atomic_load(&produce->is_stopping)) {
		if (produce->producer == NULL ||
		    kafka_producer_is_fatal(produce->producer))
			rebuild(produce);
		else if (atomic_load(&produce->is_stale) &&
			 clock_steady_ms() >= produce->renew_at_ms)
			renew(produce);
		else
			kafka_producer_poll(produce->producer, POLL_MS);
	}
	return NULL;
}

enum status
produce_open(struct config *config, const struct topics *topics,
    struct produce **out_produce, struct error *err)
{
	struct produce *produce = calloc(1, sizeof(*produce));
	pthread_rwlockattr_t attributes;
	enum status status;

	if (produce == NULL)
		return error_set(err, STATUS_NO_MEMORY, "no memory");
	produce->config = config;
	produce->topics = topics;
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(
	    &attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&produce->lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	pthread_mutex_init(&produce->probing, NULL);
	status = open_producer(produce, &produce->producer, err);
	if (status == STATUS_OK &&
	    pthread_create(&produce->thread, NULL, serve_reports, produce) != 0)
		status = error_set(err, STATUS_NO_MEMORY, "no thread");
	if (status != STATUS_OK) {
		kafka_producer_close(&produce->producer, 0);
		pthread_rwlock_destroy(&produce->lock);
		pthread_mutex_destroy(&produce->probing);
		free(produce);
		return status;
	}
	*out_produce = produce;
	return STATUS_OK;
}

void
produce_close(struct produce **produce, uint32_t drain_ms)
{
	if (*produce == NULL)
		return;
	atomic_store(&(*produce)->is_stopping, true);
	pthread_join((*produce)->thread, NULL);
	kafka_producer_close(&(*produce)->producer, drain_ms);
	pthread_rwlock_destroy(&(*produce)->lock);
	pthread_mutex_destroy(&(*produce)->probing);
	free(*produce);
	*produce = NULL;
}

void
produce_renew(struct produce *produce, struct config *fresh)
{
	pthread_mutex_lock(&produce->probing);
	config_swap_kafka(produce->config, fresh);
	atomic_store(&produce->is_stale, true);
	pthread_mutex_unlock(&produce->probing);
}

enum status
produce_send(struct produce *produce, const struct kafka_record *record,
    struct shipment *shipment, struct error *err)
{
	enum status status;

	/* A record for a topic that is not there yet would make the broker
	 * create it, with settings that are not ours. */
	if (!atomic_load(&produce->is_prepared))
		return error_set(
		    err, STATUS_UNAVAILABLE, "Kafka was not reached yet");
	pthread_rwlock_rdlock(&produce->lock);
	if (produce->producer == NULL)
		status = error_set(err, STATUS_UNAVAILABLE,
		    "the Kafka producer is being rebuilt");
	else
		status = kafka_producer_send(
		    produce->producer, record, shipment, err);
	pthread_rwlock_unlock(&produce->lock);
	return status;
}

static void
prepare(struct produce *produce)
{
	int32_t partitions;
	struct error err;
	const enum status status = topics_prepare(
	    produce->topics, produce->config, PREPARE_MS, &partitions, &err);

	atomic_store(&produce->is_prepared, status == STATUS_OK);
	if (status != STATUS_OK)
		LOG_WARN(
		    "topics not ready", LOG_TEXT("error.message", err.text));
}

/* Without the lock senders take: a probe may last a second, and a rebuild
 * that waited for the lock behind it would keep them all waiting. */
static enum kafka_reach
probe(struct produce *produce)
{
	enum kafka_reach reach = KAFKA_AWAY;
	struct kafka_producer *producer;

	pthread_mutex_lock(&produce->probing);
	pthread_rwlock_rdlock(&produce->lock);
	producer = produce->producer;
	pthread_rwlock_unlock(&produce->lock);
	if (producer != NULL)
		reach = kafka_producer_probe(
		    producer, produce->topics->names[TOPIC_EVENTS], PROBE_MS);
	pthread_mutex_unlock(&produce->probing);
	return reach;
}

void
produce_tick(struct produce *produce)
{
	enum kafka_reach reach = KAFKA_AWAY;
	bool is_up;

	if (!atomic_load(&produce->is_prepared))
		prepare(produce);
	if (atomic_load(&produce->is_prepared))
		reach = probe(produce);
	is_up = reach == KAFKA_THERE;
	if (is_up && !produce->was_up)
		LOG_INFO("kafka is there");
	if (!is_up && produce->was_up)
		LOG_WARN(reach == KAFKA_AWAY
			     ? "kafka does not answer"
			     : "some partitions have no leader");
	produce->was_up = is_up;
	atomic_store(&produce->reach, reach);
	metric_set(METRIC_KAFKA_UP, NULL, NULL, is_up);
}

bool
produce_is_up(const struct produce *produce)
{
	return atomic_load(&produce->reach) != KAFKA_AWAY;
}

bool
produce_is_ready(const struct produce *produce)
{
	return atomic_load(&produce->reach) == KAFKA_THERE;
}
