package cluster

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage/cluster/internal/bucket"
)

// ErrUnsuitable: the database or the bucket is such that what is deleted may stay, or what is acknowledged may be lost. The text says
// why, and what to do.
var ErrUnsuitable = errors.New("not suitable")

const (
	// examineEvery is how often database and bucket are looked at while the store serves.
	examineEvery = time.Hour
	// examineLimit is how long that may take. It is below the limit of a transaction that waits.
	examineLimit = 8 * time.Second
	// examineWait is how long a process waits for others that examine: several that start at once do it one after the other.
	examineWait = time.Minute
	// examineLock is the advisory lock of the process that examines.
	examineLock = migrationLock + 1
)

// examine finds out whether the database is durable, and the bucket can erase and is the right one.
func (s *Store) examine(ctx context.Context) error {
	return s.inTurn(ctx, s.canErase, mayChange, s.claimBucket)
}

// examineFirst does the same before there is a store, which claim follows when there is one.
func (s *Store) examineFirst(ctx context.Context) error {
	return s.inTurn(ctx, s.canErase, s.isNobodys)
}

// claim makes the bucket, which was examined, the one of the store.
func (s *Store) claim(ctx context.Context) error { return s.inTurn(ctx, s.claimBucket) }

// inTurn takes steps until one fails. It is one process at a time that does.
func (s *Store) inTurn(ctx context.Context, steps ...func(context.Context, pgx.Tx) error) error {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	waiting, cancel := context.WithTimeout(ctx, examineWait)
	defer cancel()
	if err := lockPatiently(waiting, tx, examineLock); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	ctx, cancel = context.WithTimeout(ctx, examineLimit)
	defer cancel()
	for _, step := range steps {
		if err := step(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// canErase finds out whether the database is durable and the bucket can erase.
func (s *Store) canErase(ctx context.Context, tx pgx.Tx) error {
	if err := examineDatabase(ctx, tx); err != nil {
		return err
	}
	results, err := s.bucket.Examine(ctx)
	if err != nil {
		return away("bucket", err)
	}
	for _, r := range results {
		switch {
		case r.Verdict == bucket.Unsuitable, r.Verdict == bucket.Unknown && !s.acceptUnknown:
			err = errors.Join(err, fmt.Errorf("the bucket is %w: %s", ErrUnsuitable, r.Sentence))
		default:
			s.log.Warn("something about the bucket is worth knowing", "what", r.Sentence)
		}
	}
	return err
}

// examineDatabase looks at what a session can see of the server's durability.
func examineDatabase(ctx context.Context, tx pgx.Tx) error {
	var fsync, pages string
	var standby bool
	err := tx.QueryRow(ctx, `SELECT current_setting('fsync'), current_setting('full_page_writes'), pg_is_in_recovery()`).Scan(&fsync, &pages, &standby)
	switch {
	case err != nil:
		return fmt.Errorf("database: %w", err)
	case standby:
		return fmt.Errorf("the database is %w: it is a standby; name the primary", ErrUnsuitable)
	case fsync != "on":
		return fmt.Errorf("the database is %w: fsync is %s, so a loss of power undoes deletes that were answered; turn it on", ErrUnsuitable, fsync)
	case pages != "on":
		return fmt.Errorf("the database is %w: full_page_writes is %s, so a loss of power may damage it; turn it on", ErrUnsuitable, pages)
	}
	return nil
}

// claimBucket sees that the bucket is the one that belongs to the database: with another one everybody would seem to have no picture.
func (s *Store) claimBucket(ctx context.Context, tx pgx.Tx) error {
	var id []byte
	var fresh bool
	err := tx.QueryRow(ctx, `SELECT bucket_id, NOT EXISTS (SELECT FROM receipt) AND NOT EXISTS (SELECT FROM work)
		AND NOT EXISTS (SELECT FROM person WHERE gen IS NOT NULL LIMIT 1) FROM installation`).Scan(&id, &fresh)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return notOurs(s.bucket.Claim(ctx, hex.EncodeToString(id), fresh))
}

// isOurs sees the same, and leaves a bucket that is nobody's as it is.
func (s *Store) isOurs(ctx context.Context, conn *pgx.Conn) error {
	var id []byte
	if err := conn.QueryRow(ctx, `SELECT bucket_id FROM installation`).Scan(&id); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return notOurs(s.bucket.Claim(ctx, hex.EncodeToString(id), false))
}

// isNobodys sees that a bucket can become that of a store which is still to be made. Where another process has made the store
// meanwhile, and claimed the bucket after that, it may be the right one.
func (s *Store) isNobodys(ctx context.Context, tx pgx.Tx) error {
	nobodys := s.bucket.Nobodys(ctx)
	if !errors.Is(nobodys, bucket.ErrOtherInstallation) {
		return nobodys
	}
	made, err := schemaThere(ctx, tx)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if made {
		return nil
	}
	return notOurs(nobodys)
}

func notOurs(err error) error {
	if errors.Is(err, bucket.ErrOtherInstallation) {
		return fmt.Errorf("the bucket is %w: %w", ErrUnsuitable, err)
	}
	return err
}

// keepExamining looks every hour until its context ends. What it finds is told by Ready until it is no more.
func (s *Store) keepExamining(ctx context.Context) {
	for sleep(ctx, examineEvery) {
		s.examineAgain(ctx)
	}
}

func (s *Store) examineAgain(ctx context.Context) {
	err := s.examine(ctx)
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, ErrUnsuitable):
		s.log.Error("database or bucket have become unsuitable", "error", err)
		s.unsuitable.Store(&err)
	case err != nil:
		s.log.Warn("database and bucket could not be examined", "error", err)
	default:
		s.unsuitable.Store(nil)
	}
}
