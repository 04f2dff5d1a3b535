/*
 * zone_file_rows.c: dnsrepl.zone_file(): a zone file (dns/zone_file.c) as rows of PowerDNS's table records.
 *
 * All that is wrong with the file is told at once. What a signer makes is left out: PowerDNS signs itself.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "dns/record.h"
#include "dns/rrtype.h"
#include "dns/zone_file.h"
#include "store/result_set.h"
#include "type/dnsname.h"

PG_FUNCTION_INFO_V1(dnsrepl_zone_file);

#define MAX_TOLD 20				/* lines that are told of */

typedef struct FileErrors
{
	StringInfoData told;
	int			n;
} FileErrors;

static void
file_error(FileErrors *e, int line, const char *reason)
{
	if (e->n++ < MAX_TOLD)
		appendStringInfo(&e->told, "%sline %d: %s", e->told.len ? "\n" : "", line, reason);
}

static void
errors_raise(const FileErrors *e)
{
	if (e->n == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg_plural("%d line of the zone file cannot be taken", "%d lines of the zone file cannot be taken",
						   (unsigned long) e->n, e->n),
			 errdetail("%s%s", e->told.data, e->n > MAX_TOLD ? "\nand more" : "")));
}

static bool
by_signer(uint16 type)
{
	return type == RRTYPE_RRSIG || type == RRTYPE_NSEC || type == RRTYPE_NSEC3 || type == RRTYPE_NSEC3PARAM;
}

/* zone_file(content text, zone dnsname, OUT line int, OUT name dnsname, OUT type rrtype, OUT ttl int, OUT prio int, OUT content text) */
Datum
dnsrepl_zone_file(PG_FUNCTION_ARGS)
{
	text	   *given = PG_GETARG_TEXT_PP(0);
	Dnsname    *zone = PG_GETARG_DNSNAME(1);
	TupleDesc	desc;
	Tuplestorestate *out = result_set_begin(fcinfo, &desc);
	FileErrors	errors = {{0}};
	ZoneFile   *file = palloc(sizeof(ZoneFile));
	ZoneFileRecord r;
	int			left_out = 0,
				found;

	initStringInfo(&errors.told);
	zone_file_init(file, VARDATA_ANY(given), VARSIZE_ANY_EXHDR(given), dnsname_octets(zone), dnsname_length(zone));
	while ((found = zone_file_next(file, &r)) != 0)
	{
		RecordError why;
		const char *content;
		int32		prio;
		int			len;
		Datum		values[6];
		bool		nulls[6] = {false};

		CHECK_FOR_INTERRUPTS();
		if (found > 0 && by_signer(r.type))
		{
			left_out++;
			continue;
		}
		if (found < 0)
			file_error(&errors, r.line, r.reason);
		else if (!name_below(r.owner, (size_t) r.owner_len, dnsname_octets(zone), dnsname_length(zone)))
			file_error(&errors, r.line, "The owner is not in the zone.");
		else if ((len = record_content(r.type, r.rdata, (size_t) r.rdata_len, &prio, &content, &why)) < 0)
			file_error(&errors, r.line, why.reason);
		else
		{
			values[0] = Int32GetDatum(r.line);
			values[1] = PointerGetDatum(dnsname_make(r.owner, (size_t) r.owner_len));
			values[2] = Int16GetDatum((int16) r.type);
			values[3] = Int32GetDatum((int32) r.ttl);
			values[4] = Int32GetDatum(prio);
			values[5] = PointerGetDatum(cstring_to_text_with_len(content, len));
			tuplestore_putvalues(out, desc, values, nulls);
			pfree(DatumGetPointer(values[1]));
			pfree(DatumGetPointer(values[5]));
		}
	}
	errors_raise(&errors);
	if (left_out > 0)
		ereport(NOTICE,
				(errmsg_plural("%d record of the zone file was left out", "%d records of the zone file were left out",
							   (unsigned long) left_out, left_out),
				 errdetail("RRSIG, NSEC, NSEC3 and NSEC3PARAM records are made by whoever signs the zone.")));
	return (Datum) 0;
}
