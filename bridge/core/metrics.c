/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define SERIES_MAX 4096
#define LABEL_MAX  64

struct series {
	enum metric metric;
	char label1[LABEL_MAX];
	char label2[LABEL_MAX];
	atomic_llong value;
};

static const struct {
	const char *name, *type, *label1, *label2, *meaning;
} metrics[METRIC_COUNT] = {
#define X(symbol, name, type, label1, label2, meaning) \
	{ name, type, label1, label2, meaning },
	METRIC_TABLE(X)
#undef X
};

static struct series all[SERIES_MAX];
static atomic_uint series_count;
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;

/* Upper bounds in microseconds; the last bucket has none. */
static const int64_t bounds_us[] = { 250, 500, 1000, 2500, 5000, 10000, 25000,
	50000, 100000, 250000, 500000, 1000000, 2500000, 5000000 };
#define BOUND_COUNT (sizeof(bounds_us) / sizeof(*bounds_us))
static atomic_llong answer_buckets[BOUND_COUNT + 1];
static atomic_llong answer_sum_us;

static struct series *
find(enum metric metric, const char *label1, const char *label2)
{
	const unsigned count = atomic_load_explicit(
	    &series_count, memory_order_acquire);

	for (unsigned i = 0; i < count; i++)
		if (all[i].metric == metric &&
		    strcmp(all[i].label1, label1) == 0 &&
		    strcmp(all[i].label2, label2) == 0)
			return &all[i];
	return NULL;
}

/* A series is filled in before the count that shows it is raised. */
static struct series *
add(enum metric metric, const char *label1, const char *label2)
{
	struct series *series = NULL;
	unsigned count;

	pthread_mutex_lock(&adding);
	series = find(metric, label1, label2);
	count = atomic_load(&series_count);
	if (series == NULL && count < SERIES_MAX &&
	    strlen(label1) < LABEL_MAX && strlen(label2) < LABEL_MAX) {
		series = &all[count];
		series->metric = metric;
		memcpy(series->label1, label1, strlen(label1) + 1);
		memcpy(series->label2, label2, strlen(label2) + 1);
		atomic_store_explicit(
		    &series_count, count + 1, memory_order_release);
	}
	pthread_mutex_unlock(&adding);
	return series;
}

static struct series *
find_or_add(enum metric metric, const char *label1, const char *label2)
{
	struct series *series;

	label1 = label1 == NULL ? "" : label1;
	label2 = label2 == NULL ? "" : label2;
	series = find(metric, label1, label2);
	return series != NULL ? series : add(metric, label1, label2);
}

void
metric_add(
    enum metric metric, const char *label1, const char *label2, int64_t amount)
{
	struct series *series = find_or_add(metric, label1, label2);

	if (series != NULL)
		atomic_fetch_add_explicit(
		    &series->value, amount, memory_order_relaxed);
}

void
metric_set(
    enum metric metric, const char *label1, const char *label2, int64_t value)
{
	struct series *series = find_or_add(metric, label1, label2);

	if (series != NULL)
		atomic_store_explicit(
		    &series->value, value, memory_order_relaxed);
}

void
metric_answer_time(int64_t us)
{
	size_t i = 0;

	while (i < BOUND_COUNT && us > bounds_us[i])
		i++;
	atomic_fetch_add_explicit(&answer_buckets[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&answer_sum_us, us, memory_order_relaxed);
}

static void
print_series(const struct series *series, struct buffer *out)
{
	const char *label1 = metrics[series->metric].label1;
	const char *label2 = metrics[series->metric].label2;

	buffer_print(out, "%s", metrics[series->metric].name);
	if (label1 != NULL && label2 != NULL)
		buffer_print(out, "{%s=\"%s\",%s=\"%s\"}", label1,
		    series->label1, label2, series->label2);
	else if (label1 != NULL)
		buffer_print(out, "{%s=\"%s\"}", label1, series->label1);
	buffer_print(out, " %lld\n", atomic_load(&series->value));
}

static void
print_answer_times(struct buffer *out)
{
	static const char name[] = "vulnbus_answer_duration_seconds";
	long long total = 0;

	buffer_print(out, "# HELP %s Time from request to answer\n", name);
	buffer_print(out, "# TYPE %s histogram\n", name);
	for (size_t i = 0; i <= BOUND_COUNT; i++) {
		total += atomic_load(&answer_buckets[i]);
		if (i < BOUND_COUNT)
			buffer_print(out, "%s_bucket{le=\"%g\"} %lld\n", name,
			    (double)bounds_us[i] / 1e6, total);
		else
			buffer_print(
			    out, "%s_bucket{le=\"+Inf\"} %lld\n", name, total);
	}
	buffer_print(out, "%s_sum %.6f\n", name,
	    (double)atomic_load(&answer_sum_us) / 1e6);
	buffer_print(out, "%s_count %lld\n", name, total);
}

void
metrics_print(struct buffer *out)
{
	const unsigned count = atomic_load(&series_count);

	for (int m = 0; m < METRIC_COUNT; m++) {
		bool is_headed = false;

		for (unsigned i = 0; i < count; i++) {
			if (all[i].metric != (enum metric)m)
				continue;
			if (!is_headed)
				buffer_print(out,
				    "# HELP %s %s\n# TYPE %s %s\n",
				    metrics[m].name, metrics[m].meaning,
				    metrics[m].name, metrics[m].type);
			is_headed = true;
			print_series(&all[i], out);
		}
	}
	print_answer_times(out);
}
