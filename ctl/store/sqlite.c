/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQLite backend: opening for the recorder or the command, and the schema with its versions.
 *
 * WAL, so that the command reads while the daemon writes; synchronous NORMAL: a kill loses nothing
 * that was committed, a power cut at most the last transactions, and neither harms the file.
 */
#include "ctl/store/sqlite_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * migrations[i] brings version i to i + 1; a new version is a new line. Never edit a line that was
 * released: files made by it are out there.
 */
static const char *const migrations[] = {
	"CREATE TABLE rows("
	" id INTEGER PRIMARY KEY, sensor TEXT NOT NULL, host TEXT NOT NULL,"
	" vendor_id TEXT NOT NULL, product_id TEXT NOT NULL, function INTEGER NOT NULL,"
	" vendor TEXT, owner TEXT, country TEXT, owner_country TEXT, product TEXT, category TEXT,"
	" signature TEXT, names TEXT, confidence INTEGER NOT NULL, forwarder INTEGER NOT NULL,"
	" dns_only INTEGER NOT NULL, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL,"
	" flows INTEGER NOT NULL, bytes_up INTEGER NOT NULL, bytes_down INTEGER NOT NULL,"
	" dropped INTEGER NOT NULL,"
	" UNIQUE(host, vendor_id, product_id, function, sensor));"
	"CREATE INDEX rows_vendor_id ON rows(vendor_id COLLATE NOCASE);"
	"CREATE INDEX rows_vendor ON rows(vendor COLLATE NOCASE);"
	"CREATE INDEX rows_product_id ON rows(product_id COLLATE NOCASE);"
	"CREATE INDEX rows_product ON rows(product COLLATE NOCASE);"
	"CREATE INDEX rows_country ON rows(country COLLATE NOCASE);"
	"CREATE INDEX rows_last ON rows(last_us);"
	/* body NULL: a gap, in which `lost` records never reached the store */
	"CREATE TABLE events("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT, sensor TEXT NOT NULL, first_us INTEGER NOT NULL,"
	" last_us INTEGER NOT NULL, layout INTEGER NOT NULL, lost INTEGER, body BLOB);"
	"CREATE INDEX events_last ON events(last_us);"
	"CREATE TABLE days("
	" day INTEGER NOT NULL, sensor TEXT NOT NULL, vendor_id TEXT NOT NULL,"
	" product_id TEXT NOT NULL, function INTEGER NOT NULL, host TEXT NOT NULL,"
	" PRIMARY KEY(day, sensor, vendor_id, product_id, function, host)) WITHOUT ROWID;",
};
enum { SCHEMA = sizeof(migrations) / sizeof(migrations[0]), APPLICATION_ID = 0x70686f6d };

static const char *const statements[LITE_STMTS] = {
	[LITE_ROW] =
	    "INSERT INTO rows(sensor, host, vendor_id, product_id, function, vendor, owner,"
	    " country, owner_country, product, category, signature, names, confidence,"
	    " forwarder, dns_only, first_us, last_us, flows, bytes_up, bytes_down, dropped)"
	    " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,"
	    " ?20,?21,?22)"
	    " ON CONFLICT(host, vendor_id, product_id, function, sensor) DO UPDATE SET"
	    " vendor=excluded.vendor, owner=excluded.owner, country=excluded.country,"
	    " owner_country=excluded.owner_country, product=excluded.product,"
	    " category=excluded.category, signature=excluded.signature,"
	    " names=excluded.names, confidence=excluded.confidence,"
	    " forwarder=excluded.forwarder, dns_only=excluded.dns_only,"
	    " first_us=excluded.first_us, last_us=excluded.last_us, flows=excluded.flows,"
	    " bytes_up=excluded.bytes_up, bytes_down=excluded.bytes_down,"
	    " dropped=excluded.dropped",
	[LITE_EVENT] = "INSERT INTO events(sensor, first_us, last_us, layout, body)"
		       " VALUES(?1,?2,?3,?4,?5)",
	[LITE_GAP] = "INSERT INTO events(sensor, first_us, last_us, layout, lost)"
		     " VALUES(?1,?2,?2,0,?3)",
	[LITE_TRIM] = "DELETE FROM events WHERE seq <= (SELECT max(seq) FROM events) - ?1",
	[LITE_DAY] =
	    "INSERT OR IGNORE INTO days(day, sensor, vendor_id, product_id, function, host)"
	    " VALUES(?1,?2,?3,?4,?5,?6)",
	[LITE_UNDAY] = "DELETE FROM days WHERE sensor=?1 AND vendor_id=?2 AND product_id=?3"
		       " AND function=?4 AND host=?5",
};

static void lite_close(struct store *store);
static int open_writer(struct store *store, struct lite *l, struct sig_diag *diag);
static int open_reader(struct store *store, struct lite *l, struct sig_diag *diag);

