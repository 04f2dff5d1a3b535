/*
 * user_code.c: see user_code.h. A setting stands here if the meaning of an expression or of a statement depends on it; the search path is
 * that of schema.h.
 *
 * Whoever logs in as a role may ALTER ROLE it SET what he likes: so these are a client's too.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"

#include "compat.h"
#include "store/user_code.h"

static const struct
{
	const char *name;
	const char *value;
}			fixed[] = {
	{"TimeZone", "UTC"},
	{"timezone_abbreviations", "Default"},
	{"DateStyle", "ISO, MDY"},
	{"IntervalStyle", "postgres"},
	{"extra_float_digits", "1"},
	{"bytea_output", "hex"},
	{"lc_monetary", "C"},
	{"lc_numeric", "C"},
	{"lc_time", "C"},
	{"xmlbinary", "base64"},
	{"xmloption", "content"},
	{"array_nulls", "on"},
	{"backslash_quote", "safe_encoding"},
	{"standard_conforming_strings", "on"},
	{"transform_null_equals", "off"},
	{"quote_all_identifiers", "off"},
	{"default_text_search_config", "pg_catalog.simple"},
	{"gin_fuzzy_search_limit", "0"},
	{"row_security", "on"},
	{"check_function_bodies", "on"},
	{"default_tablespace", ""},
	{"temp_tablespaces", ""},
	{"default_table_access_method", "heap"},
	{"default_toast_compression", "pglz"},
};

static void
setting_fix(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
user_code_settings_fixed(void)
{
	for (int i = 0; i < (int) lengthof(fixed); i++)
	{
		const char *now = GetConfigOption(fixed[i].name, true, false);

		if (!now || strcmp(now, fixed[i].value) != 0)
			setting_fix(fixed[i].name, fixed[i].value);
	}
}

static void
setting_undo(const struct config_generic *setting)
{
	if (strchr(setting->name, '.') && strncmp(setting->name, "dnsrepl.", 8) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("setting \"%s\" may not be set in the session of a link", setting->name),
				 errdetail("Code of this database that runs in a merge could ask for it."),
				 errhint("Leave it out of the link's connection string, or RESET it for the link's role.")));
	for (int i = 0; i < (int) lengthof(fixed); i++)
		if (strcmp(setting->name, fixed[i].name) == 0)
			setting_fix(fixed[i].name, fixed[i].value);
}

void
user_code_settings_guarded(void)
{
	int			n;
	struct config_generic **all = compat_settings(&n);

	for (int i = 0; i < n; i++)
		if (all[i]->source >= PGC_S_USER && all[i]->source != PGC_S_OVERRIDE)
			setting_undo(all[i]);
	compat_settings_free(all);
}
