/*
 * rr.c: type rr: one complete record of class IN.
 *
 * Format. A varlena without padding, numbers in network order:
 *
 *		type (2)  TTL (4)  length of owner (2)  owner (stored form, dns/name.c)  rdata (canonical wire form)
 *
 * Text is one line of a zone file, all names absolute: www.example. 300 IN A 192.0.2.1; the class may be missing, and
 * TTL and class may change places. Binary is the record as in a DNS message, uncompressed. Comparison is in rr_op.c.
 */
#include "postgres.h"

#include "fmgr.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"

#include "dns/name.h"
#include "dns/rdata.h"
#include "dns/record.h"
#include "dns/rrtype.h"
#include "type/dnsname.h"
#include "type/input_error.h"
#include "type/rr.h"
#include "type/rrtype_type.h"

#define RR_HEAD_SIZE 8
#define TTL_MAX		 INT32_MAX	/* RFC 2181 8 */
#define CLASS_IN	 1

PG_FUNCTION_INFO_V1(rr_in);
PG_FUNCTION_INFO_V1(rr_out);
PG_FUNCTION_INFO_V1(rr_recv);
PG_FUNCTION_INFO_V1(rr_send);
PG_FUNCTION_INFO_V1(rr_owner);
PG_FUNCTION_INFO_V1(rr_ttl);
PG_FUNCTION_INFO_V1(rr_type);
PG_FUNCTION_INFO_V1(rr_rdata);
PG_FUNCTION_INFO_V1(rr_make);
PG_FUNCTION_INFO_V1(rr_from_record);

/* ---- format ---- */

static inline uint16
uint16_read(const uint8 *p)
{
	return (uint16) (p[0] << 8 | p[1]);
}

static inline void
uint16_write(uint8 *p, uint16 value)
{
	p[0] = (uint8) (value >> 8);
	p[1] = (uint8) value;
}

RrView
rr_view(const Rr *rr)
{
	const uint8 *p = (const uint8 *) VARDATA_ANY(rr);
	RrView		view;

	view.type = uint16_read(p);
	view.ttl = (uint32) uint16_read(p + 2) << 16 | uint16_read(p + 4);
	view.owner_len = uint16_read(p + 6);
	view.owner = p + RR_HEAD_SIZE;
	view.rdata = view.owner + view.owner_len;
	view.rdata_len = VARSIZE_ANY_EXHDR(rr) - RR_HEAD_SIZE - view.owner_len;
	return view;
}

Rr *
rr_build(const RrView *view)
{
	size_t		size = VARHDRSZ + RR_HEAD_SIZE + view->owner_len + view->rdata_len;
	Rr		   *rr = palloc(size);
	uint8	   *p = (uint8 *) VARDATA(rr);

	SET_VARSIZE(rr, size);
	uint16_write(p, view->type);
	uint16_write(p + 2, (uint16) (view->ttl >> 16));
	uint16_write(p + 4, (uint16) view->ttl);
	uint16_write(p + 6, (uint16) view->owner_len);
	memcpy(p + RR_HEAD_SIZE, view->owner, view->owner_len);
	memcpy(p + RR_HEAD_SIZE + view->owner_len, view->rdata, view->rdata_len);
	return rr;
}

/* ---- text ---- */

/* The next word of a line; a backslash takes the following character into it. False at the end. */
static bool
word_next(const char **line, const char **word, size_t *len)
{
	const char *p = *line;

	while (*p == ' ' || *p == '\t')
		p++;
	*word = p;
	while (*p != '\0' && *p != ' ' && *p != '\t')
		p += (*p == '\\' && p[1] != '\0') ? 2 : 1;
	*len = (size_t) (p - *word);
	*line = p;
	return *len > 0;
}

static bool
ttl_read(const char *word, size_t len, uint32 *ttl)
{
	uint64		value = 0;

	for (size_t i = 0; i < len; i++)
	{
		if (word[i] < '0' || word[i] > '9')
			return false;
		value = value * 10 + (uint64) (word[i] - '0');
		if (value > TTL_MAX)
			return false;
	}
	*ttl = (uint32) value;
	return true;
}

/*
 * A line taken apart; `stored` and the rdata module's memory hold the parts. NULL if it is a record, else a sentence
 * about what is wrong, in `reason`.
 */
