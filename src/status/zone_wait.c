/*
 * zone_wait.c: for whom a zone waits: zone_holder(), zone_author(), for dnsrepl.problem.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "store/stripe.h"
#include "store/version.h"

PG_FUNCTION_INFO_V1(dnsrepl_zone_holder);
PG_FUNCTION_INFO_V1(dnsrepl_zone_author);

/* (zone dnsname, tab int2): one of them is not null. */
static bool
zone_argument_is(FunctionCallInfo fcinfo, ZoneRef *z)
{
	struct varlena *name;

	memset(z, 0, sizeof(*z));
	if (PG_ARGISNULL(0) == PG_ARGISNULL(1))
		return false;
	if (PG_ARGISNULL(0))
	{
		z->table = PG_GETARG_INT16(1);
		return true;
	}
	name = PG_GETARG_VARLENA_PP(0);
	z->name = (uint8 *) VARDATA_ANY(name);
	z->name_len = VARSIZE_ANY_EXHDR(name);
	return true;
}

/* zone_holder(zone dnsname, tab int2) returns text */
Datum
dnsrepl_zone_holder(PG_FUNCTION_ARGS)
{
	ZoneRef		z;
	char	   *holder = zone_argument_is(fcinfo, &z) ? zone_holder(&z) : NULL;

	if (holder)
		PG_RETURN_TEXT_P(cstring_to_text(holder));
	PG_RETURN_NULL();
}

/* zone_author(zone dnsname, tab int2) returns int */
Datum
dnsrepl_zone_author(PG_FUNCTION_ARGS)
{
	ZoneRef		z;
	int			pid = zone_argument_is(fcinfo, &z) ? zone_author(&z) : 0;

	if (pid)
		PG_RETURN_INT32(pid);
	PG_RETURN_NULL();
}
