/* SPDX-License-Identifier: Apache-2.0
 *
 * vulnbus-ingress: takes vendors' webhooks and answers 202 when their events
 * are safe on Kafka. This file starts, reloads and drains; webhook.c is what
 * happens in between. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "vulnbus/admin.h"
#include "vulnbus/confine.h"
#include "vulnbus/daemon.h"
#include "vulnbus/log.h"
#include "vulnbus/metrics.h"
#include "vulnbus/port.h"
#include "vulnbus/process.h"
#include "vulnbus/watch.h"

#define SERVICE       "vulnbus-ingress"
#define TICK_MS       1000
#define DRAIN_STEP_MS 5
#define LAST_WORDS_MS 200
#define RETIRED_MAX   16

struct ingress {
	struct webhooks webhooks;
	struct site *retired[RETIRED_MAX]; /* replaced, perhaps still in use */
	struct config *boot; /* owned; what a reload cannot change is its */
	struct topics topics;
	struct http_server *server;
	struct admin admin;
	struct overview overview;
	struct watch watch;
	atomic_bool is_leaving; /* not ready any more */
};

static bool
is_ready(void *arg)
{
	struct ingress *ingress = arg;
	struct webhooks *webhooks = &ingress->webhooks;
	const struct deliveries *deliveries = &webhooks->deliveries;
	struct site *site = webhooks_site(webhooks);
	bool answer;

	atomic_fetch_add(&webhooks->handling, 1);
	answer = !atomic_load(&ingress->is_leaving) &&
		 (produce_is_ready(deliveries->produce) ||
		     (deliveries->spool != NULL &&
			 spool_has_room(deliveries->spool))) &&
		 keyring_is_ready(site->keyring);
	atomic_fetch_sub(&webhooks->handling, 1);
	site_release(site);
	return answer;
}

/* A site is closed here and nowhere else: the threads it owns may be the ones
 * that let go of it. */
static void
close_idle_sites(struct ingress *ingress)
{
	for (size_t i = 0; i < RETIRED_MAX; i++)
		if (ingress->retired[i] != NULL &&
		    atomic_load(&ingress->retired[i]->holders) == 1) {
			site_release(ingress->retired[i]);
			ingress->retired[i] = NULL;
		}
}

static bool
retire(struct ingress *ingress, struct site *site)
{
	for (size_t i = 0; i < RETIRED_MAX; i++)
		if (ingress->retired[i] == NULL) {
			ingress->retired[i] = site;
			return true;
		}
	return false;
}

static void
put_in_force(struct ingress *ingress, struct site *fresh)
{
	pthread_mutex_lock(&ingress->webhooks.lock);
	ingress->webhooks.site = fresh;
	pthread_mutex_unlock(&ingress->webhooks.lock);
	http_server_renew_tls(ingress->server, fresh->tls);
	overview_use(&ingress->overview, fresh);
	watch_use(&ingress->watch, fresh->config, clock_steady_ms());
	daemon_say_reloaded(ingress->boot, fresh->config, "enricher.");
	if ((ingress->boot->ingress.tls.certificate.path == NULL) !=
	    (fresh->config->ingress.tls.certificate.path == NULL))
		LOG_WARN("whether there is TLS will change at a restart");
	if (config_is_same_kafka(ingress->boot, fresh->config))
		return;
	LOG_INFO("kafka.properties have changed, the client is renewed");
	produce_renew(ingress->webhooks.deliveries.produce, fresh->config);
}

/* All or nothing: on any error the site in force stays. */
static void
reload(struct ingress *ingress, bool is_asked)
{
	struct site *former = ingress->webhooks.site, *fresh = NULL;
	struct config *config = NULL;
	struct error err;
	enum status status;

	daemon_notify("RELOADING=1");
	status = daemon_load(
	    ingress->boot->path, bindings_check, &config, &err);
	if (status == STATUS_OK)
		status = site_open(config, true, former, &fresh, &err);
	if (status == STATUS_OK && !retire(ingress, former)) {
		site_release(fresh);
		status = error_set(&err, STATUS_UNAVAILABLE,
		    "earlier configurations are still in use");
	}
	if (status == STATUS_OK)
		put_in_force(ingress, fresh);
	else if (watch_failed(&ingress->watch, &err) || is_asked)
		daemon_say_not_reloaded(&err);
	metrics_note_reload(status == STATUS_OK ? fresh->config : NULL);
	daemon_notify("READY=1");
}

