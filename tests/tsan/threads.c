/* SPDX-License-Identifier: Apache-2.0
 *
 * ThreadSanitizer sees threads made by pthread_create, not those of C11's
 * thrd_create, which librdkafka uses; one it has not seen crashes it. So in
 * that build C11's threads are POSIX threads by name. */
#include <pthread.h>
#include <stdint.h>
#include <threads.h>

int
thrd_create(thrd_t *thread, thrd_start_t start, void *arg)
{
	/* An int is returned where a pointer is expected: nobody reads it. */
	void *(*run)(void *) = (void *(*)(void *))(uintptr_t)start;

	return pthread_create(thread, NULL, run, arg) == 0 ? thrd_success
							   : thrd_error;
}

int
thrd_join(thrd_t thread, int *result)
{
	if (result != NULL)
		*result = 0;
	return pthread_join(thread, NULL) == 0 ? thrd_success : thrd_error;
}
