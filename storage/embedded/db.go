package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/embedded/internal/sqlitefs"
)

// database is the connection through which everything is written and most is read. SQLite holds the file exclusively, so it is the only
// connection. Work that needs it waits for the transaction under way, which then takes the changes that have arrived and waits for no
// more. Reads of users do not wait, see reader.
type database struct {
	mu     sync.Mutex
	wanted atomic.Int32 // how many goroutines wait for mu
	yields atomic.Bool  // the holder of mu waits for changes, which hurry ends
	hurry  func()

	conn  *sqlite3.Conn
	log   sqlitefs.LogGauge // how long the log is
	pages sqlitefs.Pages    // the state for reads that do not wait for the connection
	stmts [numStatements]*sqlite3.Stmt
	// texts are those bound last: SQLite keeps them, so the same text need not be copied again.
	texts [numStatements][maxParameters]string
	// usersChanged is set by statements that change what rows remembers of users.
	usersChanged bool
	// unregister forgets the file layer.
	unregister func()
}

// lock takes the connection.
func (db *database) lock() {
	if db.mu.TryLock() {
		return
	}
	db.wanted.Add(1)
	defer db.wanted.Add(-1)
	if db.yields.Load() {
		db.hurry()
	}
	db.mu.Lock()
}

func (db *database) isWanted() bool { return db.wanted.Load() > 0 }

// lockingMode is set before SQLite first reads the log: only then does it keep the log's index in memory instead of in a file.
const lockingMode = `PRAGMA locking_mode = EXCLUSIVE`

