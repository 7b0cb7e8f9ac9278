/* SPDX-License-Identifier: Apache-2.0
 *
 * Every key of the configuration file, once. The loader, the reference and
 * the example file read nothing else. Order is the order of printing; the keys
 * of one section stand together. */
#include "config_table.h"

#include <assert.h>
#include <string.h>

/* A row whose member has another type than the row says does not compile. */
#define MATCH(s, member, type) \
	(0 * sizeof(_Generic(((struct s *)0)->member, type : 1)))
#define MATCH_NUMBER(s, member) \
	(0 * sizeof(_Generic(   \
		 ((struct s *)0)->member, uint32_t : 1, int32_t : 1)))
#define AT(s, member, kind, match) \
	.type = CONFIG_##kind, .offset = offsetof(struct s, member) + (match)

#define TEXT(s, m)     AT(s, m, TEXT, MATCH(s, m, char *))
#define ADDRESS(s, m)  AT(s, m, ADDRESS, MATCH(s, m, char *))
#define URL(s, m)      AT(s, m, URL, MATCH(s, m, char *))
#define BOOL(s, m)     AT(s, m, BOOL, MATCH(s, m, bool))
#define COUNT(s, m)    AT(s, m, COUNT, MATCH_NUMBER(s, m))
#define DURATION(s, m) AT(s, m, DURATION, MATCH(s, m, uint32_t))
#define SIZE(s, m)     AT(s, m, SIZE, MATCH(s, m, uint64_t))
#define FORMAT(s, m)   AT(s, m, ENUM, MATCH(s, m, enum config_format))
#define SANDBOX(s, m)  AT(s, m, ENUM, MATCH(s, m, enum config_sandbox))
#define LIST(s, m)     AT(s, m, LIST, MATCH(s, m, struct config_list))
#define PAIRS(s, m)    AT(s, m, PAIRS, MATCH(s, m, struct config_pairs))
#define SECRET(s, m)   AT(s, m, SECRET, MATCH(s, m, struct secret))

#define RANGE(from, to) .minimum = (from), .maximum = (to)

#define S   INT64_C(1000)
#define M   (60 * S)
#define H   (60 * M)
#define D   (24 * H)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static const char *const formats[] = {
	[CONFIG_FORMAT_MSGPACK] = "msgpack",
	[CONFIG_FORMAT_JSON] = "json",
	NULL,
};

static const char *const sandboxes[] = {
	[CONFIG_SANDBOX_OFF] = "off",
	[CONFIG_SANDBOX_BEST_EFFORT] = "best-effort",
	[CONFIG_SANDBOX_REQUIRED] = "required",
	NULL,
};