/* The spool sends through the producer, and stores what the producer gives
 * back: it stops sending first, and closes last. */
static void
close_deliveries(struct deliveries *deliveries, uint32_t within_ms)
{
	if (deliveries->spool != NULL) {
		spool_stop_sending(deliveries->spool);
		/* What is under way is on the disk, or about to be. */
		if (!produce_is_up(deliveries->produce))
			within_ms = 0;
	}
	produce_close(&deliveries->produce, within_ms);
	spool_close(&deliveries->spool);
}

static void
await_hang_up(struct ingress *ingress, int64_t until_ms)
{
	while (http_server_connections(ingress->server) > 0 &&
	       clock_steady_ms() < until_ms)
		poll(NULL, 0, DRAIN_STEP_MS);
}

/* A balancer that sends nothing new leaves connections where they are: whoever
 * keeps one is served, and told with the answer to let go of it. Nobody is
 * waited for who says nothing in half of the time. */
static void
leave(struct ingress *ingress, int64_t until_ms)
{
	atomic_store(&ingress->is_leaving, true);
	http_server_let_go(ingress->server);
	await_hang_up(ingress, until_ms);
}

/* Order matters: whoever is connected is let go of, then 503 for whoever still
 * comes, answers for all who wait, then the records that outlived their answer,
 * then the ends of the threads. The port is not closed first: libmicrohttpd
 * 0.9.75 may abort when a pool is quiesced (both it and its threads take the
 * socket out of their epoll sets). */
static void
drain(struct ingress *ingress)
{
	struct webhooks *webhooks = &ingress->webhooks;
	const uint32_t within_ms = ingress->boot->ingress.drain_within_ms;
	const int64_t until_ms = clock_steady_ms() + within_ms;
	int64_t left_ms;

	daemon_notify("STOPPING=1");
	daemon_end_within(within_ms + 1000);
	leave(ingress, until_ms - within_ms / 2);
	atomic_store(&webhooks->is_draining, true);
	while (atomic_load(&webhooks->unanswered) > 0 &&
	       clock_steady_ms() < until_ms)
		poll(NULL, 0, DRAIN_STEP_MS);
	atomic_store(&webhooks->is_closing, true);
	/* Nobody waits in there, so this is short. */
	while (atomic_load(&webhooks->handling) > 0)
		poll(NULL, 0, DRAIN_STEP_MS);
	left_ms = until_ms - clock_steady_ms();
	close_deliveries(
	    &webhooks->deliveries, left_ms > 0 ? (uint32_t)left_ms : 0);
	while (atomic_load(&webhooks->unanswered) > 0)
		poll(NULL, 0, DRAIN_STEP_MS);
	/* The last answers may still be on their way out. */
	await_hang_up(ingress, clock_steady_ms() + LAST_WORDS_MS);
	LOG_INFO("stopped");
}

static void
run(struct ingress *ingress)
{
	for (;;) {
		switch (daemon_wait(TICK_MS)) {
		case DAEMON_STOP:
			return;
		case DAEMON_RELOAD:
			reload(ingress, true);
			break;
		case DAEMON_TICK:
			if (watch_is_due(&ingress->watch, clock_steady_ms()))
				reload(ingress, false);
			break;
		}
		produce_tick(ingress->webhooks.deliveries.produce);
		close_idle_sites(ingress);
	}
}

static enum status
open_port(struct ingress *ingress, struct error *err)
{
	const struct config_ingress *config = &ingress->boot->ingress;
	const struct http_server_options options = {
		.name = "public",
		.listen = config->listen,
		.threads = config->threads,
		.idle_timeout_ms = config->idle_timeout_ms,
		.connections_max = config->max_connections,
		.headers_bytes_max = config->max_headers_bytes,
		.body_bytes_max = config->max_body_bytes,
		.tls = ingress->webhooks.site->tls,
		.on_headers = port_on_headers,
		.on_request = port_on_request,
		.on_refused = port_on_refused,
		.arg = &ingress->webhooks,
	};

	return http_server_open(&options, &ingress->server, err);
}

static enum status
send_from_spool(void *arg, const struct kafka_record *record,
    struct shipment *shipment, struct error *err)
{
	return produce_send(arg, record, shipment, err);
}

