/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vulnbus/base64url.h"
#include "vulnbus/json.h"
#include "vulnbus/kafka.h"
#include "vulnbus/tool_demo.h"

#define CONFIG_BYTES_MAX 8192
#define SECRET_BYTES     24

void
demo_place_secret(char out[DEMO_TEXT_BYTES])
{
	char bytes[SECRET_BYTES];
	struct buffer text;

	random_bytes(bytes, sizeof(bytes));
	buffer_init(&text, DEMO_TEXT_BYTES - 1);
	base64url_encode((struct view){ bytes, sizeof(bytes) }, &text);
	snprintf(out, DEMO_TEXT_BYTES, "%.*s", (int)text.len, text.data);
	buffer_clear(&text);
}

/* The embedded broker knows no CreateTopics, but makes a topic, of 4
 * partitions, when it is asked for one in this way; and a fetch it has begun
 * to answer waits to its end, whatever comes in meanwhile. */
static void
write_topics(const struct demo *demo, struct buffer *out)
{
	if (demo->kafka == NULL)
		buffer_print(out,
		    "  properties:\n"
		    "    allow.auto.create.topics: true\n"
		    "    fetch.wait.max.ms: 20\n"
		    "topics:\n"
		    "  prefix: %s\n"
		    "  create: false\n"
		    "  partitions: 4\n",
		    demo->prefix);
	else
		buffer_print(out,
		    "topics:\n"
		    "  prefix: %s\n"
		    "  create: true\n"
		    "  partitions: 4\n",
		    demo->prefix);
}

/* Short waits: the simulated vendor is quick, and somebody is looking on. */
static void
write_config(const struct demo *demo, struct buffer *out)
{
	buffer_print(out, "kafka:\n  bootstrap_servers: ");
	json_quote(
	    view_of(demo->kafka != NULL ? demo->kafka
					: kafka_broker_address(demo->broker)),
	    out);
	buffer_print(out, "\n");
	write_topics(demo, out);
	buffer_print(out,
	    "ingress:\n"
	    "  listen: 127.0.0.1:0\n"
	    "  admin: 127.0.0.1:0\n"
	    "enricher:\n"
	    "  admin: 127.0.0.1:0\n"
	    "  group_id: %s\n"
	    "  instance_id: demo\n"
	    "  retry_from: 200ms\n"
	    "  poll_to: 500ms\n"
	    "  session_timeout: 6s\n"
	    "sources:\n"
	    "  - name: " DEMO_SOURCE "\n"
	    "    vendor: taegis-vdr\n"
	    "    base_url: http://%s\n"
	    "    hook: {secret: \"%s\"}\n"
	    "    api: {token: \"%s\"}\n",
	    demo->prefix, demo_vendor_address(demo->vendor), demo->secret,
	    demo->token);
}

static enum status
write_file(const char *path, struct view text, struct error *err)
{
	/* It holds secrets. */
	const int fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t written;

	if (fd < 0)
		return error_set(
		    err, STATUS_UNAVAILABLE, "%s: %s", path, strerror(errno));
	written = write(fd, text.data, text.len);
	if (close(fd) != 0 || written != (ssize_t)text.len)
		return error_set(
		    err, STATUS_UNAVAILABLE, "%s: not written", path);
	return STATUS_OK;
}

static enum status
make_folder(struct demo *demo, struct error *err)
{
	const char *parent = getenv("TMPDIR");
	char path[DEMO_PATH_BYTES / 2];
	int length;

	if (parent == NULL || parent[0] == '\0')
		parent = "/tmp";
	length = snprintf(path, sizeof(path), "%s/vulnbus-demo-XXXXXX", parent);
	if (length < 0 || (size_t)length >= sizeof(path))
		return error_set(err, STATUS_UNAVAILABLE,
		    "the path of the temporary folder is too long");
	if (mkdtemp(path) == NULL)
		return error_set(
		    err, STATUS_UNAVAILABLE, "%s: %s", path, strerror(errno));
	snprintf(demo->folder, sizeof(demo->folder), "%s", path);
	snprintf(demo->config_path, sizeof(demo->config_path),
	    "%s/vulnbus.yaml", path);
	return STATUS_OK;
}

enum status
demo_place_open(struct demo *demo, struct error *err)
{
	struct buffer text;
	enum status status = make_folder(demo, err);

	if (status != STATUS_OK)
		return status;
	demo_place_secret(demo->secret);
	buffer_init(&text, CONFIG_BYTES_MAX);
	write_config(demo, &text);
	status = buffer_status(&text);
	if (status != STATUS_OK)
		error_set(
		    err, status, "configuration: %s", status_name(status));
	else
		status = write_file(demo->config_path, buffer_view(&text), err);
	buffer_clear(&text);
	if (status == STATUS_OK)
		status = config_load(demo->config_path, &demo->config, err);
	if (status == STATUS_OK)
		topics_init(&demo->topics, demo->config);
	return status;
}

void
demo_place_close(struct demo *demo)
{
	DIR *folder;
	const struct dirent *entry;

	config_free(demo->config);
	demo->config = NULL;
	if (demo->folder[0] == '\0')
		return;
	folder = opendir(demo->folder);
	/* Files only: nobody here makes a folder in it. */
	while (folder != NULL && (entry = readdir(folder)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder != NULL)
		closedir(folder);
	rmdir(demo->folder);
	demo->folder[0] = '\0';
}
