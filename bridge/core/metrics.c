/* SPDX-License-Identifier: Apache-2.0 */
#include "vulnbus/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "vulnbus/timestamp.h"
#include "vulnbus/version.h"

/* Forty for each of CONFIG_SOURCES_MAX sources, and then some. */
#define SERIES_MAX 65536
#define SLOT_COUNT 131072 /* a power of two, never more than half full */
#define LABEL_MAX  64
#define OTHER      "other"
#define KNOWN      METRIC_COUNT /* a series that says: there is this source */

struct series {
	unsigned metric;
	char label1[LABEL_MAX];
	char label2[LABEL_MAX];
	atomic_llong value;
	atomic_bool is_hidden;
};

static const struct {
	const char *name, *type, *daemons, *unit, *label1, *label2, *words,
	    *meaning;
} metrics[METRIC_COUNT] = {
#define X(symbol, name, type, daemons, unit, label1, label2, words, meaning) \
	{ name, type, daemons, unit, label1, label2, words, meaning },
	METRIC_TABLE(X)
#undef X
};

/* Series are never taken back. A webhook looks a handful of them up, so there
 * is no lock for that: a slot is filled when all of its series is there. */
static struct series all[SERIES_MAX];
static atomic_uint series_count;
static _Atomic(struct series *) slots[SLOT_COUNT];
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;
static char this_daemon; /* 'I', 'E', or 0 */

/* Upper bounds in microseconds; the last bucket has none. */
static const int64_t bounds_us[] = { 250, 500, 1000, 2500, 5000, 10000, 25000,
	50000, 100000, 250000, 500000, 1000000, 2500000, 5000000 };
#define BOUND_COUNT (sizeof(bounds_us) / sizeof(*bounds_us))

static struct {
	atomic_llong buckets[BOUND_COUNT + 1];
	atomic_llong sum_us;
} histograms[METRIC_COUNT];

static bool
is_type(unsigned metric, const char *type)
{
	return strcmp(metrics[metric].type, type) == 0;
}

static bool
is_of_sources(unsigned metric)
{
	return metrics[metric].label1 != NULL &&
	       strcmp(metrics[metric].label1, "source") == 0;
}

static bool
is_of_this_daemon(unsigned metric)
{
	return this_daemon == 0 ||
	       strchr(metrics[metric].daemons, this_daemon) != NULL;
}

/* FNV-1a, with the end of the text. */
static uint32_t
hash(uint32_t seed, const char *text)
{
	do
		seed = (seed ^ (unsigned char)*text) * 16777619u;
	while (*text++ != '\0');
	return seed;
}

/* The slot of the series, or the empty one where it belongs. */
static _Atomic(struct series *) *
slot_of(unsigned metric, const char *label1, const char *label2)
{
	uint32_t i = hash(hash(2166136261u ^ metric, label1), label2);

	for (;; i++) {
		_Atomic(struct series *) *slot = &slots[i % SLOT_COUNT];
		const struct series *series = atomic_load_explicit(
		    slot, memory_order_acquire);

		if (series == NULL || (series->metric == metric &&
					  strcmp(series->label1, label1) == 0 &&
					  strcmp(series->label2, label2) == 0))
			return slot;
	}
}

static struct series *
find(unsigned metric, const char *label1, const char *label2)
{
	return atomic_load_explicit(
	    slot_of(metric, label1, label2), memory_order_acquire);
}

static struct series *
add(unsigned metric, const char *label1, const char *label2)
{
	_Atomic(struct series *) *slot;
	struct series *series;
	unsigned count;

	pthread_mutex_lock(&adding);
	slot = slot_of(metric, label1, label2);
	series = atomic_load(slot);
	count = atomic_load(&series_count);
	if (series == NULL && count < SERIES_MAX &&
	    strlen(label1) < LABEL_MAX && strlen(label2) < LABEL_MAX) {
		series = &all[count];
		series->metric = metric;
		memcpy(series->label1, label1, strlen(label1) + 1);
		memcpy(series->label2, label2, strlen(label2) + 1);
		atomic_store_explicit(slot, series, memory_order_release);
		atomic_store_explicit(
		    &series_count, count + 1, memory_order_release);
	}
	pthread_mutex_unlock(&adding);
	return series;
}

/* One word after the other of a list; false at its end. */
static bool
next_word(const char **words, char out[LABEL_MAX])
{
	const size_t len = strcspn(*words, " ");

	if (len == 0 || len >= LABEL_MAX)
		return false;
	memcpy(out, *words, len);
	out[len] = '\0';
	*words += len + ((*words)[len] == ' ');
	return true;
}

static bool
has_word(const char *words, const char *sought)
{
	char word[LABEL_MAX];

	while (next_word(&words, word))
		if (strcmp(word, sought) == 0)
			return true;
	return false;
}

static struct series *
find_or_add(unsigned metric, const char *label1, const char *label2)
{
	const char *words = metrics[metric].words;
	struct series *series;

	label1 = label1 == NULL ? "" : label1;
	label2 = label2 == NULL ? "" : label2;
	series = find(metric, label1, label2);
	if (series != NULL)
		return series;
	if (this_daemon != 0 && is_of_sources(metric) &&
	    find(KNOWN, label1, "") == NULL)
		label1 = "";
	if (this_daemon != 0 && words != NULL && !has_word(words, label2))
		label2 = OTHER;
	series = find(metric, label1, label2);
	return series != NULL ? series : add(metric, label1, label2);
}

