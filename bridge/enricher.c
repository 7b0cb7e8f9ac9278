/* SPDX-License-Identifier: Apache-2.0
 *
 * vulnbus-enricher: takes events, asks the vendors back, writes enriched
 * records, each exactly once. This file starts, reloads and stops; worker.c is
 * what happens in between. */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "vulnbus/admin.h"
#include "vulnbus/confine.h"
#include "vulnbus/daemon.h"
#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/process.h"
#include "vulnbus/watch.h"
#include "vulnbus/worker.h"

#define SERVICE        "vulnbus-enricher"
#define ROUND_MS       1000
#define TICK_MS        500
#define REOPEN_MS      1000
#define PROBE_EVERY_MS 5000
#define PROBE_MS       1000
#define STUCK_AFTER_MS 10000

struct enricher {
	struct worker worker;
	struct topics topics;
	struct admin admin;
	struct overview overview;
	struct site *boot;
	pthread_t signals;
	int wake_fd; /* also the worker's event_fd */
	atomic_bool is_stopping;
	atomic_bool is_reloading;
	atomic_bool is_assigned;
	atomic_bool is_kafka_up;
	atomic_bool is_authorised;
	atomic_llong round_at_ms; /* steady clock: when the last round began */
	int64_t probed_at_ms;
	struct watch watch;
	bool is_kafka_new; /* other kafka.properties: a new session */
};

/* A round that does not end is one that waits for Kafka. */
static bool
is_stuck(struct enricher *e)
{
	return clock_steady_ms() - atomic_load(&e->round_at_ms) >=
	       STUCK_AFTER_MS;
}

static bool
is_ready(void *arg)
{
	struct enricher *e = arg;

	return !atomic_load(&e->is_stopping) && atomic_load(&e->is_assigned) &&
	       atomic_load(&e->is_kafka_up) && atomic_load(&e->is_authorised) &&
	       !is_stuck(e);
}

static void
wake(struct enricher *e)
{
	const uint64_t one = 1;
	const ssize_t written = write(e->wake_fd, &one, sizeof(one));

	(void)written; /* full means awake */
}

/* Signals have a thread of their own: the worker may wait for Kafka inside a
 * transaction, without end. What is cut off then is not committed, and the
 * next life does it again. */
static void *
take_signals(void *arg)
{
	struct enricher *e = arg;

	while (!atomic_load(&e->is_stopping)) {
		switch (daemon_wait(TICK_MS)) {
		case DAEMON_STOP:
			daemon_notify("STOPPING=1");
			daemon_end_within(
			    e->boot->config->enricher.drain_within_ms);
			atomic_store(&e->is_stopping, true);
			wake(e);
			break;
		case DAEMON_RELOAD:
			atomic_store(&e->is_reloading, true);
			wake(e);
			break;
		case DAEMON_TICK:
			if (is_stuck(e))
				metric_set(METRIC_KAFKA_UP, NULL, NULL, 0);
			break;
		}
	}
	return NULL;
}

/* The one thread that makes clients is this one. */
static void
put_in_force(struct enricher *e, struct site *site)
{
	watch_use(&e->watch, site->config, clock_steady_ms());
	worker_use_site(&e->worker, site);
	overview_use(&e->overview, site);
	daemon_say_reloaded(e->boot->config, site->config, "ingress.");
	if (config_is_same_kafka(e->boot->config, site->config))
		return;
	LOG_INFO("kafka.properties have changed, the session is begun again");
	config_swap_kafka(e->boot->config, site->config);
	e->is_kafka_new = true;
}

static enum status
load_again(struct enricher *e, struct config **out_config, struct error *err)
{
	const struct config *boot = e->boot->config;
	struct config *config = NULL;
	enum status status = daemon_load(
	    boot->path, bindings_check, &config, err);

	if (status == STATUS_OK)
		status = confine_check(boot, config, err);
	if (status == STATUS_OK)
		*out_config = config;
	else
		config_free(config);
	return status;
}

static void
reload(struct enricher *e, bool is_asked)
{
	struct config *config = NULL;
	struct site *site = NULL;
	struct error err;
	enum status status;

	daemon_notify("RELOADING=1");
	status = load_again(e, &config, &err);
	if (status == STATUS_OK)
		status = site_open(config, false, NULL, &site, &err);
	if (status == STATUS_OK)
		put_in_force(e, site);
	else if (watch_failed(&e->watch, &err) || is_asked)
		daemon_say_not_reloaded(&err);
	metrics_note_reload(status == STATUS_OK ? site->config : NULL);
	daemon_notify("READY=1");
}

static void
reload_if_due(struct enricher *e)
{
	const bool is_asked = atomic_exchange(&e->is_reloading, false);

	if (is_asked || watch_is_due(&e->watch, clock_steady_ms()))
		reload(e, is_asked);
}

