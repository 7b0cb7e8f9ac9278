/* SPDX-License-Identifier: Apache-2.0
 *
 * ThreadSanitizer sees threads made by pthread_create, not those of C11's
 * thrd_create, which librdkafka uses; one it has not seen crashes it. So in
 * that build C11's threads are POSIX threads by name. */
#include <errno.h>
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

/* Nor does it see C11's locks, without which all that librdkafka hands from
 * one thread to another looks like a race. glibc's are POSIX ones inside. */
_Static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t), "a mutex fits");
_Static_assert(sizeof(cnd_t) >= sizeof(pthread_cond_t), "a condition fits");

static int
result_of(int failed)
{
	if (failed == ETIMEDOUT)
		return thrd_timedout;
	return failed == 0 ? thrd_success : thrd_error;
}

int
mtx_init(mtx_t *mutex, int type)
{
	pthread_mutexattr_t attributes;
	int failed;

	pthread_mutexattr_init(&attributes);
	if ((type & mtx_recursive) != 0)
		pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
	failed = pthread_mutex_init((void *)mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return result_of(failed);
}

void
mtx_destroy(mtx_t *mutex)
{
	pthread_mutex_destroy((void *)mutex);
}

int
mtx_lock(mtx_t *mutex)
{
	return result_of(pthread_mutex_lock((void *)mutex));
}

int
mtx_unlock(mtx_t *mutex)
{
	return result_of(pthread_mutex_unlock((void *)mutex));
}

int
cnd_init(cnd_t *condition)
{
	return result_of(pthread_cond_init((void *)condition, NULL));
}

void
cnd_destroy(cnd_t *condition)
{
	pthread_cond_destroy((void *)condition);
}

int
cnd_signal(cnd_t *condition)
{
	return result_of(pthread_cond_signal((void *)condition));
}

int
cnd_broadcast(cnd_t *condition)
{
	return result_of(pthread_cond_broadcast((void *)condition));
}

int
cnd_wait(cnd_t *condition, mtx_t *mutex)
{
	return result_of(pthread_cond_wait((void *)condition, (void *)mutex));
}

int
cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until)
{
	return result_of(
	    pthread_cond_timedwait((void *)condition, (void *)mutex, until));
}
