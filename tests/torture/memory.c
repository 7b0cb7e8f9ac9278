/* SPDX-License-Identifier: Apache-2.0
 *
 * Defined in the program itself, these functions come before AddressSanitizer's
 * for every library of the process, and hand over to them. */
#include "memory.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "torture.h"
#include "vulnbus/crypto.h"

#define CALLS_MAX           (1 << 16) /* of a case; what comes later never fails */
#define AT_A_PLACE_MAX      4
#define RANGES_MAX          16
#define FRAMES_MAX          48
#define PATIENCE_FAILING_MS 1000

void *
__interceptor_malloc(size_t size);
void *
__interceptor_calloc(size_t count, size_t size);
void *
__interceptor_realloc(void *old, size_t size);
char *
__interceptor_strdup(const char *text);
char *
__interceptor_strndup(const char *text, size_t len);
void
__lsan_ignore_object(const void *memory);
void
__sanitizer_print_stack_trace(void);

/* What ends the process by design when memory is out, or is not on trial. */
static const char *const spared[] = {
	"/librdkafka.", /* rd_malloc() and its like abort */
	"/libcmocka.",
	"/libsasl2.", /* its beginning does not survive it */
	"/libgcc_s.",
	"/libasan.",
	"/libubsan.",
	"/ld-linux",
};

struct ranges {
	struct {
		uintptr_t begin, end;
	} items[RANGES_MAX];
	size_t count;
};

static struct ranges program, loader, others, functions;

static atomic_bool is_counting;
static atomic_ulong call_count;
static unsigned long fails_at; /* from 1; 0: none does */
static bool does_tell;
static _Thread_local bool is_within; /* in here already */

/* Of the run in which none fails, shared with the child: where in the program
 * each allocation is made, by whatever library; 0: not to fail. */
static struct {
	atomic_ulong count;
	uint64_t places[CALLS_MAX];
} * made;

static bool
is_in(const struct ranges *ranges, const void *code)
{
	const uintptr_t at = (uintptr_t)code;

	for (size_t i = 0; i < ranges->count; i++)
		if (at >= ranges->items[i].begin && at < ranges->items[i].end)
			return true;
	return false;
}

static uint64_t
place_of_call(void)
{
	void *frames[FRAMES_MAX];
	const int depth = backtrace(frames, FRAMES_MAX);
	uint64_t hash = 14695981039346656037u;

	for (int i = 0; i < depth; i++) {
		if (is_in(&functions, frames[i]))
			return 0;
		if (is_in(&program, frames[i]))
			hash = (hash ^ (uintptr_t)frames[i]) * 1099511628211u;
	}
	return hash | 1;
}

/* True when this allocation is the one. */
static bool
does_fail(const void *caller)
{
	unsigned long number;
	bool fails;

	if (!atomic_load(&is_counting) || is_within || is_in(&others, caller) ||
	    is_in(&loader, caller))
		return false;
	number = atomic_fetch_add(&call_count, 1) + 1;
	is_within = true;
	if (fails_at == 0 && number <= CALLS_MAX) {
		made->places[number - 1] = place_of_call();
		atomic_fetch_add(&made->count, 1);
	}
	fails = number == fails_at && place_of_call() != 0;
	if (fails && does_tell) {
		fprintf(stderr, "allocation %lu fails:\n", number);
		__sanitizer_print_stack_trace();
	}
	is_within = false;
	return fails;
}

/* LeakSanitizer knows the loader's memory by its caller, which is hidden. */
static void *
passed_on(void *memory, const void *caller)
{
	if (memory != NULL && (is_within || is_in(&loader, caller)))
		__lsan_ignore_object(memory);
	return memory;
}

#define CALLER __builtin_return_address(0)

void *
malloc(size_t size)
{
	return does_fail(CALLER)
		   ? NULL
		   : passed_on(__interceptor_malloc(size), CALLER);
}

void *
calloc(size_t count, size_t size)
{
	return does_fail(CALLER)
		   ? NULL
		   : passed_on(__interceptor_calloc(count, size), CALLER);
}

void *
realloc(void *old, size_t size)
{
	return does_fail(CALLER) ? NULL : __interceptor_realloc(old, size);
}

char *
strdup(const char *text)
{
	return does_fail(CALLER) ? NULL : __interceptor_strdup(text);
}

char *
strndup(const char *text, size_t len)
{
	return does_fail(CALLER) ? NULL : __interceptor_strndup(text, len);
}

