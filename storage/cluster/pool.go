package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.org/avatard/storage"
)

// settings are those of every connection that the engine's answers depend on. They go with the connection's start, where they prevail
// over what is set for the role or the database, and are read back.
var settings = map[string]string{
	"default_transaction_isolation":       "read committed", // of the others, every change that waited would fail
	"statement_timeout":                   "5s",
	"lock_timeout":                        "3s",
	"idle_in_transaction_session_timeout": "10s",
	"client_connection_check_interval":    "1s", // a statement ends when its process is gone
	"plan_cache_mode":                     "force_generic_plan",
	"jit":                                 "off", // compiling takes longer than a look-up
	"enable_seqscan":                      "off", // all statements are look-ups; work is almost empty, which tempts the planner
	"enable_bitmapscan":                   "off", // of a table that the planner knows nothing of it would read half an index, to combine it with another
	"timezone":                            "UTC",
	"search_path":                         schemaName, // all tables are in a schema of their own
}

// connect opens a pool, and one connection to see that it can.
func connect(ctx context.Context, o Options) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(o.Database)
	if err != nil {
		return nil, errors.New("the address of the database cannot be read") // the library's text may hold the password
	}
	config.MaxConns = 16
	if o.Connections > 0 {
		config.MaxConns = int32(min(o.Connections, 1000))
	}
	config.MaxConnIdleTime = 5 * time.Minute
	c := config.ConnConfig
	c.RuntimeParams["application_name"] = cmp.Or(o.application, "avatard")
	maps.Copy(c.RuntimeParams, settings)
	c.ConnectTimeout = 5 * time.Second
	c.ValidateConnect = isPrimary
	c.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: time.Second}
	}
	c.OnNotice = noteWarning
	c.Tracer = o.tracer
	if o.dial != nil {
		c.DialFunc = o.dial
	}
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		err := checkSettings(ctx, conn)
		if err == nil && o.serving {
			err = notMoved(ctx, conn)
		}
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		if errors.Is(err, storage.ErrMoved) {
			return nil, err
		}
		return nil, away("database", err)
	}
	return pool, nil
}

// isPrimary refuses a standby, which would show pictures that are gone where it lags. Where the address names several servers the next one is
// tried.
func isPrimary(ctx context.Context, conn *pgconn.PgConn) error {
	if err := pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, conn); err != nil {
		return fmt.Errorf("it is a standby, or read only for another reason; name the primary, or both: %w", err)
	}
	return nil
}

// sqlSynchronous makes commits wait until they are durable. A stronger setting, which waits for a standby to have applied them, stays.
const sqlSynchronous = `
SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)`

// checkSettings completes the settings of a connection, and refuses one on which a setting is another than was asked for, or can be changed by
// what somebody sets for all connections.
func checkSettings(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, sqlSynchronous); err != nil {
		return err
	}
	rows, err := conn.Query(ctx, `SELECT lower(name), current_setting(name) FROM pg_settings WHERE source IN ('client', 'session')`)
	if err != nil {
		return err
	}
	found := map[string]string{}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		found[name] = value
		return nil
	})
	for name, want := range settings {
		if value, ok := found[name]; err == nil && (!ok || value != want) {
			err = fmt.Errorf("the setting %s of the connection did not take effect; is there a pooler in between?", name)
		}
	}
	if value := found["synchronous_commit"]; err == nil && value != "on" && value != "remote_apply" {
		err = fmt.Errorf("synchronous_commit is %q in spite of what the connection asked for", value)
	}
	return err
}

const warned = "warning"

// noteWarning remembers that the server warned of something on this connection.
func noteWarning(conn *pgconn.PgConn, notice *pgconn.Notice) {
	if notice.SeverityUnlocalized == "WARNING" {
		conn.CustomData()[warned] = notice.Code
	}
}

// pipeline sends statements in one round trip and one transaction, and hands each one's rows to its function. Each statement has a snapshot
// of its own. A warning is a failure: when somebody ends the wait for a synchronous standby, a commit that is on no other
// machine is reported as a success, with a warning.
func (s *Store) pipeline(ctx context.Context, batch *pgx.Batch) (err error) {
	began := time.Now()
	defer func() { s.counters.committed(time.Since(began), err) }()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("database: %w: %w", errNotSent, err)
	}
	defer conn.Release()
	data := conn.Conn().PgConn().CustomData()
	delete(data, warned)
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return warning(ctx, conn.Conn())
}

// warning returns an error when the server has warned of something on a connection, which it closes then.
func warning(ctx context.Context, conn *pgx.Conn) error {
	code, ok := conn.PgConn().CustomData()[warned]
	if !ok {
		return nil
	}
	_ = conn.Close(context.WithoutCancel(ctx))
	return fmt.Errorf("database: the commit may not be safe: the server warned (%s)", code)
}

// patiently runs f in a transaction whose statements may take as long as the context lets them: what looks at everybody takes its time.
func (s *Store) patiently(ctx context.Context, f func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
			return err
		}
		return f(tx)
	})
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}