static const struct store_ops lite_ops = {
	.begin = lite_begin,
	.flush = lite_flush,
	.rows = lite_rows,
	.records = lite_records,
	.days = lite_days,
	.close = lite_close,
};

int
store_sqlite_open(struct store *store, const char *path, struct sig_diag *diag)
{
	struct lite *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	store->impl = l;
	store->ops = &lite_ops;
	l->lock_fd = -1;
	l->path = strdup(path);
	if (!l->path)
		return -ENOMEM;
	return store->mode == STORE_WRITE ? open_writer(store, l, diag)
					  : open_reader(store, l, diag);
}

static void
lite_close(struct store *store)
{
	struct lite *l = store->impl;

	if (!l)
		return;
	for (int i = 0; i < LITE_STMTS; i++)
		(void)sqlite3_finalize(l->stmt[i]);
	(void)sqlite3_close(l->db);
	if (l->lock_fd >= 0)
		close(l->lock_fd);
	free(l->path);
	free(l);
}

static int
errno_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return 0;
	case SQLITE_NOMEM: return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return -EBUSY;
	case SQLITE_FULL: return -ENOSPC;
	case SQLITE_READONLY: return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH: return -EACCES;
	case SQLITE_CANTOPEN: return -ENOENT;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return -EUCLEAN;
	default: return -EIO;
	}
}

int
lite_error(struct store *store, struct lite *l, const char *what)
{
	int rc = sqlite3_extended_errcode(l->db);

	store_failed(store, "%s: %s: %s", l->path, what, sqlite3_errmsg(l->db));
	store->stats.up = false;
	return errno_of(rc);
}

