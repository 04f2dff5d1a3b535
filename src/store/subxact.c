/*
 * subxact.c: see subxact.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/resowner.h"

#include "store/subxact.h"

static ErrorData *
subxact_run(void (*fn) (void *arg), void *arg, bool keep)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		MemoryContextSwitchTo(context);
		fn(arg);
		if (keep)
			ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (error || !keep)
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

ErrorData *
subxact_try(void (*fn) (void *arg), void *arg)
{
	return subxact_run(fn, arg, true);
}

ErrorData *
subxact_try_and_undo(void (*fn) (void *arg), void *arg)
{
	return subxact_run(fn, arg, false);
}

bool
error_is_ours(int code)
{
	int			category = ERRCODE_TO_CATEGORY(code);

	return category == ERRCODE_INSUFFICIENT_RESOURCES || category == ERRCODE_OPERATOR_INTERVENTION ||
		category == ERRCODE_SYSTEM_ERROR;
}

bool
error_is_lock(int code)
{
	return code == ERRCODE_LOCK_NOT_AVAILABLE || code == ERRCODE_T_R_DEADLOCK_DETECTED;
}

bool
error_is_concurrency(int code)
{
	return error_is_lock(code) || code == ERRCODE_T_R_SERIALIZATION_FAILURE;
}
