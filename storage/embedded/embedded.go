// Package embedded is the storage engine that needs nothing but a directory.
//
// SQLite keeps users, generations, receipts and the audit trail; no byte of a picture ever enters it, because its pages
// keep copies of what was deleted. Pictures lie beside it in the slab, a file of fixed-size slots that are overwritten
// with zeros and synced before a delete is answered.
//
// One goroutine, the committer, makes all changes. It takes the requests that wait as one group commit:
//
//	callers ─► queue ─► committer: begin ─► apply each ─► commit ─► publish ─► slots written or zeroed ─► answers
//	            ▲           ▲  batchWindow waits a       one sync of   memory     one sync of the slab
//	            │           │  moment for requests       the log: the  follows    (bytes durable or gone)
//	            └─ requeued ┘  that are on their way     intent is
//	                                                     durable
//	reads ─► rows in memory ─► the connection, or the second one while a transaction is under way ─► slab
//
// An upload takes two group commits: the first reserves a slot and fills it, the second makes it the user's picture and
// erases the one before. Between group commits the committer does chores: it tries failed erasures again, makes checkpoints, gives
// space back, removes old records, seals receipts. [Open] finishes the changes that a crash left half-done, before the first call is served.
//
// internal/slab has the slots, internal/sqlitefs the files below SQLite, internal/datadir the directory, internal/hooks what proofs need.
//
// The package decides neither which caller may do what, nor what a picture is.
package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/embedded/internal/slab"
)

// File has the operations of the engine on each of its files: the slab, the database and its log. [Config.WrapFile] can put something
// in between, as the proofs of what survives a crash do.
type File = datadir.File

// The names that [Config.WrapFile] gets for directories, which are only ever synced.
const (
	DataDir   = datadir.Data   // the data directory: a sync makes the names of the files in it durable
	ParentDir = datadir.Parent // its parent: a sync makes the data directory's own name durable
)

// Names of the files in the data directory.
const (
	databaseName = "avatard.db"
	logName      = "avatard.db-wal"
	slabName     = "pictures.slab"
	lockName     = "lock"
	reserveName  = "reserved.space"
	movedName    = "moved.json"
	keyName      = "receipts.key"
)

// ownNames are the names in the data directory that are the engine's, or SQLite's for it.
var ownNames = []string{databaseName, logName, databaseName + "-journal", databaseName + "-shm", slabName, lockName, restoreName, movedName, keyName}

// Config is how to open a store.
type Config struct {
	// Dir is the data directory. It is made, for its owner only, when it is missing.
	Dir string
	// Logger gets messages for operators; nil discards them.
	Logger *slog.Logger
	// Now is the clock of change dates; nil means time.Now.
	Now func() time.Time
	// Rand is the source of generation ids; nil means crypto/rand.
	Rand io.Reader
	// Keep is how long old records are kept; the zero value keeps all of them.
	Keep storage.Retention
	// Moving opens a store that is being moved to another place, or was.
	Moving bool
	// WrapFile, when set, is put around the slab, SQLite's files and directories that are synced; name is the file's
	// base name, or DataDir or ParentDir. Tests of what survives a crash use it.
	WrapFile func(name string, f File) File
	// FreeSpace returns how many bytes may be taken of the file system that a directory is on, and its size; nil asks the system.
	FreeSpace func(dir string) (free, total int64, err error)
}