// pragmas are set on the connection after that, in this order.
const pragmas = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA secure_delete = ON;
PRAGMA trusted_schema = OFF;
PRAGMA wal_autocheckpoint = 2000;
` + servingPragmas

// servingPragmas bound SQLite's memory while the store serves. Nothing is sorted then.
const servingPragmas = `
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -12000;
`

// migrationPragmas bound it while the schema is brought forward. Rows are sorted in memory as far as the cache takes them, the rest in
// temporary files, see sqlitefs.TempName.
const migrationPragmas = `
PRAGMA temp_store = FILE;
PRAGMA cache_size = -4000;
`

// openDatabase opens or makes the metadata file and brings its schema up to date.
func openDatabase(dir datadir.Dir, moveLog func(*database) error, step func(version int)) (*database, error) {
	// SQLite would make the file readable for all users that the umask allows. Its log gets the database's mode.
	f, err := datadir.Open(dir.File(databaseName), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	if err := sqlitefs.RemoveTemps(dir.Path); err != nil {
		return nil, err
	}
	db, err := connect(dir, databaseName)
	if err != nil {
		return nil, err
	}
	if err := db.setUp(moveLog, step); err != nil {
		return nil, errors.Join(fmt.Errorf("open metadata: %w", err), db.close())
	}
	return db, nil
}

// connect opens a database file of the directory as it is.
func connect(dir datadir.Dir, name string) (db *database, err error) {
	db = &database{}
	layer, unregister, err := sqlitefs.Register(dir, &db.log, &db.pages)
	if err != nil {
		return nil, err
	}
	db.unregister = unregister
	// OPEN_NOFOLLOW keeps SQLite from following links in any part of the path, so links on the way to the directory are resolved here.
	place, err := filepath.EvalSymlinks(dir.Path)
	if err != nil {
		db.unregister()
		return nil, fmt.Errorf("open metadata: %w", err)
	}
	path := filepath.Join(place, name)
	query := url.Values{"modeof": {path}, "vfs": {layer}}
	uri := (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: query.Encode()}).String()
	if sqliteMemory > 0 {
		db.conn, err = sqlite3.OpenContext(sqlite3.WithMaxMemory(context.Background(), sqliteMemory), uri)
	} else {
		db.conn, err = sqlite3.OpenFlags(uri, sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE|sqlite3.OPEN_URI|sqlite3.OPEN_NOFOLLOW)
	}
	if err != nil {
		db.unregister()
		return nil, fmt.Errorf("open metadata: %w", err)
	}
	return db, nil
}

func (db *database) setUp(moveLog func(*database) error, step func(version int)) (err error) {
	defer catchMemory(&err)
	// Before anything is written, so that a database of another program stays as it is.
	if err := db.conn.Exec(lockingMode); err != nil {
		return err
	}
	found, err := db.version(migrations)
	if err != nil {
		return err
	}
	if found == 0 { // a new database comes from no older version
		step = nil
	}
	if err := db.configure(); err != nil {
		return err
	}
	if err := db.migrate(context.Background(), migrations, step); err != nil {
		return err
	}
	hooks.Failpoint("open-migrated")
	if err := moveLog(db); err != nil {
		return err
	}
	count, err := db.pragma("page_count")
	if err != nil {
		return err
	}
	db.pages.Started(count * sqlitefs.PageBytes)
	hooks.Failpoint("open-log-emptied")
	if err := db.prepare(); err != nil {
		return err
	}
	return db.allowEarlyReuse()
}

// prepare makes the statements of the list ready for run and rows. When the schema lacks a table or a column that one of them needs,
// the error says which.
func (db *database) prepare() error {
	lacks, err := db.prepareAll()
	if err == nil && len(lacks) > 0 {
		err = fmt.Errorf("%s; restore the directory from a backup", lackingSchema(lacks))
	}
	return err
}

// prepareAll prepares the statements that the schema allows, and returns in SQLite's words what it lacks for the others.
func (db *database) prepareAll() (lacks []string, err error) {
	for i, sql := range statements {
		stmt, _, err := db.conn.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
		switch {
		case errors.Is(err, sqlite3.ERROR): // the text of the statement is right, so it is the schema that is not
			text := strings.TrimPrefix(err.Error(), sqlite3.ERROR.Error()+": ")
			text = strings.ReplaceAll(text, " main.", " ") // only statements that fire a trigger name the schema
			if !slices.Contains(lacks, text) {
				lacks = append(lacks, text)
			}
		case err != nil:
			return nil, fmt.Errorf("prepare %q: %w", sql, err)
		}
		db.stmts[i] = stmt
	}
	return lacks, nil
}

// lackingSchema says what prepareAll found.
func lackingSchema(lacks []string) string {
	return fmt.Sprintf("%s lacks parts of its schema: %s", databaseName, strings.Join(lacks, ", "))
}

// configure sets the pragmas, after lockingMode. Pages get a checksum when they are written to the database, which is checked when they
// are read, so that a page that the disk has changed is never used. The log has checksums of its own.
func (db *database) configure() error {
	pages, err := db.pragma("page_count")
	if err != nil {
		return err
	}
	if pages == 0 {
		if _, err := db.conn.FileControl("main", sqlite3.FCNTL_RESERVE_BYTES, sqlitefs.ChecksumBytes); err != nil {
			return err
		}
	}
	if err := db.conn.Exec(pragmas); err != nil {
		return err
	}
	checked, err := db.pragma("checksum_verification")
	if err == nil && checked == 0 {
		err = fmt.Errorf("%w: %s: its pages have no checksums; restore the directory from a backup", storage.ErrDamaged, databaseName)
	}
	return err
}

func (db *database) pragma(name string) (int64, error) { return db.number("PRAGMA " + name) }

// truncateLog moves the log into the database and empties it.
func (db *database) truncateLog() error { return db.checkpoint(sqlite3.CHECKPOINT_TRUNCATE) }

// rollback ends a transaction that failed, if SQLite has not done so by itself.
func (db *database) rollback() error {
	if db.conn.GetAutocommit() {
		return nil
	}
	return db.conn.Exec("ROLLBACK")
}

func (db *database) close() (err error) {
	defer catchMemory(&err)
	var errs []error
	for _, stmt := range db.stmts {
		errs = append(errs, stmt.Close())
	}
	errs = append(errs, db.conn.Close())
	db.unregister()
	return errors.Join(errs...)
}

// errMemory means that SQLite needed more memory than it may have, see sqliteMemory.
var errMemory = errors.New("SQLite needs more memory than it may have")

// sqliteMemory bounds the memory of one connection, in bytes; 0 is the driver's own bound of 256 MB. Tests lower it.
var sqliteMemory int64

// catchMemory turns the driver's panic when SQLite gets no memory into an error.
func catchMemory(err *error) {
	switch v := recover().(type) {
	case nil:
	case error:
		if v.Error() != "sqlite3: "+sqlite3.NOMEM.Error() && v.Error() != "sqlite3: out of memory" {
			panic(v)
		}
		*err = errors.Join(*err, errMemory)
	default:
		panic(v)
	}
}
