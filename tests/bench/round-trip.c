/* SPDX-License-Identifier: Apache-2.0
 *
 * The broker's round trip as a bare producer sees it (acks=all, idempotent, no
 * linger): RECORDS of BYTES bytes are under way at any time, each sent when the
 * one before it is acknowledged. Prints one line: records, seconds, p50 and p99
 * in microseconds, CPU microseconds a record.
 *
 * usage: bench-round-trip BROKERS TOPIC RECORDS BYTES SECONDS */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bare_producer.h"

#define SAMPLES_MAX 4000000

static rd_kafka_t *client;
static const char *topic;
static char value[65536];
static size_t value_len;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static size_t waiting; /* to be sent */
static float samples[SAMPLES_MAX];
static size_t sample_count;

static double
clock_seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static rd_kafka_resp_err_t
on_acknowledgement(rd_kafka_t *rk, rd_kafka_message_t *message, void *arg)
{
	(void)rk;
	(void)arg;
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		die(rd_kafka_err2str(message->err));
	pthread_mutex_lock(&lock);
	if (sample_count < SAMPLES_MAX)
		samples[sample_count++] = (float)rd_kafka_message_latency(
		    message);
	waiting++;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void
send_for(double seconds)
{
	const double until = clock_seconds(CLOCK_MONOTONIC) + seconds;
	unsigned key = 0;

	while (clock_seconds(CLOCK_MONOTONIC) < until) {
		pthread_mutex_lock(&lock);
		while (waiting == 0)
			pthread_cond_wait(&changed, &lock);
		waiting--;
		pthread_mutex_unlock(&lock);
		key++;
		if (rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic),
			RD_KAFKA_V_KEY(&key, sizeof(key)),
			RD_KAFKA_V_VALUE(value, value_len),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR_NO_ERROR)
			die("not produced");
	}
}

static int
compare(const void *a, const void *b)
{
	const float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static acknowledged_f *on_acknowledged = on_acknowledgement;

int
main(int argc, char **argv)
{
	double seconds, cpu;
	size_t count;

	if (argc != 6)
		return 64;
	topic = argv[2];
	waiting = strtoul(argv[3], NULL, 10);
	value_len = strtoul(argv[4], NULL, 10);
	if (waiting == 0 || value_len > sizeof(value))
		return 64;
	client = bare_producer(argv[1], &on_acknowledged);
	send_for(1); /* connections, leaders, a producer's id */
	pthread_mutex_lock(&lock);
	sample_count = 0;
	pthread_mutex_unlock(&lock);
	seconds = clock_seconds(CLOCK_MONOTONIC);
	cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
	send_for(strtod(argv[5], NULL));
	seconds = clock_seconds(CLOCK_MONOTONIC) - seconds;
	cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	pthread_mutex_lock(&lock);
	count = sample_count;
	if (count == 0)
		die("nothing was acknowledged");
	qsort(samples, count, sizeof(*samples), compare);
	printf("%zu %.3f %.1f %.1f %.2f\n", count, seconds,
	    (double)samples[count / 2], (double)samples[count * 99 / 100],
	    cpu * 1e6 / (double)count);
	fflush(stdout);
	_Exit(0);
}