// Store is an open data directory. It implements [storage.Engine].
type Store struct {
	log  *slog.Logger
	now  func() time.Time
	rand io.Reader

	moving bool

	lock *datadir.Lock
	db   *database
	// reader is for reads that find db busy.
	reader   *reader
	slab     *slab.Slab
	registry registry
	rows     rows
	order    stepOrder

	queue queue // changes on their way in

	// Of the committer alone.
	window       *batchWindow
	slots        slab.Slots
	erasures     pendingErasures
	lastEnd      int64 // numbers the users who have ended, while the store is open
	orphans      []orphanedUpload
	requeued     []*request // changes that need another group commit
	commitErr    error      // why the last transaction failed, nil when it did not
	slabErr      error      // why the slab cannot be written at all, nil when it can
	probes       attempts   // to write something after a transaction that failed
	failures     failures
	chores       []chore
	turn         int // of the chores
	groupCommits int // made so far
	// quiet is when the last group commit ended.
	quiet       time.Time
	choreTimer  *time.Timer
	checkpoints checkpoints
	space       space
	trimmer     trimmer
	tidying     tidying
	pruning     pruning
	indexing    indexing
	sealing     sealing
	// refusalsDue receives when refusals have waited long enough; nil while none wait.
	refusalsDue <-chan time.Time

	refusals refusals
	health   atomic.Pointer[health]
	watchdog watchdog
	stats    stats
	checking atomic.Bool
	faults   faultRecord

	calls   chan func() // for an idle committer to run
	closing sync.Once
	stopped chan struct{}
	closed  error
}

var _ storage.Engine = (*Store)(nil)

// Open opens the store in a directory and finishes what an earlier process left undone: uploads that were never
// acknowledged are erased, and every erasure that is not on record is done again. A picture whose erasure cannot be finished stays
// unreadable and is reported by ErasuresDone. The error is storage.ErrInUse when another process has the directory, storage.ErrDamaged when
// files are missing or were changed, storage.ErrNewerSchema when a newer program wrote them.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	return openStore(ctx, cfg, (*Store).finishUnfinished)
}

// openStore is Open; finish finishes what an earlier process left undone.
func openStore(ctx context.Context, cfg Config, finish func(*Store)) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &Store{log: cfg.Logger, now: cfg.Now, rand: cfg.Rand, window: newBatchWindow(),
		stopped: make(chan struct{}), calls: make(chan func())}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.space.look = cfg.FreeSpace; s.space.look == nil {
		s.space.look = datadir.FreeSpace
	}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s.pruning.keep = cfg.Keep
	if every := pruneEvery(cfg.Keep); every > 0 {
		s.pruning.next = time.Now().Add(min(every, time.Second))
	}
	s.moving = cfg.Moving
	if err := s.open(datadir.Dir{Path: dir, Wrap: cfg.WrapFile}, finish); err != nil {
		return nil, fmt.Errorf("open store in %s: %w", cfg.Dir, explain(errors.Join(err, s.release())))
	}
	go s.run()
	return s, nil
}

func (s *Store) open(dir datadir.Dir, finish func(*Store)) (err error) {
	if err := s.openDatabase(dir); err != nil {
		return err
	}
	if err := s.db.conn.WALAutoCheckpoint(0); err != nil { // the committer does that, see checkpoint.go
		return err
	}
	s.checkpoints.bound = maxLog
	s.chores = []chore{
		{s.sweepDue, s.sweep, nil}, // sweeps and checkpoints that are pressing do not wait for an empty queue, see run
		{s.checkpointDue, s.checkpointIdle, nil},
		{s.tidyDue, s.tidy, s.tidyLate},
		{s.pruneDue, s.prune, s.prune},
		{s.indexDue, s.indexReceipts, s.indexReceipts},
		{s.sealDue, s.sealReceipts, s.sealReceipts},
		{s.spaceDue, s.regainRoom, nil},
	}
	s.trimmer.warm, s.trimmer.rooted = warmPages, rootedPages
	s.indexing.rows = indexRows
	s.sealing.rows = sealRows
	s.tidying.changed(time.Now())
	s.queue.init()
	s.rows.init()
	s.db.hurry = s.queue.signal
	found, err := s.load()
	if err == nil {
		err = s.loadLog(dir.File(keyName), found.store)
	}
	if err != nil {
		return err
	}
	if s.reader, err = openReader(&s.db.pages); err != nil {
		return err
	}
	if s.slab, err = slab.Open(dir, slabName, found.store, s.slots.End == 0); err != nil {
		if errors.Is(err, slab.ErrOtherStore) {
			return fmt.Errorf("%w: %s and %s are of two stores; put together again what belongs together", storage.ErrDamaged, slabName, databaseName)
		}
		return err
	}
	if info, err := os.Lstat(dir.File(slabName)); err != nil {
		return err
	} else if info.Size() < s.slots.End*slab.PageBytes {
		return fmt.Errorf("%w: %s has %d bytes, the database knows of %d; restore the directory from a backup",
			storage.ErrDamaged, slabName, info.Size(), s.slots.End*slab.PageBytes)
	} else {
		s.trimmer.length = info.Size()
	}
	s.measureSlab()
	if err := dir.Sync(); err != nil {
		return err
	}
	hooks.Failpoint("open-listed")
	finish(s)
	s.publishStats()
	s.watchdog.init()
	return nil
}