static bool
is_kafka_up(void *arg)
{
	return produce_is_up(arg);
}

/* Kafka has three quarters of answer_within; the rest is for the disk. */
static enum status
open_spool(struct ingress *ingress, struct error *err)
{
	struct webhooks *webhooks = &ingress->webhooks;
	const struct config *config = ingress->boot;
	const struct spool_options options = {
		.path = config->ingress.spool.path,
		.file_bytes_max = config->ingress.spool.bytes_max,
		.queue_bytes_max = config->kafka.queue_bytes_max,
		.topics = &ingress->topics,
		.on_done = delivery_on_spooled,
		.send = send_from_spool,
		.is_kafka_up = is_kafka_up,
		.arg = webhooks->deliveries.produce,
	};
	enum status status = spool_open(
	    &options, &webhooks->deliveries.spool, err);

	if (status != STATUS_OK)
		return error_add(err, status, "ingress.spool.path");
	return deadlines_open(config->ingress.answer_within_ms / 4 * 3,
	    webhook_on_patience_ended, webhooks, &webhooks->patience, err);
}

static enum status
start(struct ingress *ingress, struct config *config, struct error *err)
{
	struct webhooks *webhooks = &ingress->webhooks;
	enum status status = site_open(
	    config, true, NULL, &webhooks->site, err);

	if (status != STATUS_OK)
		return status;
	ingress->boot = site_take_config(webhooks->site);
	topics_init(&ingress->topics, config);
	webhooks->encoding = (struct encoding){ .topics = &ingress->topics,
		.format = config->topics.format };
	pthread_mutex_init(&webhooks->lock, NULL);
	status = produce_open(
	    config, &ingress->topics, &webhooks->deliveries.produce, err);
	if (status == STATUS_OK && config->ingress.spool.path != NULL)
		status = open_spool(ingress, err);
	if (status == STATUS_OK)
		status = deadlines_open(config->ingress.answer_within_ms,
		    webhook_on_expired, webhooks, &webhooks->deadlines, err);
	overview_init(&ingress->overview, SERVICE);
	overview_use(&ingress->overview, webhooks->site);
	ingress->admin = (struct admin){ .overview = &ingress->overview,
		.is_ready = is_ready,
		.arg = ingress };
	/* Who is told that it is ready finds the port open. */
	if (status == STATUS_OK)
		status = open_port(ingress, err);
	if (status == STATUS_OK)
		status = admin_open(
		    &ingress->admin, config->ingress.admin, err);
	return status;
}

static void
stop(struct ingress *ingress)
{
	admin_close(&ingress->admin);
	http_server_close(&ingress->server);
	close_deliveries(&ingress->webhooks.deliveries, 0);
	deadlines_close(&ingress->webhooks.patience);
	deadlines_close(&ingress->webhooks.deadlines);
	for (size_t i = 0; i < RETIRED_MAX; i++)
		site_close(&ingress->retired[i]);
	site_close(&ingress->webhooks.site);
	overview_clear(&ingress->overview);
	config_free(ingress->boot);
	watch_clear(&ingress->watch);
}

static enum status
check(const struct config *config, struct error *err)
{
	const enum status status = bindings_check(config, err);

	return status == STATUS_OK ? http_tls_check(config, err) : status;
}

int
main(int argc, char **argv)
{
	static struct ingress ingress;
	struct config *config = NULL;
	struct error err;
	enum status status;
	int exit_status = daemon_start(SERVICE, argc, argv, check, &config);

	if (exit_status >= 0)
		return exit_status;
	daemon_block_signals();
	metrics_begin('I', SERVICE);
	process_begin();
	status = confine(config, CONFINED_INGRESS, &err);
	if (status == STATUS_OK)
		status = start(&ingress, config, &err);
	else
		config_free(config);
	if (status != STATUS_OK) {
		LOG_ERROR("not started", LOG_TEXT("error.message", err.text));
		stop(&ingress);
		return status == STATUS_INVALID ? EX_CONFIG : EX_UNAVAILABLE;
	}
	metrics_note_reload(ingress.boot);
	watch_use(&ingress.watch, ingress.boot, clock_steady_ms());
	produce_tick(ingress.webhooks.deliveries.produce);
	daemon_notify("READY=1");
	process_let_go_of_start();
	run(&ingress);
	drain(&ingress);
	stop(&ingress);
	return EX_OK;
}
