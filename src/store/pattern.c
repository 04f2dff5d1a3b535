/*
 * pattern.c: see pattern.h.
 */
#include "postgres.h"

#include "store/pattern.h"

Pattern *
pattern_read(const char *text)
{
	Pattern    *p = palloc0(sizeof(Pattern));
	const char *at = text;
	char		reason[NAME_REASON_MAX] = "";
	int			len;

	if (*at == '!')
	{
		p->except = true;
		at++;
	}
	if (strcmp(at, "*") == 0)
	{
		p->below = true;
		at = ".";
	}
	else if (strncmp(at, "*.", 2) == 0)
	{
		p->below = true;
		at += at[2] ? 2 : 1;
	}
	len = name_from_text(at, strlen(at), p->name, reason);
	if (len < 0 || !*at)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a pattern of names", text),
				 *reason ? errdetail_internal("%s", reason) : 0,
				 errhint("Write example.org for that name, *.example.org for all below it, * for all; with ! before it for what is left out.")));
	p->len = (size_t) len;
	return p;
}

bool
pattern_matches(const Pattern *p, const uint8 *name, size_t len)
{
	/* "*" has no name of its own: the root is meant too */
	if (!p->below)
		return len == p->len && memcmp(name, p->name, len) == 0;
	return name_below(name, len, p->name, p->len) && (len != p->len || name_labels(p->name, p->len) == 0);
}

bool
patterns_match(const List *patterns, const uint8 *name, size_t len)
{
	bool		meant = false;
	ListCell   *lc;

	foreach(lc, patterns)
	{
		const Pattern *p = lfirst(lc);

		if (!pattern_matches(p, name, len))
			continue;
		if (p->except)
			return false;
		meant = true;
	}
	return meant;
}
