package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"example.org/avatard/storage"
)

var (
	_ storage.Movable  = (*Place)(nil)
	_ storage.Receiver = (*Place)(nil)
)

// moveLock is the advisory lock of the process that moves a store away.
const moveLock = migrationLock + 5

// moverName is what connections of a move say they are, so that it can tell them from those of servers.
const moverName = "avatard move"

// missing reports whether an error says that there is no such table.
func missing(err error) bool {
	pg := new(pgconn.PgError)
	return errors.As(err, &pg) && pg.Code == "42P01"
}

// departure returns what is on record of a move. The table is there from the beginning of a move on. A query of its own asks for it, as the
// database server would log an error with every connection of a store that nobody moves.
func departure(ctx context.Context, conn *pgx.Conn) (d storage.Departure, err error) {
	var is bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, schemaName+".departure").Scan(&is); err != nil || !is {
		return d, err
	}
	err = conn.QueryRow(ctx, `SELECT to_place, gone, erased FROM departure`).Scan(&d.To, &d.Gone, &d.Erased)
	if missing(err) || errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return d, err
}

// notMoved returns storage.ErrMoved for a store that is being moved to another place, or was. Every new connection of a server asks.
func notMoved(ctx context.Context, conn *pgx.Conn) error {
	d, err := departure(ctx, conn)
	if err == nil {
		err = d.Refusal()
	}
	return err
}

// Departure implements [storage.Movable].
func (p *Place) Departure(ctx context.Context) (d storage.Departure, err error) {
	if err := p.Exists(ctx); err != nil {
		return d, err
	}
	err = p.connected(ctx, func(conn *pgx.Conn) error {
		d, err = departure(ctx, conn)
		return err
	})
	return d, p.wrap(err)
}

// sqlOthers counts the connections of other processes of this program. A server has one at almost any time, as it looks for work; where all
// of them are being replaced it has none for a moment, and the next one is refused (notMoved).
const sqlOthers = `
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND usename = current_user AND application_name = 'avatard' AND backend_type = 'client backend'`

// sqlUndone counts the erasures and the uploads that are not done. An upload becomes an erasure when it is given up.
const sqlUndone = `SELECT count(*) FROM work WHERE state IN (1, 3)`

// takeBackLimit is how long it may take to restore the record of before.
const takeBackLimit = 10 * time.Second

// Depart implements [storage.Movable]. A server that connects before the record is made is counted behind it, and one that connects later finds
// the record. Where the record may have been made and the rest failed, the one of before is restored, also for a caller who has gone.
func (p *Place) Depart(ctx context.Context, d storage.Departure) error {
	o := p.o
	o.application = moverName
	mover := At(o)
	var before storage.Departure
	wrote := false
	err := mover.connected(ctx, func(conn *pgx.Conn) (err error) {
		if before, err = departure(ctx, conn); err != nil {
			return err
		}
		if err := mayDepart(ctx, conn, before, d); err != nil {
			return err
		}
		wrote = true
		if err := depart(ctx, conn, d); err != nil {
			return err
		}
		return alone(ctx, conn)
	})
	if err != nil && wrote {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackLimit)
		defer cancel()
		err = errors.Join(err, mover.connected(ctx, func(conn *pgx.Conn) error { return takeBack(ctx, conn, before) }))
	}
	return p.wrap(err)
}

// mayDepart returns an error where a record would not be true.
func mayDepart(ctx context.Context, conn *pgx.Conn, before, d storage.Departure) error {
	if before.To != "" && before.To != d.To {
		return fmt.Errorf("%w to %s, and not to %s", storage.ErrMoved, before.To, d.To)
	}
	if err := alone(ctx, conn); err != nil || !d.Erased {
		return err
	}
	var undone int
	if err := conn.QueryRow(ctx, sqlUndone).Scan(&undone); err != nil || undone == 0 {
		return err
	}
	return fmt.Errorf("%w: %d erasures are not done yet", storage.ErrUnavailable, undone)
}

// alone returns storage.ErrInUse while other processes are connected. It waits for connections that are ending.
func alone(ctx context.Context, conn *pgx.Conn) error {
	for try := 0; ; try++ {
		var others int
		if err := conn.QueryRow(ctx, sqlOthers).Scan(&others); err != nil || others == 0 {
			return err
		}
		if try == lockTries {
			return fmt.Errorf("%w: %d connections of others; stop all servers", storage.ErrInUse, others)
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// depart puts a departure on record, which never becomes less.
func depart(ctx context.Context, conn *pgx.Conn, d storage.Departure) error {
	return safely(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS departure (one boolean PRIMARY KEY DEFAULT true CHECK (one), to_place text NOT NULL,
			gone boolean NOT NULL, erased boolean NOT NULL)`)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO departure AS d (to_place, gone, erased) VALUES ($1, $2, $3)
			ON CONFLICT (one) DO UPDATE SET to_place = excluded.to_place, gone = d.gone OR excluded.gone, erased = d.erased OR excluded.erased`,
			d.To, d.Gone, d.Erased)
		return err
	})
}

// takeBack makes a record again what it was. It waits for a record that is being made, as that may be one whose answer was not waited for.
func takeBack(ctx context.Context, conn *pgx.Conn, before storage.Departure) error {
	err := safely(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `LOCK TABLE departure`); err != nil {
			return err
		}
		if before.To == "" {
			_, err := tx.Exec(ctx, `DROP TABLE departure`)
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE departure SET gone = $1, erased = $2`, before.Gone, before.Erased)
		return err
	})
	if before.To == "" && missing(err) {
		return nil
	}
	return err
}

// safely runs f in a transaction, and takes a warning for a failure, see pipeline.
func safely(ctx context.Context, conn *pgx.Conn, f func(pgx.Tx) error) error {
	delete(conn.PgConn().CustomData(), warned)
	if err := pgx.BeginFunc(ctx, conn, f); err != nil {
		return err
	}
	return warning(ctx, conn)
}

// lockMove takes the lock of the process that moves this store, which it has until the store is closed.
func (s *Store) lockMove(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	s.lock = conn.Hijack()
	return takeLock(ctx, s.lock, moveLock, "another move")
}