void
lite_text(sqlite3_stmt *s, int i, const char *text)
{
	if (text)
		(void)sqlite3_bind_text(s, i, text, -1, SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(s, i);
}

static int
refuse(struct store *store, struct lite *l, struct sig_diag *diag, int err, const char *what)
{
	const char *why = l->db ? sqlite3_errmsg(l->db) : "no memory";

	sig_diag_add(diag, SIG_ERROR, l->path, 0, 0, "%s: %s", what, why);
	store_failed(store, "%s: %s: %s", l->path, what, why);
	return err < 0 ? err : -EIO;
}

/* One number that a query gives, or -1. */
static int64_t
ask(struct lite *l, const char *sql)
{
	sqlite3_stmt *s = NULL;
	int64_t v = -1;

	if (sqlite3_prepare_v2(l->db, sql, -1, &s, NULL) == SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW)
		v = sqlite3_column_int64(s, 0);
	(void)sqlite3_finalize(s);
	return v;
}

static int
check_version(struct lite *l, int64_t version, struct sig_diag *diag)
{
	int64_t id = ask(l, "PRAGMA application_id");

	if (version > SCHEMA) {
		sig_diag_add(diag, SIG_ERROR, l->path, 0, 0,
		    "made by a newer phonehome (schema %lld, this one reads up to %d): upgrade "
		    "this program or name another file",
		    (long long)version, SCHEMA);
		return -EPROTONOSUPPORT;
	}
	if (id != 0 && id != APPLICATION_ID) {
		sig_diag_add(diag, SIG_ERROR, l->path, 0, 0,
		    "is a database of another program: name another file");
		return -EINVAL;
	}
	return 0;
}

/* Brings the file to our schema in one transaction: after a kill it is the old one or the new. */
static int
migrate(struct store *store, struct lite *l, struct sig_diag *diag)
{
	int64_t version;
	char sql[128];
	int rc;

	if (sqlite3_exec(l->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return refuse(
		    store, l, diag, errno_of(sqlite3_errcode(l->db)), "cannot be written");
	version = ask(l, "PRAGMA user_version");
	rc = version < 0 ? -EIO : check_version(l, version, diag);
	if (rc == 0 && version == 0 && ask(l, "SELECT count(*) FROM sqlite_schema") > 0) {
		sig_diag_add(diag, SIG_ERROR, l->path, 0, 0,
		    "is a database of another program: name another file");
		rc = -EINVAL;
	}
	for (int64_t v = version; rc == 0 && v < SCHEMA; v++)
		if (sqlite3_exec(l->db, migrations[v], NULL, NULL, NULL) != SQLITE_OK)
			rc = refuse(store, l, diag, -EIO, "cannot make the tables");
	(void)snprintf(sql, sizeof(sql), "PRAGMA user_version=%d; PRAGMA application_id=%d",
	    (int)SCHEMA, (int)APPLICATION_ID);
	if (rc == 0 && version < SCHEMA && sqlite3_exec(l->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		rc = refuse(store, l, diag, -EIO, "cannot be marked");
	if (sqlite3_exec(l->db, rc == 0 ? "COMMIT" : "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK &&
	    rc == 0)
		rc = refuse(store, l, diag, errno_of(sqlite3_errcode(l->db)), "cannot be written");
	return rc;
}

/* SQLite would wait for a pipe's other end, and say of a folder that the disk is broken. */
static int
check_file(struct lite *l, const struct stat *st, struct sig_diag *diag)
{
	if (S_ISREG(st->st_mode))
		return 0;
	sig_diag_add(diag, SIG_ERROR, l->path, 0, 0, "is %s: name the store's file",
	    S_ISDIR(st->st_mode) ? "a folder" : "no regular file");
	return -EINVAL;
}

static int
open_writer(struct store *store, struct lite *l, struct sig_diag *diag)
{
	struct stat st;

	if (stat(l->path, &st) == 0 && check_file(l, &st, diag) < 0)
		return -EINVAL;
	mode_t mask = umask(027); /* who called whom is not for everybody to read */
	int rc = lite_lock(store, l, diag);

	if (rc < 0) {
		(void)umask(mask);
		return rc;
	}
	rc = sqlite3_open_v2(l->path, &l->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

	(void)umask(mask);
	if (rc != SQLITE_OK)
		return refuse(store, l, diag, errno_of(rc), "cannot be opened for writing");
	(void)sqlite3_busy_timeout(l->db, (int)store->timeout_ms);
	(void)sqlite3_extended_result_codes(l->db, 1);
	if (sqlite3_exec(l->db,
		"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
		"PRAGMA journal_size_limit=67108864; PRAGMA temp_store=MEMORY",
		NULL, NULL, NULL) != SQLITE_OK)
		return refuse(store, l, diag, errno_of(sqlite3_errcode(l->db)),
		    "cannot be opened for writing");
	rc = migrate(store, l, diag);
	for (int i = 0; rc == 0 && i < LITE_STMTS; i++)
		if (sqlite3_prepare_v3(l->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
			&l->stmt[i], NULL) != SQLITE_OK)
			rc = refuse(store, l, diag, -EIO, "has other tables than expected");
	store->stats.up = rc == 0;
	return rc;
}

/* Opens read-only with one more URI parameter; the version, or -1. It waits for who mends the log
 * after a kill, which is another reader as a rule. */
static int64_t
try_reader(const struct store *store, struct lite *l, const char *more)
{
	/* two slashes at the path's begin would be a host's name but for the empty one before */
	char uri[4096 * 3 + 64] = "";
	size_t n = (size_t)snprintf(uri, sizeof(uri), "file:%s", l->path[0] == '/' ? "//" : "");

	for (const char *p = l->path; *p && n < sizeof(uri) - 64; p++)
		n += (size_t)snprintf(
		    uri + n, 4, strchr("?#%", *p) ? "%%%02x" : "%c", (unsigned char)*p);
	(void)snprintf(uri + n, sizeof(uri) - n, "?mode=ro%s", more);
	(void)sqlite3_close(l->db);
	l->db = NULL;
	if (sqlite3_open_v2(uri, &l->db,
		SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return -1;
	(void)sqlite3_extended_result_codes(l->db, 1);
	(void)sqlite3_busy_timeout(l->db, (int)store->timeout_ms);
	return ask(l, "PRAGMA user_version");
}

static int
open_reader(struct store *store, struct lite *l, struct sig_diag *diag)
{
	int64_t version;
	struct stat st;
	char wal[4200];
	int rc;

	if (stat(l->path, &st) < 0) {
		rc = -errno;
		sig_diag_add(diag, SIG_ERROR, l->path, 0, 0, "%s%s", strerror(-rc),
		    rc == -ENOENT ? ": no store there yet? The daemon makes it; `--store` names "
				    "another"
				  : "");
		return rc;
	}
	rc = check_file(l, &st, diag);
	if (rc < 0)
		return rc;
	version = try_reader(store, l, "");
	if (version < 0 && (sqlite3_errcode(l->db) & 0xff) != SQLITE_BUSY) {
		/*
		 * A folder that cannot be written holds no shared memory file for us. Nobody
		 * writes when there is no log either: then the file alone is the whole truth.
		 */
		(void)snprintf(wal, sizeof(wal), "%s-wal", l->path);
		if (stat(wal, &st) < 0 || st.st_size == 0)
			version = try_reader(store, l, "&immutable=1");
	}
	if (version < 0)
		return refuse(store, l, diag, errno_of(sqlite3_errcode(l->db)), "cannot be read");
	rc = check_version(l, version, diag);
	if (rc == 0 && version == 0) {
		sig_diag_add(diag, SIG_ERROR, l->path, 0, 0,
		    "holds no inventory: nothing was ever stored there");
		rc = -ENOENT;
	}
	if (rc == 0 && version < SCHEMA) {
		sig_diag_add(diag, SIG_ERROR, l->path, 0, 0,
		    "has schema %lld, this program reads %d: start the daemon once to bring it up "
		    "to date",
		    (long long)version, SCHEMA);
		rc = -EPROTONOSUPPORT;
	}
	(void)sqlite3_exec(
	    l->db, "PRAGMA cache_size=-16384; PRAGMA query_only=1", NULL, NULL, NULL);
	store->stats.up = rc == 0;
	return rc;
}
