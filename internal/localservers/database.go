package localservers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// maxSocketPath is the longest path of a socket that every system takes.
const maxSocketPath = 103

// startDatabase starts PostgreSQL with a socket among its data, where nobody else can come to it.
func (s *Servers) startDatabase(initdb, postgres string) error {
	data := filepath.Join(s.o.DatabaseDir, "pg")
	if len(data)+len("/.s.PGSQL.65535") > maxSocketPath {
		return fmt.Errorf("the path %s is too long for PostgreSQL's socket: choose a shorter directory", data)
	}
	if err := os.Mkdir(data, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	as, err := databaseAccount(s.o.DatabaseDir, data)
	if err != nil {
		return err
	}
	if err := s.initialize(initdb, data, as); err != nil {
		return err
	}
	args := []string{"-D", data, "-c", "unix_socket_directories=" + data, "-c", "max_connections=300"}
	listen := ""
	if s.o.Port {
		address, err := freeAddress()
		if err != nil {
			return err
		}
		s.port, listen = address.Port, address.IP.String()
		args = append(args, "-c", "port="+strconv.Itoa(s.port))
	}
	args = append(args, "-c", "listen_addresses="+listen)
	for _, setting := range s.o.Settings {
		args = append(args, "-c", setting)
	}
	s.Database = &Process{
		name: "PostgreSQL", program: postgres, args: args, dir: data, as: as, log: filepath.Join(s.o.Dir, "database.log"),
		end:   syscall.SIGINT,  // ends sessions, and writes what there is
		death: syscall.SIGQUIT, // as pg_ctl -m immediate: nothing is finished or written, and none of its processes stays behind
		ask: func(ctx context.Context) error {
			conn, err := pgx.Connect(ctx, s.DatabaseAddress("postgres"))
			if err != nil {
				return err
			}
			return conn.Close(ctx)
		},
	}
	return s.Database.Start()
}

// initialize makes an empty database server, unless there is one.
func (s *Servers) initialize(initdb, data string, as *syscall.SysProcAttr) error {
	if entries, err := os.ReadDir(data); err != nil || len(entries) > 0 {
		return err
	}
	args := []string{"--pgdata=" + data, "--username=avatard", "--auth=trust", "--encoding=UTF8", "--no-locale"}
	if s.o.Unsafe {
		args = append(args, "--no-sync")
	}
	create := exec.CommandContext(context.Background(), initdb, args...) //nolint:gosec // a program that was looked for
	create.SysProcAttr, create.Dir = as, data
	out, err := create.CombinedOutput()
	if errors.Is(err, fs.ErrPermission) && os.Getuid() == 0 {
		return fmt.Errorf("initdb: %w: PostgreSQL runs as another account than root, which has to be able to pass through every directory above %s", err, data)
	}
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// DatabaseAddress returns the address of a database.
func (s *Servers) DatabaseAddress(name string) string {
	address := fmt.Sprintf("host='%s' user=avatard dbname=%s", s.Database.dir, name)
	if s.port != 0 {
		address += " port=" + strconv.Itoa(s.port)
	}
	return address
}

// DatabasePort returns the address of PostgreSQL on loopback, as host:port.
func (s *Servers) DatabasePort() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// freeAddress returns an address of loopback on which nobody listens.
func freeAddress() (*net.TCPAddr, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return listener.Addr().(*net.TCPAddr), listener.Close()
}