/* clang-format off */
const struct config_key config_keys[] = {
	/* kafka */
	{ "kafka.bootstrap_servers", TEXT(config, kafka.bootstrap_servers),
	  .is_required = true, .example = "kafka-1:9092,kafka-2:9092",
	  .prose = "The brokers to ask first, host:port, separated by commas." },
	{ "kafka.properties", PAIRS(config, kafka.properties),
	  .is_reloaded = true,
	  .is_file = true,
	  .prose = "Any property of librdkafka, passed on to every client." },
	{ "kafka.queue_messages", COUNT(config, kafka.queue_messages_max),
	  .unit = "messages", .fallback = "20000", RANGE(1, 1000000),
	  .prose = "How many messages may wait for the brokers before the queue is full." },
	{ "kafka.queue_size", SIZE(config, kafka.queue_bytes_max),
	  .fallback = "64MiB", RANGE(MIB, GIB),
	  .prose = "How much may wait for the brokers before the queue is full." },
	/* topics */
	{ "topics.prefix", TEXT(config, topics.prefix),
	  .fallback = "vulnbus", .maximum = 200, .check = config_check_prefix,
	  .prose = "What every topic's name begins with." },
	{ "topics.format", FORMAT(config, topics.format),
	  .fallback = "msgpack", .choices = formats,
	  .prose = "How the values of records are written." },
	{ "topics.create", BOOL(config, topics.create),
	  .fallback = "true",
	  .prose = "Whether topics that are missing are created at start; otherwise they are only checked." },
	{ "topics.ocsf", BOOL(config, topics.ocsf),
	  .fallback = "false",
	  .prose = "Whether each scan, finding, target, export and scorecard is on the topic ocsf too, as OCSF 1.8.0 and always in JSON." },
	{ "topics.partitions", COUNT(config, topics.partitions),
	  .unit = "partitions", .fallback = "6", RANGE(1, 10000),
	  .prose = "How many partitions a created topic gets." },
	{ "topics.replication_factor", COUNT(config, topics.replication_factor),
	  .unit = "replicas", .fallback = "-1", RANGE(-1, 100),
	  .prose = "How many replicas a created topic gets; -1 is the cluster's default." },
	/* reload */
	{ "reload.every", DURATION(config, reload_every_ms),
	  .is_reloaded = true,
	  .fallback = "10s", RANGE(0, H),
	  .prose = "How often the daemons look at this file and at those it names: when one has changed, all is reloaded as by SIGHUP; 0s is never." },
	/* sandbox */
	{ "sandbox", SANDBOX(config, sandbox),
	  .fallback = "best-effort", .choices = sandboxes,
	  .prose = "Whether the daemons give up what they never do (Landlock, seccomp, core dumps): as far as the kernel can, or they do not start where it cannot; files in folders that were not named at the start are there after a restart." },
	/* ingress */
	{ "ingress.listen", ADDRESS(config, ingress.listen),
	  .fallback = "0.0.0.0:8080",
	  .prose = "Where the vendors' webhooks come in." },
	{ "ingress.admin", ADDRESS(config, ingress.admin),
	  .fallback = "0.0.0.0:9464",
	  .prose = "Where the ingress serves metrics and health." },
	{ "ingress.public_url", URL(config, ingress.public_url),
	  .is_reloaded = true,
	  .example = "https://hooks.example.com",
	  .prose = "How the vendors reach `ingress.listen` from outside." },
	{ "ingress.connector_path", TEXT(config, ingress.connector_path),
	  .is_reloaded = true,
	  .fallback = "/connectors/{source}/{secret}/delve.json",
	  .check = config_check_connector,
	  .prose = "Where the Delve and VDR connector document is served." },
	{ "ingress.state_dir", TEXT(config, ingress.state_dir),
	  .prose = "The directory that keeps the last good public keys; without it they are not kept." },
	{ "ingress.threads", COUNT(config, ingress.threads),
	  .unit = "threads", .fallback = "2", RANGE(2, 256),
	  .prose = "How many threads serve requests." },
	{ "ingress.answer_within", DURATION(config, ingress.answer_within_ms),
	  .fallback = "3s", RANGE(100, M),
	  .prose = "By when a vendor has its answer; SecurityScorecard hangs up after 5s." },
	{ "ingress.drain_within", DURATION(config, ingress.drain_within_ms),
	  .fallback = "10s", RANGE(100, 10 * M),
	  .prose = "How long connections and requests may stay open after SIGTERM." },
	{ "ingress.idle_timeout", DURATION(config, ingress.idle_timeout_ms),
	  .fallback = "30s", RANGE(S, 10 * M),
	  .prose = "After how long a silent connection is closed." },
	{ "ingress.retry_after", DURATION(config, ingress.retry_after_ms),
	  .is_reloaded = true,
	  .fallback = "5s", RANGE(S, H),
	  .prose = "What a 503 answer says in Retry-After; a 429 says 60." },
	{ "ingress.max_body", SIZE(config, ingress.max_body_bytes),
	  .fallback = "1MiB", RANGE(KIB, 16 * MIB),
	  .prose = "The largest body of a request." },
	{ "ingress.max_headers", SIZE(config, ingress.max_headers_bytes),
	  .fallback = "32KiB", RANGE(4 * KIB, 256 * KIB),
	  .prose = "How large all headers of a request may be together; many small ones count for more." },
	{ "ingress.max_connections", COUNT(config, ingress.max_connections),
	  .unit = "connections", .fallback = "2000", RANGE(2, 100000),
	  .prose = "How many connections may be open at once." },
	{ "ingress.bad_signatures_per_minute", COUNT(config, ingress.bad_signatures_per_minute),
	  .is_reloaded = true,
	  .unit = "per minute", .fallback = "60", RANGE(1, 1000000),
	  .prose = "How many bad signatures a peer may send to a source before it gets 429." },
	{ "ingress.trusted_proxies", LIST(config, ingress.trusted_proxies),
	  .is_reloaded = true,
	  .check = config_check_network,
	  .prose = "Addresses or networks (CIDR) whose X-Forwarded-For is believed." },
	{ "ingress.tls.certificate", TEXT(config, ingress.tls.certificate.path),
	  .is_reloaded = true,
	  .is_file = true,
	  .prose = "The certificate of `ingress.listen` and those it is signed with (PEM), which makes it TLS, 1.2 or later; read again when it changes." },
	{ "ingress.tls.key", TEXT(config, ingress.tls.key.path),
	  .is_reloaded = true,
	  .is_file = true,
	  .prose = "The certificate's private key (PEM, without a passphrase)." },
	{ "ingress.tls.client_ca", TEXT(config, ingress.tls.client_ca.path),
	  .is_reloaded = true,
	  .is_file = true,
	  .prose = "The authorities of clients' certificates (PEM): clients are asked for one, and `hook.client_subject` says whose must have it." },
	{ "ingress.spool.path", TEXT(config, ingress.spool.path),
	  .prose = "The file that keeps events while Kafka is away; without it they are answered 503 then." },
	{ "ingress.spool.max_size", SIZE(config, ingress.spool.bytes_max),
	  .fallback = "1GiB", RANGE(MIB, 64 * GIB),
	  .prose = "How large that file may become; it is read whole at start." },
	/* enricher */
	{ "enricher.admin", ADDRESS(config, enricher.admin),
	  .fallback = "0.0.0.0:9465",
	  .prose = "Where the enricher serves metrics and health." },
	{ "enricher.group_id", TEXT(config, enricher.group_id),
	  .fallback = "vulnbus-enricher", .maximum = 200,
	  .prose = "The consumer group that all enrichers share." },
	{ "enricher.instance_id", TEXT(config, enricher.instance_id),
	  .fallback = "${env:HOSTNAME:-local}", .maximum = 200,
	  .prose = "The name of this enricher, different for each and the same after a restart." },
	{ "enricher.drain_within", DURATION(config, enricher.drain_within_ms),
	  .fallback = "10s", RANGE(100, 10 * M),
	  .prose = "How long work in hand may take after SIGTERM." },
	{ "enricher.give_up_after", DURATION(config, enricher.give_up_after_ms),
	  .fallback = "24h", RANGE(S, 30 * D),
	  .prose = "After how long of failing an event becomes a dead letter." },
	{ "enricher.dedup_window", DURATION(config, enricher.dedup_window_ms),
	  .fallback = "7d", RANGE(M, 40 * D),
	  .prose = "How long a finished event is remembered, so that a second delivery is dropped." },
	{ "enricher.reconcile_every", DURATION(config, enricher.reconcile_every_ms),
	  .fallback = "15m", RANGE(S, D),
	  .prose = "How often a vendor's API is asked for what its webhooks did not tell." },
	{ "enricher.retry_from", DURATION(config, enricher.retry_from_ms),
	  .fallback = "5s", RANGE(10, H),
	  .prose = "The first wait before a failed event is tried again." },
	{ "enricher.retry_to", DURATION(config, enricher.retry_to_ms),
	  .fallback = "1h", RANGE(10, D),
	  .prose = "The longest wait before a failed event is tried again." },
	{ "enricher.poll_to", DURATION(config, enricher.poll_to_ms),
	  .fallback = "1m", RANGE(10, H),
	  .prose = "The longest wait between two looks at an export that is not ready." },
	{ "enricher.transaction_timeout", DURATION(config, enricher.transaction_timeout_ms),
	  .fallback = "15s", RANGE(S, 15 * M),
	  .prose = "How long an enricher that died can hold its partitions up." },
	{ "enricher.session_timeout", DURATION(config, enricher.session_timeout_ms),
	  .fallback = "10s", RANGE(6 * S, 5 * M),
	  .prose = "After how long of silence the group takes an enricher for dead." },
	{ "enricher.max_in_memory", COUNT(config, enricher.max_in_memory),
	  .unit = "events", .fallback = "10000", RANGE(1, 1000000),
	  .prose = "Of how many waiting events the content is kept in memory." },
	{ "enricher.max_waiting", COUNT(config, enricher.max_waiting),
	  .unit = "events", .fallback = "1000000", RANGE(1, 10000000),
	  .prose = "How many events may wait before no more are taken in." },
	{ "enricher.batch_rows", COUNT(config, enricher.batch_rows),
	  .unit = "rows", .fallback = "8000", RANGE(1, 100000),
	  .prose = "How many rows of an export go into one transaction." },
	{ "enricher.batch_size", SIZE(config, enricher.batch_bytes),
	  .fallback = "8MiB", RANGE(64 * KIB, 64 * MIB),
	  .prose = "How large the rows of one transaction may be together." },
	{ "enricher.max_reply", SIZE(config, enricher.max_reply_bytes),
	  .is_reloaded = true,
	  .fallback = "4MiB", RANGE(KIB, 64 * MIB),
	  .prose = "The largest JSON reply of a vendor." },
	{ "enricher.max_row", SIZE(config, enricher.max_row_bytes),
	  .is_reloaded = true,
	  .fallback = "256KiB", RANGE(KIB, 900 * KIB),
	  .prose = "The largest row of an export." },
	/* sources: one vendor's account each */
	{ "sources[].name", TEXT(config_source, name),
	  .is_required = true, .maximum = 63, .check = config_check_name,
	  .example = "acme-vdr",
	  .prose = "The name in routes, keys and metric labels: a-z, 0-9 and -." },
	{ "sources[].vendor", TEXT(config_source, vendor),
	  .is_required = true, .maximum = 63, .example = "taegis-vdr",
	  .prose = "Whose webhooks these are; a vendor that is not known is refused with the names of all." },
	{ "sources[].base_url", URL(config_source, base_url),
	  .example = "https://acme.vdr.secureworks.com",
	  .prose = "Where the vendor's API is; some vendors have a default." },
	{ "sources[].allow_plain_http", BOOL(config_source, allow_plain_http),
	  .fallback = "false",
	  .prose = "Whether `base_url` may be http:// on another machine." },
	{ "sources[].ca_file", TEXT(config_source, ca_file),
	  .is_file = true,
	  .prose = "The certificate authorities for `base_url` (PEM), instead of the system's." },
	{ "sources[].hook.secret", SECRET(config_source, hook.secret),
	  .is_required = true, .minimum = 16, .maximum = 200,
	  .check = config_check_hook_secret, .example = "${env:ACME_VDR_HOOK}",
	  .prose = "The secret part of the webhook's path: 16 to 200 of A-Z a-z 0-9 . _ ~ -." },
	{ "sources[].hook.allow_from", LIST(config_source, hook.allow_from),
	  .check = config_check_network,
	  .prose = "Addresses or networks (CIDR) that webhooks may come from; without it, all." },
	{ "sources[].hook.app_secret", SECRET(config_source, hook.app_secret),
	  .minimum = 16, .maximum = 1000,
	  .prose = "The secret that every call must carry in the vendor's header for it (SecurityScorecard App Actions)." },
	{ "sources[].hook.client_subject", TEXT(config_source, hook.client_subject),
	  .check = config_check_subject,
	  .prose = "The subject of the client certificate that webhooks must come with, as `openssl x509 -noout -subject -nameopt RFC2253` prints it behind `subject=`; needs `ingress.tls.client_ca`, and no proxy that ends TLS in front." },
	{ "sources[].signature.key_files", LIST(config_source, signature.key_files),
	  .is_file = true,
	  .prose = "The vendor's public keys (PEM or JWK); without them they are fetched." },
	{ "sources[].signature.key_path", TEXT(config_source, signature.key_path),
	  .check = config_check_path,
	  .prose = "The path beneath `base_url` that keys are fetched from; the vendor has a default." },
	{ "sources[].signature.max_age", DURATION(config_source, signature.max_age_ms),
	  .fallback = "24h", RANGE(M, 30 * D),
	  .prose = "How old a signature may be." },
	{ "sources[].signature.overlap", DURATION(config_source, signature.overlap_ms),
	  .fallback = "24h", RANGE(0, 30 * D),
	  .prose = "How long an old key stays valid beside a new one." },
	{ "sources[].signature.refetch_every", DURATION(config_source, signature.refetch_every_ms),
	  .fallback = "1m", RANGE(S, H),
	  .prose = "How often at most a bad signature has the key fetched again." },
	{ "sources[].api.token", SECRET(config_source, api.token),
	  .is_live = true,
	  .example = "${env:ACME_VDR_TOKEN}",
	  .prose = "The token for the vendor's API; read again whenever it is needed." },
	{ "sources[].api.max_concurrent", COUNT(config_source, api.max_concurrent),
	  .unit = "requests", .fallback = "8", RANGE(1, 256),
	  .prose = "How many requests to the API may be open at once." },
	{ "sources[].api.calls_per_hour", COUNT(config_source, api.calls_per_hour),
	  .unit = "per hour", .fallback = "0", RANGE(0, 10000000),
	  .prose = "The hourly budget of requests; 0 is the vendor's own." },
	{ "sources[].api.reconcile", BOOL(config_source, api.reconcile),
	  .fallback = "true",
	  .prose = "Whether this source's API is asked for what its webhooks did not tell (Probely, SecurityScorecard)." },
	{ "sources[].api.reconcile_every", DURATION(config_source, api.reconcile_every_ms),
	  .fallback = "0s", RANGE(0, D),
	  .prose = "How often this source is asked for what its webhooks did not tell; 0s is `enricher.reconcile_every`, for SecurityScorecard at least a day." },
	{ "sources[].api.timeout", DURATION(config_source, api.timeout_ms),
	  .fallback = "30s", RANGE(100, 10 * M),
	  .prose = "How long a request to the API may take." },
	{ "sources[].api.forward_free_text", BOOL(config_source, api.forward_free_text),
	  .fallback = "false",
	  .prose = "Whether records carry what people or scanned sites wrote (evidence, comments, assignees' names, breaches); e-mail addresses in it are replaced." },
	{ "sources[].api.paths", PAIRS(config_source, api.paths),
	  .prose = "Paths of the API that differ from the vendor's own." },
	{ "sources[].api_jwt.key_file", TEXT(config_source, api_jwt.key_file),
	  .prose = "A private P-521 key (PEM): in place of `api.token` the API is shown an ES512 JWT signed with it; read again whenever it is needed." },
	{ "sources[].api_jwt.claims", PAIRS(config_source, api_jwt.claims),
	  .prose = "Claims of that JWT beside `iat` and `exp`, as the vendor wants them: `issuer`, `cid`." },
	{ "sources[].api_jwt.lifetime", DURATION(config_source, api_jwt.lifetime_ms),
	  .fallback = "5m", RANGE(10 * S, D),
	  .prose = "How long after `iat` that JWT expires." },
	{ "sources[].api_oauth2.refresh_token_file", TEXT(config_source, api_oauth2.refresh_token_file),
	  .prose = "The file of an OAuth2 refresh token: in place of `api.token` the API is shown the access token that it gives; a new refresh token is written back." },
	{ "sources[].api_oauth2.client_id", TEXT(config_source, api_oauth2.client_id),
	  .prose = "The OAuth2 client that the refresh token was given to." },
	{ "sources[].api_oauth2.client_secret", SECRET(config_source, api_oauth2.client_secret),
	  .is_live = true,
	  .prose = "That client's secret, if it has one; read again whenever it is needed." },
	{ "sources[].api_oauth2.token_path", TEXT(config_source, api_oauth2.token_path),
	  .fallback = "/auth/oauth2/token", .check = config_check_path,
	  .prose = "The path beneath `base_url` that gives access tokens." },
};
/* clang-format on */

#define KEY_COUNT (sizeof(config_keys) / sizeof(config_keys[0]))

static_assert(KEY_COUNT <= CONFIG_KEYS_MAX, "raise CONFIG_KEYS_MAX");

const size_t config_key_count = KEY_COUNT;

bool
config_key_is_source(const struct config_key *key)
{
	return strncmp(key->path, "sources[].", strlen("sources[].")) == 0;
}

void *
config_key_at(const struct config_key *key, const void *base)
{
	return (char *)base + key->offset;
}