// openDatabase takes the directory, refuses files that do not belong together, and opens the metadata.
func (s *Store) openDatabase(dir datadir.Dir) (err error) {
	if err := dir.Make(); err != nil {
		return err
	}
	if s.lock, err = dir.Lock(lockName); err != nil {
		return err
	}
	if err := dir.RefuseLinks(ownNames...); err != nil {
		return err
	}
	if err := tidyRestored(dir.Path); err != nil {
		return err
	}
	if !s.moving {
		if err := refuseMoved(dir); err != nil {
			return err
		}
	}
	if err := inspect(dir, s.log); err != nil {
		return err
	}
	s.space.dir = dir
	s.space.open()
	for {
		s.db, err = openDatabase(dir, s.moveLogAtStart, func(version int) {
			s.log.Info("the metadata's schema was brought to a newer version", "version", version)
		})
		if !noRoom(err) || !s.makeRoom() {
			break
		}
	}
	return err
}

// Close finishes the changes under way, puts finished erasures on record and gives the directory free. An error loses nothing
// that was acknowledged: the log may not have been moved into the database, which the next Open does.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.queue.close()
		<-s.stopped
		s.closed = errors.Join(s.lastCheckpoint(), s.release())
	})
	<-s.stopped
	return s.closed
}

// release closes what open opened, as far as it came.
func (s *Store) release() error {
	var errs []error
	if s.reader != nil {
		errs = append(errs, s.reader.close())
	}
	if s.db != nil {
		s.db.lock()
		defer s.db.mu.Unlock()
		errs = append(errs, s.db.close())
		s.db.conn = nil
		s.rows.clear()
	}
	if s.slab != nil {
		errs = append(errs, s.slab.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Release())
	}
	return errors.Join(errs...)
}

// health is the state that Ready and ErasuresDone report.
type health struct {
	stuck  int   // erasures that could not be finished
	commit error // why the last transaction failed
	slab   error // why the slab cannot be written
}

// Ready reports whether the store as a whole can do its part: changes succeed, the disk answers, the metadata can be read, the log
// and the slab can be written. A single erasure that is stuck concerns only its user, see ErasuresDone.
func (s *Store) Ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.queue.isClosed() {
		return fmt.Errorf("%w: closed", storage.ErrUnavailable)
	}
	errs := s.reasons()
	h := s.health.Load()
	if h != nil && h.commit != nil {
		errs = append(errs, fmt.Errorf("the last change failed: %w", h.commit))
	}
	if h != nil && h.slab != nil {
		errs = append(errs, fmt.Errorf("pictures cannot be written: %w", h.slab))
	}
	if len(errs) == 0 {
		return nil
	}
	if h != nil && h.stuck > 0 {
		errs = append(errs, fmt.Errorf("%d erasures cannot be finished", h.stuck))
	}
	return fmt.Errorf("%w: %w", storage.ErrUnavailable, errors.Join(errs...))
}

// ErasuresDone returns nil unless there are erasures that were tried and could not be finished, which are tried again
// until they are. Their users get storage.ErrUnavailable; that alone does not keep the store from being ready.
func (s *Store) ErasuresDone(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if h := s.health.Load(); h != nil && h.stuck > 0 {
		return fmt.Errorf("%w: %d erasures cannot be finished", storage.ErrUnavailable, h.stuck)
	}
	return nil
}
