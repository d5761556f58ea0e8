package localservers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/jackc/pgx/v5"
)

// StartStandby copies PostgreSQL's data and starts a standby on the copy, which follows the primary by streaming. It returns the standby's
// process and the directory of its socket, for addresses. Stop and Kill of the servers do not end it.
func (s *Servers) StartStandby(ctx context.Context) (standby *Process, socket string, err error) {
	program, err := postgresProgram("pg_basebackup")
	if err != nil {
		return nil, "", err
	}
	data := filepath.Join(s.o.DatabaseDir, "sb")
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, "", err
	}
	as, err := databaseAccount(s.o.DatabaseDir, data)
	if err != nil {
		return nil, "", err
	}
	args := []string{"--host=" + s.Database.dir, "--username=avatard", "--pgdata=" + data, "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"}
	if s.o.Unsafe {
		args = append(args, "--no-sync")
	}
	copied := exec.CommandContext(ctx, program, args...) //nolint:gosec // a program that was looked for
	copied.SysProcAttr, copied.Dir = as, data
	if out, err := copied.CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("pg_basebackup: %w: %s", err, out)
	}
	sockets, err := filepath.Glob(filepath.Join(data, ".s.PGSQL.*")) // the primary's are among its data
	for _, name := range sockets {
		err = errors.Join(err, os.Remove(name))
	}
	if err != nil {
		return nil, "", err
	}
	standby = &Process{
		name: "the standby", program: s.Database.program, dir: data, as: as, log: filepath.Join(s.o.Dir, "standby.log"),
		args: []string{"-D", data, "-c", "unix_socket_directories=" + data, "-c", "max_connections=300", "-c", "listen_addresses="},
		end:  s.Database.end, death: s.Database.death,
		ask: func(ctx context.Context) error {
			conn, err := pgx.Connect(ctx, "host='"+data+"' user=avatard dbname=postgres")
			if err != nil {
				return err
			}
			return conn.Close(ctx)
		},
	}
	return standby, data, standby.Start()
}
