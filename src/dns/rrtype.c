/*
 * rrtype.c: the table of record types.
 *
 * IANA's registry of DNS parameters, and PowerDNS's private types. `shown` marks those that PowerDNS 4.7 knows by name
 * (pdns/qtype.cc): only these are printed by name.
 */
#include "dns/rrtype.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct Mnemonic
{
	const char *name;
	uint16_t	type;
	bool		shown;
} Mnemonic;

/* Sorted by name, for the search in rrtype_from_text. */
static const Mnemonic mnemonics[] = {
	{"A", 1, true}, {"A6", 38, true}, {"AAAA", 28, true}, {"ADDR", RRTYPE_ADDR, true},
	{"AFSDB", 18, true}, {"ALIAS", RRTYPE_ALIAS, true}, {"AMTRELAY", 260, false}, {"ANY", 255, true},
	{"APL", 42, true}, {"ATMA", 34, false}, {"AVC", 258, false}, {"AXFR", 252, true},
	{"BRID", 68, false}, {"CAA", 257, true}, {"CDNSKEY", 60, true}, {"CDS", 59, true},
	{"CERT", 37, true}, {"CLA", 263, false}, {"CNAME", 5, true}, {"CSYNC", 62, true},
	{"DHCID", 49, true}, {"DLV", 32769, true}, {"DNAME", 39, true}, {"DNSKEY", 48, true},
	{"DOA", 259, false}, {"DS", 43, true}, {"DSYNC", 66, false}, {"EID", 31, false},
	{"EUI48", 108, true}, {"EUI64", 109, true}, {"GID", 102, false}, {"GPOS", 27, false},
	{"HHIT", 67, false}, {"HINFO", 13, true}, {"HIP", 55, false}, {"HTTPS", 65, true},
	{"IPN", 264, false}, {"IPSECKEY", 45, true}, {"ISDN", 20, false}, {"IXFR", 251, true},
	{"KEY", 25, true}, {"KX", 36, true}, {"L32", 105, true}, {"L64", 106, true},
	{"LOC", 29, true}, {"LP", 107, true}, {"LUA", RRTYPE_LUA, true}, {"MAILA", 254, true},
	{"MAILB", 253, true}, {"MB", 7, true}, {"MD", 3, false}, {"MF", 4, false},
	{"MG", 8, true}, {"MINFO", 14, true}, {"MR", 9, true}, {"MX", 15, true},
	{"NAPTR", 35, true}, {"NID", 104, true}, {"NIMLOC", 32, false}, {"NINFO", 56, false},
	{"NS", 2, true}, {"NSAP", 22, false}, {"NSAP-PTR", 23, false}, {"NSEC", 47, true},
	{"NSEC3", 50, true}, {"NSEC3PARAM", 51, true}, {"NULL", 10, false}, {"NXNAME", 128, false},
	{"NXT", 30, false}, {"OPENPGPKEY", 61, true}, {"OPT", 41, true}, {"PTR", 12, true},
	{"PX", 26, false}, {"RESINFO", 261, false}, {"RKEY", 57, true}, {"RP", 17, true},
	{"RRSIG", 46, true}, {"RT", 21, false}, {"SIG", 24, true}, {"SINK", 40, false},
	{"SMIMEA", 53, true}, {"SOA", 6, true}, {"SPF", 99, true}, {"SRV", 33, true},
	{"SSHFP", 44, true}, {"SVCB", 64, true}, {"TA", 32768, false}, {"TALINK", 58, false},
	{"TKEY", 249, true}, {"TLSA", 52, true}, {"TSIG", 250, true}, {"TXT", 16, true},
	{"UID", 101, false}, {"UINFO", 100, false}, {"UNSPEC", 103, false}, {"URI", 256, true},
	{"WALLET", 262, false}, {"WKS", 11, false}, {"X25", 19, false}, {"ZONEMD", 63, true},
};

#define MNEMONICS ((int) (sizeof(mnemonics) / sizeof(mnemonics[0])))

/* TYPEn, n in plain decimal. */
static bool
generic_from_text(const char *text, size_t len, uint16_t *type)
{
	uint32_t	value = 0;

	if (len < 5 || len > 9 || strncasecmp(text, "TYPE", 4) != 0)
		return false;
	for (size_t i = 4; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint32_t) (text[i] - '0');
	}
	*type = (uint16_t) value;
	return value <= UINT16_MAX;
}

bool
rrtype_from_text(const char *text, size_t len, uint16_t *type)
{
	int			low = 0;
	int			high = MNEMONICS;

	while (low < high)
	{
		int			middle = (low + high) / 2;
		const Mnemonic *m = &mnemonics[middle];
		int			order = strncasecmp(text, m->name, len);

		if (order == 0 && strlen(m->name) == len)
		{
			*type = m->type;
			return true;
		}
		/* Equal so far, but the mnemonic goes on: the text is the smaller one. */
		if (order <= 0)
			high = middle;
		else
			low = middle + 1;
	}
	return generic_from_text(text, len, type);
}

int
rrtype_to_text(uint16_t type, char *text)
{
	for (int i = 0; i < MNEMONICS; i++)
		if (mnemonics[i].type == type && mnemonics[i].shown)
			return snprintf(text, RRTYPE_TEXT_MAX, "%s", mnemonics[i].name);
	return snprintf(text, RRTYPE_TEXT_MAX, "TYPE%d", type);
}

/* RFC 6895 3.1: 0 is reserved, 128 to 255 are for queries and messages; so are OPT and PowerDNS's ADDR. */
bool
rrtype_is_meta(uint16_t type)
{
	return type == 0 || type == RRTYPE_OPT || (type >= 128 && type <= 255) || type == RRTYPE_ADDR;
}