static bool
is_every_source_authorised(const struct worker *worker)
{
	for (const struct feed *feed = worker->feeds.first; feed != NULL;
	     feed = feed->next)
		if (feed->is_unauthorised)
			return false;
	return true;
}

static void
note_state(struct enricher *e)
{
	const int64_t now_ms = clock_steady_ms();
	struct worker *worker = &e->worker;

	atomic_store(&e->is_assigned,
	    worker->consume != NULL && consume_is_assigned(worker->consume));
	atomic_store(&e->is_authorised, is_every_source_authorised(worker));
	if (!worker->has_commit) {
		atomic_store(&e->is_kafka_up, false);
	} else if (now_ms - e->probed_at_ms >= PROBE_EVERY_MS ||
		   !atomic_load(&e->is_kafka_up)) {
		e->probed_at_ms = now_ms;
		atomic_store(&e->is_kafka_up,
		    kafka_producer_probe(worker->commit.producer,
			e->topics.names[TOPIC_EVENTS],
			PROBE_MS) == KAFKA_THERE);
		if (atomic_load(&e->is_kafka_up))
			consume_measure(worker->consume);
	}
	metric_set(METRIC_KAFKA_UP, NULL, NULL, atomic_load(&e->is_kafka_up));
}

static void
run_session(struct enricher *e)
{
	struct error err = { "" };
	enum status status = STATUS_OK;

	while (status == STATUS_OK && !e->is_kafka_new &&
	       !atomic_load(&e->is_stopping)) {
		atomic_store(&e->round_at_ms, clock_steady_ms());
		reload_if_due(e);
		status = worker_round(&e->worker, ROUND_MS, &err);
		note_state(e);
	}
	if (status != STATUS_OK)
		LOG_WARN("kafka session ended, it is begun again",
		    LOG_TEXT("error.message", err.text));
}

/* One Kafka session after the other, until told to stop. */
static void
run(struct enricher *e)
{
	struct error err;

	while (!atomic_load(&e->is_stopping)) {
		enum status status;

		/* Without a session too: it may be what mends it. */
		reload_if_due(e);
		e->is_kafka_new = false;
		status = worker_open(&e->worker, &err);

		if (status == STATUS_OK) {
			run_session(e);
			worker_close(&e->worker);
		} else {
			LOG_WARN("kafka session not begun",
			    LOG_TEXT("error.message", err.text));
		}
		note_state(e);
		if (!atomic_load(&e->is_stopping))
			poll(NULL, 0, REOPEN_MS);
	}
}

static enum status
start(struct enricher *e, struct config *config, struct error *err)
{
	enum status status = site_open(config, false, NULL, &e->boot, err);

	if (status != STATUS_OK)
		return status;
	e->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (e->wake_fd < 0)
		return error_set(err, STATUS_UNAVAILABLE, "no eventfd");
	topics_init(&e->topics, config);
	e->worker = (struct worker){
		.config = config,
		.topics = &e->topics,
		.encoding = { .topics = &e->topics,
		    .format = config->topics.format },
		.site = site_hold(e->boot),
		.event_fd = e->wake_fd,
		.is_stopping = &e->is_stopping,
	};
	atomic_store(&e->round_at_ms, clock_steady_ms());
	if (pthread_create(&e->signals, NULL, take_signals, e) != 0)
		return error_set(err, STATUS_NO_MEMORY, "no thread");
	overview_init(&e->overview, SERVICE);
	overview_use(&e->overview, e->boot);
	e->admin = (struct admin){
		.overview = &e->overview, .is_ready = is_ready, .arg = e
	};
	return admin_open(&e->admin, config->enricher.admin, err);
}

int
main(int argc, char **argv)
{
	static struct enricher enricher;
	struct config *config = NULL;
	struct error err;
	enum status status;
	int exit_status = daemon_start(
	    SERVICE, argc, argv, bindings_check, &config);

	if (exit_status >= 0)
		return exit_status;
	daemon_block_signals();
	metrics_begin('E', SERVICE);
	process_begin();
	status = confine(config, CONFINED_ENRICHER, &err);
	if (status == STATUS_OK)
		status = start(&enricher, config, &err);
	else
		config_free(config);
	if (status != STATUS_OK) {
		LOG_ERROR("not started", LOG_TEXT("error.message", err.text));
		return status == STATUS_INVALID ? EX_CONFIG : EX_UNAVAILABLE;
	}
	metrics_note_reload(enricher.boot->config);
	watch_use(&enricher.watch, enricher.boot->config, clock_steady_ms());
	daemon_notify("READY=1");
	process_let_go_of_start();
	run(&enricher);
	pthread_join(enricher.signals, NULL);
	admin_close(&enricher.admin);
	overview_clear(&enricher.overview);
	grants_clear(&enricher.worker.grants);
	site_release(enricher.worker.site);
	site_release(enricher.boot);
	watch_clear(&enricher.watch);
	close(enricher.wake_fd);
	LOG_INFO("stopped");
	return EX_OK;
}
