/*
 * dnsname.c: type dnsname: text and binary input and output, conversion, and what one asks of a single name.
 *
 * Binary is uncompressed DNS wire form. Comparison is in dnsname_op.c, everything with text in dnsname_text.c.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/inet.h"

#include "dns/name.h"
#include "type/dnsname.h"
#include "type/input_error.h"

#define ADDRESS_NAME_MAX 80		/* text of the longest name of an address: 32 nibbles and ip6.arpa */

PG_FUNCTION_INFO_V1(dnsname_in);
PG_FUNCTION_INFO_V1(dnsname_out);
PG_FUNCTION_INFO_V1(dnsname_recv);
PG_FUNCTION_INFO_V1(dnsname_send);
PG_FUNCTION_INFO_V1(dnsname_from_text);
PG_FUNCTION_INFO_V1(dnsname_parent);
PG_FUNCTION_INFO_V1(dnsname_labels);
PG_FUNCTION_INFO_V1(dnsname_is_wildcard);
PG_FUNCTION_INFO_V1(dnsname_reverse_inet);
PG_FUNCTION_INFO_V1(dnsname_reverse_cidr);

Dnsname *
dnsname_make(const uint8 *stored, size_t len)
{
	Dnsname    *name = palloc(VARHDRSZ + len);

	SET_VARSIZE(name, VARHDRSZ + len);
	memcpy(VARDATA(name), stored, len);
	return name;
}

char *
dnsname_cstring(const Dnsname *name)
{
	char		text[NAME_TEXT_MAX];
	int			len = name_to_text(dnsname_octets(name), dnsname_length(name), text);

	return pnstrdup(text, (Size) len);
}

Datum
dnsname_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	uint8		stored[NAME_STORED_MAX];
	char		reason[NAME_REASON_MAX];
	int			len = name_from_text(text, strlen(text), stored, reason);

	if (len < 0)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid domain name \"%s\"", text),
				 errdetail("%s", reason)));
	PG_RETURN_DNSNAME(dnsname_make(stored, (size_t) len));
}

Datum
dnsname_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(dnsname_cstring(PG_GETARG_DNSNAME(0)));
}

Datum
dnsname_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			wire_len = buf->len - buf->cursor;
	uint8		stored[NAME_STORED_MAX];
	char		reason[NAME_REASON_MAX];
	int			len;

	len = name_from_wire((const uint8 *) pq_getmsgbytes(buf, wire_len), (size_t) wire_len, stored,
						 reason);
	if (len < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid domain name in wire form"),
				 errdetail("%s", reason)));
	PG_RETURN_DNSNAME(dnsname_make(stored, (size_t) len));
}

Datum
dnsname_send(PG_FUNCTION_ARGS)
{
	Dnsname    *name = PG_GETARG_DNSNAME(0);
	uint8		wire[NAME_STORED_MAX];
	int			len = name_to_wire(dnsname_octets(name), dnsname_length(name), wire);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbytes(&buf, (char *) wire, len);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

Datum
dnsname_from_text(PG_FUNCTION_ARGS)
{
	text	   *source = PG_GETARG_TEXT_PP(0);
	uint8		stored[NAME_STORED_MAX];
	char		reason[NAME_REASON_MAX];
	int			len = name_from_text(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), stored, reason);

	if (len < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid domain name \"%s\"", text_to_cstring(source)),
				 errdetail("%s", reason)));
	PG_RETURN_DNSNAME(dnsname_make(stored, (size_t) len));
}

/* The root has no parent: null. */
Datum
dnsname_parent(PG_FUNCTION_ARGS)
{
	Dnsname    *name = PG_GETARG_DNSNAME(0);
	size_t		len = dnsname_length(name);

	if (len == 0)
		PG_RETURN_NULL();
	PG_RETURN_DNSNAME(dnsname_make(dnsname_octets(name), name_parent(dnsname_octets(name), len)));
}

Datum
dnsname_labels(PG_FUNCTION_ARGS)
{
	Dnsname    *name = PG_GETARG_DNSNAME(0);

	PG_RETURN_INT32(name_labels(dnsname_octets(name), dnsname_length(name)));
}

Datum
dnsname_is_wildcard(PG_FUNCTION_ARGS)
{
	Dnsname    *name = PG_GETARG_DNSNAME(0);

	PG_RETURN_BOOL(name_is_wildcard(dnsname_octets(name), dnsname_length(name)));
}

/* The name under in-addr.arpa (RFC 1035 3.5) or ip6.arpa (RFC 3596 2.5) of the first `units` octets or nibbles. */
static Dnsname *
address_name(const inet *address, int units)
{
	char		text[ADDRESS_NAME_MAX];
	size_t		used = 0;
	uint8		stored[NAME_STORED_MAX];
	const unsigned char *octets = ip_addr(address);
	bool		v4 = ip_family(address) == PGSQL_AF_INET;
	int			len;

	for (int i = units - 1; i >= 0; i--)
	{
		int			unit = v4 ? octets[i] : (i % 2 == 0 ? octets[i / 2] >> 4 : octets[i / 2] & 15);

		used += (size_t) snprintf(text + used, sizeof(text) - used, v4 ? "%d." : "%x.", unit);
	}
	used += (size_t) snprintf(text + used, sizeof(text) - used, v4 ? "in-addr.arpa" : "ip6.arpa");
	len = name_from_text(text, used, stored, NULL);
	return dnsname_make(stored, (size_t) len);
}

/* The name of one address; a netmask says nothing here. */
Datum
dnsname_reverse_inet(PG_FUNCTION_ARGS)
{
	inet	   *address = PG_GETARG_INET_PP(0);

	PG_RETURN_DNSNAME(address_name(address, ip_family(address) == PGSQL_AF_INET ? 4 : 32));
}

/* The name of a network, which has one only if it ends between two labels. */
Datum
dnsname_reverse_cidr(PG_FUNCTION_ARGS)
{
	inet	   *network = PG_GETARG_INET_PP(0);
	int			unit_bits = ip_family(network) == PGSQL_AF_INET ? 8 : 4;

	if (ip_bits(network) % unit_bits != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a network of %d bits has no reverse name of its own", ip_bits(network)),
				 errdetail("Reverse names divide addresses every %d bits.", unit_bits),
				 errhint("See RFC 2317 for delegating parts of an IPv4 /24.")));
	PG_RETURN_DNSNAME(address_name(network, ip_bits(network) / unit_bits));
}
