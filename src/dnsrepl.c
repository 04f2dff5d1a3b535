/*
 * dnsrepl.c: the module: settings, shared memory, launcher.
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/guc.h"

#include "compat.h"
#include "dnsrepl.h"
#include "ship/launcher.h"
#include "ship/link_state.h"
#include "store/clock.h"
#include "store/own.h"
#include "store/rejection.h"
#include "write/capture.h"
#include "write/delete_turn.h"

PG_MODULE_MAGIC;

char	   *setting_databases = NULL;
int			setting_chunk_size = AT_ONCE(1024, 1);
int			setting_staging_limit = 4096;
int			setting_connect_timeout = 10000;
int			setting_keepalive = 10000;
int			setting_max_clock_skew = 60000;
int			setting_tombstone_retention = 30 * 86400;
int			setting_conflict_retention = 90 * 86400;
int			setting_evict_after = 90 * 86400;
int			setting_check_interval = 30000;
bool		setting_allow_plaintext_secrets = false;
bool		setting_greeted = false;
int			setting_clock_offset = 0;

void		_PG_init(void);

#ifdef HAVE_SHMEM_REQUEST_HOOK
static shmem_request_hook_type next_shmem_request = NULL;
#endif
static shmem_startup_hook_type next_shmem_startup = NULL;

static void
settings_define(void)
{
	DefineCustomStringVariable("dnsrepl.databases",
							   "Databases of this server that replicate.",
							   "A list, separated by commas. Each is a node once dnsrepl.setup() has run in it.",
							   &setting_databases, "", PGC_SIGHUP, GUC_LIST_INPUT, NULL, NULL, NULL);
	DefineCustomIntVariable("dnsrepl.chunk_size",
							"Largest message to a peer; more is sent in several and merged as one.", NULL,
							&setting_chunk_size, AT_ONCE(1024, 1), 1, MAX_CHUNK_SETTING, PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("dnsrepl.staging_limit",
							"Largest size on disk of messages from peers that wait to be merged.",
							"Of a node of another cluster, whose data wait for dnsrepl.join_preview(), a sixteenth of it is kept.",
							&setting_staging_limit, 4096, 16, INT_MAX / 2, PGC_SIGHUP, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomIntVariable("dnsrepl.connect_timeout",
							"How long a link tries to connect to its peer.", NULL,
							&setting_connect_timeout, 10000, 100, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("dnsrepl.keepalive",
							"A link that is silent for this long asks whether its peer is there.", NULL,
							&setting_keepalive, 10000, 100, INT_MAX / 4, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("dnsrepl.max_clock_skew",
							"Stamps further ahead of this server's clock do not drag it along.", NULL,
							&setting_max_clock_skew, 60000, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("dnsrepl.tombstone_retention",
							"How long deletions are kept for nodes that are away.", NULL,
							&setting_tombstone_retention, 30 * 86400, 0, INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("dnsrepl.conflict_retention",
							"How long the history of settled conflicts is kept.", NULL,
							&setting_conflict_retention, 90 * 86400, 0, INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("dnsrepl.evict_after",
							"A member that has not been heard of for this long is evicted; 0: never.",
							"Deletions are not kept for it any longer. When it comes back it is compared in full.",
							&setting_evict_after, 90 * 86400, 0, INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("dnsrepl.check_interval",
							"How often a node looks whether its tables, its store and its sums are of one mind; 0: never.",
							"A large store takes longer. Deletions that are of no more use are collected by the way.",
							&setting_check_interval, 30000, 0, INT_MAX / 4, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomBoolVariable("dnsrepl.allow_plaintext_secrets",
							 "Links may carry private keys though they are not encrypted, or the peer is not verified.", NULL,
							 &setting_allow_plaintext_secrets, false, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("dnsrepl.greeted",
							 "A peer has introduced itself in this session.",
							 "Set by dnsrepl.hello(), so that a rollback or DISCARD ALL takes it back.",
							 &setting_greeted, false, PGC_SUSET, GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE, NULL, NULL, NULL);
	DefineCustomIntVariable("dnsrepl.clock_offset",
							"Added to the clock: for tests of skew.", NULL,
							&setting_clock_offset, 0, INT_MIN, INT_MAX, PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
	compat_reserve_prefix("dnsrepl");
}

static void
shmem_request(void)
{
#ifdef HAVE_SHMEM_REQUEST_HOOK
	if (next_shmem_request)
		next_shmem_request();
#endif
	clock_shmem_request();
	link_state_shmem_request();
	rejection_shmem_request();
}

static void
shmem_startup(void)
{
	if (next_shmem_startup)
		next_shmem_startup();
	clock_shmem_init();
	link_state_shmem_init();
	rejection_shmem_init();
}

void
_PG_init(void)
{
	settings_define();
	clock_init();
	own_init();
	capture_init();
	delete_turn_init();
	if (!process_shared_preload_libraries_in_progress)
		return;
#ifdef HAVE_SHMEM_REQUEST_HOOK
	next_shmem_request = shmem_request_hook;
	shmem_request_hook = shmem_request;
#else
	shmem_request();
#endif
	next_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = shmem_startup;
	launcher_register();
}
