/*
 * record_check.c: SQL's way to ask whether a row of PowerDNS's table records is a record: for adopting tables.
 *
 * Takes plain text, so that it can be asked about any old table, and never raises.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "dns/name.h"
#include "dns/record.h"
#include "dns/rrtype.h"

PG_FUNCTION_INFO_V1(record_error);

#define VALUE_SHOWN 100			/* octets of a wrong value that are quoted */

static Datum
wrong(RecordPart part, const char *value, const char *reason)
{
	int			len = value == NULL ? 0 : (int) strlen(value);
	int			shown = value == NULL ? 0 : pg_mbcliplen(value, len, VALUE_SHOWN);
	char	   *sentence;

	if (value == NULL)
		sentence = psprintf("%s: %s", record_part_name(part), reason);
	else
		sentence = psprintf("%s \"%.*s%s\": %s", record_part_name(part), shown, value,
							shown < len ? "..." : "", reason);
	return PointerGetDatum(cstring_to_text(sentence));
}

/*
 * record_error(name, type, ttl, prio, content): null if all is well. A null type is an empty non-terminal of
 * PowerDNS: only its name counts. A null TTL is PowerDNS's default.
 */
Datum
record_error(PG_FUNCTION_ARGS)
{
	text	   *name;
	text	   *type_text;
	text	   *content;
	uint16		type;
	uint8		stored[NAME_STORED_MAX];
	char		reason[NAME_REASON_MAX];
	RecordError err;

	if (PG_ARGISNULL(0))
		return wrong(RECORD_NAME, NULL, "It is missing.");
	name = PG_GETARG_TEXT_PP(0);
	if (name_from_text(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), stored, reason) < 0)
		return wrong(RECORD_NAME, text_to_cstring(name), reason);
	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	type_text = PG_GETARG_TEXT_PP(1);
	if (!rrtype_from_text(VARDATA_ANY(type_text), VARSIZE_ANY_EXHDR(type_text), &type))
		return wrong(RECORD_TYPE, text_to_cstring(type_text),
					 "It is neither the name of a record type nor TYPE with a number up to 65535 (RFC 3597).");
	if (!PG_ARGISNULL(2) && PG_GETARG_INT32(2) < 0)
		return wrong(RECORD_TTL, psprintf("%d", PG_GETARG_INT32(2)),
					 "It is not a number from 0 to 2147483647 (RFC 2181 8).");
	if (PG_ARGISNULL(4))
		return wrong(RECORD_CONTENT, NULL, "It is missing.");
	content = PG_GETARG_TEXT_PP(4);
	if (record_check(type, PG_ARGISNULL(3), PG_ARGISNULL(3) ? 0 : PG_GETARG_INT32(3),
					 VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content), &err))
		PG_RETURN_NULL();
	return wrong(err.part, err.part == RECORD_CONTENT ? text_to_cstring(content) : NULL, err.reason);
}
