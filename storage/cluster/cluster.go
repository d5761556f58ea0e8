// Package cluster is the storage engine for several processes: metadata in PostgreSQL, pictures, encrypted, in a bucket of an S3
// server. Any number of replicas serve the same store.
//
//	                     ┌─► lines.go: one change of a user at a time in this process
//	Put, Remove … ─► change.go ─► first step (a pipeline of statements, under the caller's context)       ─► PostgreSQL
//	                     └─► the rest, which goes on without the caller: bucket, erase.go, last statement ─► PostgreSQL, bucket
//	Get, Stat ─► person.go ─► PostgreSQL, then that very version from the bucket
//	sweep.go: what was left undone, by whatever process · whose.go: whose bucket it is · refusals.go: notes of refused calls
//
// # How a picture goes
//
// A delete is an intent and a look in one round trip, two requests to the bucket, and one statement. The intent takes the picture off the
// person's row and notes what is to be erased (table work); from then on nobody reads it. The look, in a snapshot of its own, names every
// erasure of this person that is not done. The version that the upload was told is deleted, and a listing of the person's folder shows
// whether anything of it is left: other versions, delete markers, uploads that arrived late. The last statement makes receipts of
// what was erased. An erasure belongs to nobody: all its steps may be repeated, so any process that meets it does it.
//
// # Several processes
//
// Every change is decided by one statement that locks the person's row and finds in that row all that it decides by. An upload claims the
// row with its first step, and nobody changes it until the picture is in place or the claim is over; so two changes of one person
// never run at once, wherever they run. The first step of a change runs under its caller's context, is not tried again once the
// caller has an answer, and has no effect when it arrives later than that (deadline.go); else a change could take effect after later ones.
//
// Packages: internal/bucket (requests to the S3 server), internal/envelope (encryption).
package cluster

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/bucket"
	"example.org/avatard/storage/cluster/internal/envelope"
	"example.org/avatard/storage/receiptlog"
)

// Options tell where a store is kept.
type Options struct {
	// Database is the address of the database, as postgres://user:password@host/database, or as "host=… dbname=…".
	Database string
	// Connections is how many the pool may have; 0 = 16.
	Connections int
	Bucket      BucketOptions
	// KeyFile holds the keys that wrap those of the pictures.
	KeyFile string
	// AcceptUnknown takes a bucket of which the server does not tell whether something in it keeps what is deleted.
	AcceptUnknown bool

	application string // what connections say they are; "" = avatard
	serving     bool   // connections are refused from the beginning of a move on

	migrations []string        // of another release, for tests; nil = this one's
	tracer     pgx.QueryTracer // for tests that count
	dial       pgconn.DialFunc // for tests with a bad network; nil = the usual one
}

// BucketOptions tell where the bucket is.
type BucketOptions = bucket.Options

// How long steps may take. A request to store a picture ends before its claim is over, or a picture could arrive that nobody
// expects; the claim is judged by the database's clock alone.
const (
	putLimit    = 8 * time.Second
	claimLimit  = 10 * time.Second
	bucketLimit = 8 * time.Second
	eraseLimit  = 30 * time.Second
	closeLimit  = 10 * time.Second
)

// Store is an open store.
type Store struct {
	pool    *pgxpool.Pool
	lock    *pgx.Conn // has the advisory lock of a move; nil without one
	bucket  *bucket.Bucket
	keys    *envelope.Keys
	folders folderNames
	log     *slog.Logger
	now     func() time.Time

	known         []string // versions of the schema
	acceptUnknown bool
	keep          storage.Retention
	unsuitable    atomic.Pointer[error]
	bucketID      string
	whose         ownership

	clock     databaseClock
	stepLimit time.Duration

	folderPage int
	prunePages int
	prunedTo   int64 // the receipt that the last pass of retention has come to; only that looks at it
	forgotTo   int64 // likewise for the callers of receipts

	counters *counters
	checking atomic.Bool

	lines lines
	orgs  knownOrganizations
	notes refusals

	sealing settling

	// background is the context of everything that goes on without a caller; it ends when Close has waited long enough.
	background context.Context
	stop       context.CancelFunc
	sweeping   context.CancelFunc
	closed     atomic.Bool
	mu         sync.RWMutex // held for reading by those who begin a change, for writing by Close
	running    sync.WaitGroup
}

// Open opens the store, whose schema it brings forward first.
func Open(ctx context.Context, o Options, oo storage.OpenOptions) (*Store, error) {
	o.serving = !oo.Moving
	return open(ctx, o, oo, func(s *Store) error { return s.begin(ctx, oo.AsIs) })
}

