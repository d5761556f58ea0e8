package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// stepLimit is how long the first step of a change may take effect after it was sent.
//
// A statement may still be on its way when its sender has lost the connection, in a network that holds it or in a server that is slow. The
// caller is told that it failed, and a later change is acknowledged; then the statement arrives and would undo that. So every first
// step asks, when it has locked the person's row, whether it is in time, and a sender who does not know what became of it answers when it
// cannot be in time any more.
const stepLimit = 2 * time.Second

// attempt is a first step that is sent once.
type attempt struct {
	*pgx.Batch
	person *person   // what the look behind it sees
	until  time.Time // by the database's clock: when it is too late
	limit  time.Time // the same moment by the clock of this process, or a later one
}

// newAttempt returns one that ends with its caller's deadline, or earlier.
func (s *Store) newAttempt(ctx context.Context) *attempt {
	limit := time.Now().Add(s.stepLimit)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(limit) {
		limit = deadline
	}
	return &attempt{Batch: new(pgx.Batch), person: new(person), until: s.clock.at(limit), limit: limit}
}

// outlast waits until an attempt that failed cannot take effect any more.
func (s *Store) outlast(a *attempt, err error) {
	if mayArrive(err) {
		sleep(s.background, time.Until(a.limit))
	}
}

// errNotSent: no connection was to be had.
var errNotSent = errors.New("nothing was sent")

// mayArrive reports whether statements may take effect later whose sender got this error.
func mayArrive(err error) bool {
	var answer *pgconn.PgError
	return !errors.As(err, &answer) && !pgconn.SafeToRetry(err) && !errors.Is(err, errNotSent)
}

// databaseClock tells the time of the database, or a little earlier.
type databaseClock struct{ ahead atomic.Int64 } // of the time since start, in nanoseconds since 1970

var start = time.Now()

// saw notes a time that the database has told.
func (c *databaseClock) saw(t time.Time) { c.ahead.Store(t.UnixNano() - int64(time.Since(start))) }

// at returns what the database's clock shows at a moment of ours.
func (c *databaseClock) at(moment time.Time) time.Time {
	return time.Unix(0, c.ahead.Load()+int64(moment.Sub(start)))
}
