package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"avatard/storage"
)

var (
	_ storage.Movable  = (*Place)(nil)
	_ storage.Receiver = (*Place)(nil)
)

// moverName is what connections of a move say they are, so that it can tell them from those of servers.
const moverName = "avatard move"

// missing reports whether an error says that there is no such table.
func missing(err error) bool {
	pg := new(pgconn.PgError)
	return errors.As(err, &pg) && pg.Code == "42P01"
}

// departure returns what is on record of a move. The table is there from the beginning of a move on.
func departure(ctx context.Context, conn *pgx.Conn) (d storage.Departure, err error) {
	err = conn.QueryRow(ctx, `SELECT to_place, gone, erased FROM departure`).Scan(&d.To, &d.Gone, &d.Erased)
	if missing(err) || errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return d, err
}

// notMoved returns storage.ErrMoved for a store that is being moved to another place, or was.
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

// sqlOthers counts the connections of other processes of this program: each server has one at any time, as it looks for work.
const sqlOthers = `
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND usename = current_user AND application_name = 'avatard' AND backend_type = 'client backend'`

// Depart implements [storage.Movable]. The record comes first, so that a server which starts meanwhile finds it, and one which has
// started before is seen. Connections of the move itself say that they are.
func (p *Place) Depart(ctx context.Context, d storage.Departure) error {
	o := p.o
	o.application = moverName
	return p.wrap(At(o).connected(ctx, func(conn *pgx.Conn) error {
		before, err := departure(ctx, conn)
		if err != nil {
			return err
		}
		if err := depart(ctx, conn, d); err != nil {
			return err
		}
		others, err := othersConnected(ctx, conn)
		if err != nil || others == 0 {
			return err
		}
		if before.To == "" {
			_, err = conn.Exec(ctx, `DROP TABLE departure`)
		}
		return errors.Join(fmt.Errorf("%w: %d connections of others; stop all servers", storage.ErrInUse, others), err)
	}))
}

// othersConnected counts connections of other processes, and waits a little for those that are ending.
func othersConnected(ctx context.Context, conn *pgx.Conn) (others int, err error) {
	for range lockTries / 5 {
		if err := conn.QueryRow(ctx, sqlOthers).Scan(&others); err != nil || others == 0 {
			return 0, err
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return 0, ctx.Err()
		}
	}
	return others, nil
}

func depart(ctx context.Context, conn *pgx.Conn, d storage.Departure) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS departure (one boolean PRIMARY KEY DEFAULT true CHECK (one), to_place text NOT NULL,
			gone boolean NOT NULL, erased boolean NOT NULL)`)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO departure (to_place, gone, erased) VALUES ($1, $2, $3)
			ON CONFLICT (one) DO UPDATE SET to_place = excluded.to_place, gone = excluded.gone, erased = excluded.erased`, d.To, d.Gone, d.Erased)
		return err
	})
}
