/*
 * attempt.c: see attempt.h.
 */
#include "postgres.h"

#include "store/attempt.h"
#include "store/subxact.h"

const char *
attempt(void (*fn) (void *arg), void *arg)
{
	ErrorData  *error = subxact_try(fn, arg);

	if (!error)
		return NULL;
	if (error_is_ours(error->sqlerrcode))
		ReThrowError(error);
	return error->message ? error->message : "unknown error";
}