// open makes a store and calls begin, before anybody else has it.
func open(ctx context.Context, o Options, oo storage.OpenOptions, begin func(*Store) error) (*Store, error) {
	keys, err := envelope.Load(o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	b, err := bucket.New(o.Bucket)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	if oo.Moving {
		o.application = moverName
	}
	pool, err := connect(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	s := &Store{pool: pool, bucket: b, keys: keys, log: oo.Logger, now: oo.Now, counters: newCounters(), known: o.versions(),
		acceptUnknown: o.AcceptUnknown, keep: oo.Keep, stepLimit: stepLimit, folderPage: folderPage, prunePages: prunePages}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.background, s.stop = context.WithCancel(context.Background())
	s.notes.queue = make(chan storage.Refusal, refusalQueue)
	s.sealing.turn = make(chan struct{}, 1)
	s.sweeping = func() {}
	if oo.Moving {
		err = s.lockMove(ctx)
	}
	if err == nil {
		err = begin(s)
	}
	if err != nil {
		s.stop()
		s.disconnect()
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return s, nil
}

// begin sees that database and bucket are suitable, makes the schema or brings it forward, and starts what goes on in the background.
// Nothing is made with a bucket that cannot be used: a database in which there is a store is one into which nothing can be restored.
func (s *Store) begin(ctx context.Context, asIs bool) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	version, err := opened(ctx, conn.Conn(), s.known, asIs)
	conn.Release()
	if err != nil {
		return err
	}
	examine := s.examine
	if version == 0 {
		if err := s.examineFirst(ctx); err != nil {
			return err
		}
		examine = s.claim
	}
	if conn, err = s.pool.Acquire(ctx); err != nil {
		return err
	}
	_, err = migrate(ctx, conn.Conn(), s.known, nil)
	if err == nil {
		err = s.readInstallation(ctx, conn.Conn())
	}
	var missing []string
	if err == nil {
		missing, err = missingIndexes(ctx, conn.Conn())
	}
	conn.Release()
	if err == nil {
		err = examine(ctx)
	}
	if err != nil {
		return err
	}
	s.whose.own = time.Now()
	sweeping, stop := context.WithCancel(s.background)
	s.sweeping = stop
	s.running.Go(func() { s.sweep(sweeping) })
	s.running.Go(func() { s.keepExamining(sweeping) })
	s.running.Go(func() { s.rotate(sweeping) })
	s.running.Go(func() { s.keepRetention(sweeping) })
	s.running.Go(func() { s.keepSealing(sweeping) })
	if len(missing) > 0 && !asIs {
		s.running.Go(func() { s.keepIndexes(sweeping) })
	}
	s.running.Go(s.recordRefusals)
	return nil
}

// readInstallation reads what is the same for the life of the store, and the database's clock.
func (s *Store) readInstallation(ctx context.Context, conn *pgx.Conn) error {
	var at time.Time
	var id []byte
	err := conn.QueryRow(ctx, `SELECT folder_key, bucket_id, clock_timestamp() FROM installation`).Scan(&s.folders.key, &id, &at)
	s.bucketID = hex.EncodeToString(id)
	s.clock.saw(at)
	return err
}

// errClosed is what calls answer after Close.
var errClosed = fmt.Errorf("%w: the store is closed", storage.ErrUnavailable)

// enter begins a call that may go on without its caller; exit ends it.
func (s *Store) enter() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed.Load() {
		return errClosed
	}
	if err := s.isAnother(); err != nil {
		return err
	}
	s.running.Add(1)
	return nil
}

func (s *Store) exit() { s.running.Done() }

// Ready implements [storage.Store].
func (s *Store) Ready(ctx context.Context) error {
	if s.closed.Load() {
		return errClosed
	}
	if err := s.unsuitable.Load(); err != nil {
		return unavailable(ctx, *err)
	}
	var version, oldest int
	err := away("database", s.pool.QueryRow(ctx, `SELECT version, oldest_program FROM schema_version`).Scan(&version, &oldest))
	if err == nil {
		err = serves(version, oldest, s.known) // a newer program may have brought the schema to where this one can work with it no more
	}
	return unavailable(ctx, errors.Join(err, s.lookWhose(ctx)))
}

// away says in a sentence what cannot be reached.
func away(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the %s cannot be reached: %w", what, err)
}

// Close implements [storage.Store]. Changes under way have ten seconds; what they do not finish, another process does.
func (s *Store) Close() error {
	s.mu.Lock()
	first := !s.closed.Swap(true)
	s.mu.Unlock()
	if !first {
		s.running.Wait()
		return nil
	}
	s.sweeping()
	close(s.notes.queue)
	limit := time.AfterFunc(closeLimit, s.stop)
	s.running.Wait()
	limit.Stop()
	s.stop()
	s.disconnect()
	return nil
}

func (s *Store) disconnect() {
	if s.lock != nil {
		_ = s.lock.Close(context.Background()) // and with it goes the lock
	}
	s.pool.Close()
	s.bucket.Close()
}

// unavailable makes an engine's fault one that callers know. Errors of the contract and of the context pass.
func unavailable(ctx context.Context, err error) error {
	for _, known := range []error{
		storage.ErrUserNotFound, storage.ErrUserEnded, storage.ErrOtherOrganization, storage.ErrOrganizationNotFound, storage.ErrOrganizationInUse, storage.ErrOrganizationEnded,
		storage.ErrIssuerNotFound, storage.ErrIssuerInUse, storage.ErrNoPicture, storage.ErrConditionFailed, storage.ErrUnavailable, storage.ErrInvalid,
		storage.ErrReceiptNotFound, storage.ErrNoHistory, storage.ErrNotSealed, receiptlog.ErrHead, receiptlog.ErrSignature,
	} {
		if errors.Is(err, known) {
			return err
		}
	}
	if _, ok := errors.AsType[*receiptlog.FaultError](err); ok {
		return err
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
}