void
torture_begin(void)
{
	atomic_store(&is_counting, true);
}

void
torture_end(void)
{
	atomic_store(&is_counting, false);
}

int64_t
torture_patience_ms(int64_t usual)
{
	return fails_at == 0 || usual < PATIENCE_FAILING_MS
		   ? usual
		   : PATIENCE_FAILING_MS;
}

static void
add_code(struct ranges *ranges, const struct dl_phdr_info *info)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = info->dlpi_phdr + i;

		if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0 ||
		    ranges->count == RANGES_MAX)
			continue;
		ranges->items[ranges->count].begin = info->dlpi_addr +
						     part->p_vaddr;
		ranges->items[ranges->count++].end = info->dlpi_addr +
						     part->p_vaddr +
						     part->p_memsz;
	}
}

int
CRYPTO_secure_malloc_init(size_t size, size_t least);

/* In place of OpenSSL's: without a heap of their own secrets are in ordinary
 * memory, which can fail and leak. */
int
CRYPTO_secure_malloc_init(size_t size, size_t least)
{
	(void)size;
	(void)least;
	return 0;
}

/* OpenSSL does not survive that its own beginning fails, which is at the start
 * of a program, and keeps the digests and curves it has looked up. */
static void
begin_libraries(void)
{
	unsigned char bytes[SHA256_BYTES];
	struct es512_key *key = NULL;
	struct error err;

	random_bytes(bytes, sizeof(bytes));
	sha256_of(VIEW(""), bytes);
	if (es512_key_generate(&key, &err) != STATUS_OK) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	es512_key_free(key);
}

/* Functions under which nothing fails. */
static const char *const spared_functions[] = {
	/* OpenSSL loses what it was making. */
	"OSSL_ENCODER_do_all_provided",
	/* glibc's setenv loses the setting when its tree of them cannot grow.
	 */
	"tsearch",
	/* AddressSanitizer asks it about each thread, and needs an answer. */
	"pthread_getattr_np",
};

static void
note_functions(void)
{
	void *const libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);

	for (size_t i = 0;
	     i < sizeof(spared_functions) / sizeof(*spared_functions); i++) {
		/* AddressSanitizer has functions of the same names. */
		void *function = dlsym(libc, spared_functions[i]);
		const ElfW(Sym) *symbol = NULL;
		Dl_info info;

		if (function == NULL)
			function = dlsym(RTLD_DEFAULT, spared_functions[i]);
		if (function == NULL ||
		    dladdr1(function, &info, (void **)&symbol,
			RTLD_DL_SYMENT) == 0 ||
		    symbol == NULL)
			continue;
		functions.items[functions.count].begin = (uintptr_t)function;
		functions.items[functions.count++].end = (uintptr_t)function +
							 symbol->st_size;
	}
}

static int
note_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	if (info->dlpi_name[0] == '\0' && program.count == 0)
		add_code(&program, info);
	else if (strstr(info->dlpi_name, "/ld-linux") != NULL)
		add_code(&loader, info);
	for (size_t i = 0; i < sizeof(spared) / sizeof(*spared); i++)
		if (strstr(info->dlpi_name, spared[i]) != NULL)
			add_code(&others, info);
	return 0;
}

void
memory_prepare(void)
{
	void *frame;

	made = mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (made == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	begin_libraries();
	(void)dl_iterate_phdr(note_module, NULL);
	note_functions();
	is_within = true;
	(void)backtrace(&frame, 1); /* loads what it needs */
	is_within = false;
}

void
memory_fail(unsigned long number, bool tells)
{
	fails_at = number;
	does_tell = tells;
	if (number == 0)
		atomic_store(&made->count, 0);
}

unsigned long
memory_made(void)
{
	return atomic_load(&made->count);
}

/* Of those that are made at one place the first few: a loop, or a library,
 * would do the same over and over. */
bool
memory_is_worth_it(unsigned long number)
{
	static struct {
		uint64_t place;
		unsigned count;
	} seen[CALLS_MAX * 2];
	const uint64_t place = made->places[number - 1];
	size_t at = place % (CALLS_MAX * 2);

	if (place == 0)
		return false;
	if (number == 1)
		memset(seen, 0, sizeof(seen));
	while (seen[at].count > 0 && seen[at].place != place)
		at = (at + 1) % (CALLS_MAX * 2);
	seen[at].place = place;
	return ++seen[at].count <= AT_A_PLACE_MAX;
}