static void
add_counters(bool of_sources, const char *source)
{
	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		const char *words = metrics[m].words;
		char word[LABEL_MAX] = "";

		if (!is_type(m, "counter") || !is_of_this_daemon(m) ||
		    is_of_sources(m) != of_sources ||
		    (metrics[m].label1 != NULL && !of_sources))
			continue;
		if (words == NULL)
			add(m, source, "");
		while (words != NULL && next_word(&words, word))
			add(m, source, word);
	}
}

void
metrics_begin(char daemon, const char *service)
{
	this_daemon = daemon;
	add_counters(false, "");
	add_counters(true, "");
	metric_set(METRIC_BUILD, service, VULNBUS_VERSION, 1);
	metric_set(METRIC_PROCESS_START, NULL, NULL, clock_wall_ms() * 1000);
}

void
metrics_know_sources(const struct config *config)
{
	for (size_t i = 0; i < config->source_count; i++) {
		const char *name = config->sources[i].name;

		if (find(KNOWN, name, "") != NULL)
			continue;
		add(KNOWN, name, "");
		add_counters(true, name);
	}
}

static bool
has_source(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->source_count; i++)
		if (strcmp(config->sources[i].name, name) == 0)
			return true;
	return false;
}

void
metrics_note_reload(const struct config *config)
{
	const unsigned count = atomic_load(&series_count);

	metric_set(METRIC_RELOAD_OK, NULL, NULL, config != NULL);
	if (config == NULL)
		return;
	metric_set(METRIC_RELOAD_TIME, NULL, NULL, clock_wall_ms() * 1000);
	for (unsigned i = 0; i < count; i++)
		if (all[i].metric != KNOWN && is_of_sources(all[i].metric) &&
		    is_type(all[i].metric, "gauge") &&
		    all[i].label1[0] != '\0' &&
		    !has_source(config, all[i].label1))
			atomic_store(&all[i].is_hidden, true);
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

	if (series == NULL)
		return;
	atomic_store_explicit(&series->value, value, memory_order_relaxed);
	atomic_store_explicit(&series->is_hidden, false, memory_order_relaxed);
}

void
metric_observe(enum metric metric, int64_t us)
{
	size_t i = 0;

	if (us < 0)
		return;
	while (i < BOUND_COUNT && us > bounds_us[i])
		i++;
	atomic_fetch_add_explicit(
	    &histograms[metric].buckets[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(
	    &histograms[metric].sum_us, us, memory_order_relaxed);
}

static void
print_value(unsigned metric, long long value, struct buffer *out)
{
	if (strcmp(metrics[metric].unit, "seconds") == 0)
		buffer_print(
		    out, "%lld.%06lld\n", value / 1000000, value % 1000000);
	else
		buffer_print(out, "%lld\n", value);
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
	else if (label2 != NULL)
		buffer_print(out, "{%s=\"%s\"}", label2, series->label2);
	buffer_print(out, " ");
	print_value(series->metric, atomic_load(&series->value), out);
}

static void
print_head(unsigned metric, struct buffer *out)
{
	buffer_print(out, "# HELP %s %s\n# TYPE %s %s\n", metrics[metric].name,
	    metrics[metric].meaning, metrics[metric].name,
	    metrics[metric].type);
}

static void
print_histogram(unsigned metric, struct buffer *out)
{
	const char *name = metrics[metric].name;
	long long total = 0;

	print_head(metric, out);
	for (size_t i = 0; i <= BOUND_COUNT; i++) {
		total += atomic_load(&histograms[metric].buckets[i]);
		if (i < BOUND_COUNT)
			buffer_print(out, "%s_bucket{le=\"%g\"} %lld\n", name,
			    (double)bounds_us[i] / 1e6, total);
		else
			buffer_print(
			    out, "%s_bucket{le=\"+Inf\"} %lld\n", name, total);
	}
	buffer_print(out, "%s_sum ", name);
	print_value(metric, atomic_load(&histograms[metric].sum_us), out);
	buffer_print(out, "%s_count %lld\n", name, total);
}

void
metrics_print(struct buffer *out)
{
	const unsigned count = atomic_load(&series_count);

	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		bool is_headed = false;

		if (is_type(m, "histogram") && is_of_this_daemon(m))
			print_histogram(m, out);
		for (unsigned i = 0; i < count; i++) {
			if (all[i].metric != m ||
			    atomic_load(&all[i].is_hidden))
				continue;
			if (!is_headed)
				print_head(m, out);
			is_headed = true;
			print_series(&all[i], out);
		}
	}
}

static void
print_labels(unsigned metric, FILE *out)
{
	const char *label1 = metrics[metric].label1;
	const char *label2 = metrics[metric].label2;
	const char *words = metrics[metric].words;

	if (label1 != NULL)
		fprintf(out, "`%s`%s", label1, label2 == NULL ? "" : ", ");
	if (label2 != NULL)
		fprintf(out, "`%s`", label2);
	if (words != NULL)
		fprintf(out, ": %s", words);
}

void
metrics_print_reference(FILE *out)
{
	fputs("# Metrics\n\n"
	      "Of both daemons, as `vulnbus metrics-reference` prints them. "
	      "`source` is the name of a configured source, or empty.\n"
	      "Behind a label stand its values, where they are a list.\n\n"
	      "| name | type | daemon | labels | unit | meaning |\n"
	      "|---|---|---|---|---|---|\n",
	    out);
	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		const char *daemons = metrics[m].daemons;

		fprintf(out, "| `%s` | %s | %s | ", metrics[m].name,
		    metrics[m].type,
		    strcmp(daemons, "IE") == 0 ? "both"
		    : daemons[0] == 'I'        ? "ingress"
					       : "enricher");
		print_labels(m, out);
		fprintf(
		    out, " | %s | %s |\n", metrics[m].unit, metrics[m].meaning);
	}
}