static const char *
line_read(const char *line, RrView *view, uint8 *stored, char *reason)
{
	const char *word;
	size_t		len;
	int			owner_len;
	char		name_reason[NAME_REASON_MAX];
	bool		has_ttl = false;
	RdataError	err;
	int			rdata_len;

	if (!word_next(&line, &word, &len))
		return "It is empty.";
	owner_len = name_from_text(word, len, stored, name_reason);
	if (owner_len < 0)
	{
		snprintf(reason, RDATA_REASON_MAX, "The owner is not a domain name: %s", name_reason);
		return reason;
	}
	view->owner = stored;
	view->owner_len = (size_t) owner_len;

	for (;;)
	{
		if (!word_next(&line, &word, &len))
			return has_ttl ? "The type is missing." : "TTL and type are missing.";
		if (!has_ttl && word[0] >= '0' && word[0] <= '9')
		{
			if (!ttl_read(word, len, &view->ttl))
				return "The TTL is not a number from 0 to 2147483647 (RFC 2181 8).";
			has_ttl = true;
		}
		else if (len != 2 || pg_strncasecmp(word, "IN", 2) != 0)
			break;
	}
	if (!rrtype_from_text(word, len, &view->type))
	{
		snprintf(reason, RDATA_REASON_MAX, "\"%.*s\" is not a record type.", (int) Min(len, 64), word);
		return reason;
	}
	if (!has_ttl)
		return "The TTL is missing.";
	if (rrtype_is_meta(view->type))
		return "Records of this type do not exist, it is for queries only (RFC 6895 3.1).";

	rdata_len = rdata_from_text(view->type, line, strlen(line), &view->rdata, &err);
	if (rdata_len < 0)
	{
		snprintf(reason, RDATA_REASON_MAX, "%s", err.reason);
		return reason;
	}
	view->rdata_len = (size_t) rdata_len;
	return NULL;
}

Datum
rr_in(PG_FUNCTION_ARGS)
{
	char	   *line = PG_GETARG_CSTRING(0);
	RrView		view;
	uint8		stored[NAME_STORED_MAX];
	char		reason[RDATA_REASON_MAX];
	const char *wrong = line_read(line, &view, stored, reason);

	if (wrong != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid record \"%s\"", line),
				 errdetail("%s", wrong)));
	PG_RETURN_POINTER(rr_build(&view));
}

/* The rdata's text, to be used at once. */
static const char *
rdata_text(const RrView *view)
{
	const char *result = rdata_to_text(view->type, view->rdata, view->rdata_len);

	if (result == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	return result;
}

Datum
rr_out(PG_FUNCTION_ARGS)
{
	RrView		view = rr_view(PG_GETARG_RR(0));
	char		owner[NAME_TEXT_MAX];
	char		type[RRTYPE_TEXT_MAX];
	const char *rdata = rdata_text(&view);

	name_to_text(view.owner, view.owner_len, owner);
	rrtype_to_text(view.type, type);
	PG_RETURN_CSTRING(psprintf("%s%s %u IN %s%s%s", owner, view.owner_len > 0 ? "." : "", view.ttl, type,
							   *rdata == '\0' ? "" : " ", rdata));
}

/* ---- binary ---- */

static void
recv_refuse(const char *part, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid %s in binary record", part),
			 errdetail("%s", reason)));
}

/* The length of the uncompressed name at the beginning of a message; the message's length if it does not end. */
static int
name_wire_length(const char *wire, int len)
{
	int			at = 0;

	while (at < len && wire[at] != 0)
		at += 1 + (uint8) wire[at];
	return at < len ? at + 1 : len;
}

Datum
rr_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	RrView		view;
	uint8		stored[NAME_STORED_MAX];
	char		reason[NAME_REASON_MAX];
	RdataError	err;
	int			len = name_wire_length(buf->data + buf->cursor, buf->len - buf->cursor);

	len = name_from_wire((const uint8 *) pq_getmsgbytes(buf, len), (size_t) len, stored, reason);
	if (len < 0)
		recv_refuse("owner", reason);
	view.owner = stored;
	view.owner_len = (size_t) len;
	view.type = (uint16) pq_getmsgint(buf, 2);
	if (rrtype_is_meta(view.type))
		recv_refuse("type", "Records of this type do not exist.");
	if (pq_getmsgint(buf, 2) != CLASS_IN)
		recv_refuse("class", "It is not IN.");
	view.ttl = pq_getmsgint(buf, 4);
	if (view.ttl > TTL_MAX)
		recv_refuse("TTL", "It is larger than 2147483647 (RFC 2181 8).");
	len = (int) pq_getmsgint(buf, 2);
	len = rdata_from_wire(view.type, (const uint8 *) pq_getmsgbytes(buf, len), (size_t) len, &view.rdata,
						  &err);
	if (len < 0)
		recv_refuse("rdata", err.reason);
	view.rdata_len = (size_t) len;
	PG_RETURN_POINTER(rr_build(&view));
}

