/*
 * input_error.h: how an input function reports bad text.
 *
 * ereturn is PostgreSQL 16's: the caller of an input function may want to be told of an error instead of having it
 * raised. Before 16 it is always raised.
 */
#ifndef TYPE_INPUT_ERROR_H
#define TYPE_INPUT_ERROR_H

#include "postgres.h"

#ifndef ereturn
#define ereturn(context, dummy_value, ...) ereport(ERROR, __VA_ARGS__)
#endif

#endif