Datum
rr_send(PG_FUNCTION_ARGS)
{
	RrView		view = rr_view(PG_GETARG_RR(0));
	uint8		owner[NAME_STORED_MAX];
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbytes(&buf, (char *) owner, name_to_wire(view.owner, view.owner_len, owner));
	pq_sendint16(&buf, view.type);
	pq_sendint16(&buf, CLASS_IN);
	pq_sendint32(&buf, view.ttl);
	pq_sendint16(&buf, (uint16) view.rdata_len);
	pq_sendbytes(&buf, (const char *) view.rdata, (int) view.rdata_len);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* ---- parts ---- */

Datum
rr_owner(PG_FUNCTION_ARGS)
{
	RrView		view = rr_view(PG_GETARG_RR(0));

	PG_RETURN_DNSNAME(dnsname_make(view.owner, view.owner_len));
}

Datum
rr_ttl(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(rr_view(PG_GETARG_RR(0)).ttl);
}

Datum
rr_type(PG_FUNCTION_ARGS)
{
	PG_RETURN_RRTYPE(rr_view(PG_GETARG_RR(0)).type);
}

Datum
rr_rdata(PG_FUNCTION_ARGS)
{
	RrView		view = rr_view(PG_GETARG_RR(0));

	PG_RETURN_TEXT_P(cstring_to_text(rdata_text(&view)));
}

static Datum
parts_build(Dnsname *owner, int32 ttl, uint16 type, const uint8 *rdata, int rdata_len)
{
	RrView		view;

	view.owner = dnsname_octets(owner);
	view.owner_len = dnsname_length(owner);
	view.ttl = (uint32) ttl;
	view.type = type;
	view.rdata = rdata;
	view.rdata_len = (size_t) rdata_len;
	return PointerGetDatum(rr_build(&view));
}

static void
ttl_check(int32 ttl)
{
	if (ttl < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid TTL %d", ttl),
				 errdetail("A TTL is a number from 0 to 2147483647 (RFC 2181 8).")));
}

/* Priority and content are already one, as in a zone file: rr(owner, ttl, type, rdata). */
Datum
rr_make(PG_FUNCTION_ARGS)
{
	Dnsname    *owner = PG_GETARG_DNSNAME(0);
	int32		ttl = PG_GETARG_INT32(1);
	uint16		type = PG_GETARG_RRTYPE(2);
	text	   *source = PG_GETARG_TEXT_PP(3);
	const uint8 *rdata = NULL;
	RdataError	err;
	int			len = -1;

	ttl_check(ttl);
	if (rrtype_is_meta(type))
		rdata_error(&err, 0, "Records of this type do not exist, it is for queries only (RFC 6895 3.1).");
	else
		len = rdata_from_text(type, VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), &rdata, &err);
	if (len < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid rdata \"%s\"", text_to_cstring(source)),
				 errdetail("%s", err.reason)));
	return parts_build(owner, ttl, type, rdata, len);
}

/* A row of PowerDNS's table records: rr(name, type, ttl, prio, content). */
Datum
rr_from_record(PG_FUNCTION_ARGS)
{
	Dnsname    *name;
	text	   *content;
	const uint8 *rdata;
	RecordError err;
	int			len;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(4))
		PG_RETURN_NULL();
	name = PG_GETARG_DNSNAME(0);
	content = PG_GETARG_TEXT_PP(4);
	ttl_check(PG_GETARG_INT32(2));
	len = record_rdata(PG_GETARG_RRTYPE(1), PG_ARGISNULL(3), PG_ARGISNULL(3) ? 0 : PG_GETARG_INT32(3),
					   VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content), &rdata, &err);
	if (len < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid %s of a record", record_part_name(err.part)),
				 errdetail("%s", err.reason)));
	return parts_build(name, PG_GETARG_INT32(2), PG_GETARG_RRTYPE(1), rdata, len);
}
