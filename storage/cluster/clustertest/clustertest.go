// Package clustertest runs what the cluster engine needs, for its tests: a PostgreSQL server and an S3 server (versitygw, with and without
// versions), as processes of their own on loopback, with data in temporary directories.
//
//	servers := clustertest.Start()    once in a test binary
//	defer servers.Stop()
//	made := servers.New(t, true)      a database and a bucket of the test's own
//
// Proofs run them with Run, kill them, and start them again on the data that they left: see process.go.
package clustertest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Credentials of the S3 server, and its region.
const (
	AccessKey = "test-access"
	SecretKey = "test-secret-key"
	Region    = "us-east-1"
)

// Servers are running.
type Servers struct {
	dir  string // of the S3 server
	data string // of PostgreSQL
	o    Options
	port int // of PostgreSQL on loopback, 0 = none
	// Database and Gateway are the processes of PostgreSQL and of the S3 server.
	Database, Gateway *Process
	// Endpoint is the address of the S3 server, and Client a client of it that shares nothing with the engine's.
	Endpoint string
	Client   *minio.Client
	mu       sync.Mutex
	made     int
}

// ErrMissing: a program that is needed is not installed.
var ErrMissing = errors.New("not installed")

// Options tell how PostgreSQL runs.
type Options struct {
	// Port makes it listen on a port of loopback, too.
	Port bool
	// Settings are some of its own, as "commit_delay=2000".
	Settings []string
}

// Start starts the servers. ErrMissing tells which program has to be installed.
func Start() (*Servers, error) { return Run(Options{}) }

// Run is Start with options.
func Run(o Options) (*Servers, error) {
	initdb, err := postgresProgram("initdb")
	if err != nil {
		return nil, err
	}
	postgres, err := postgresProgram("postgres")
	if err != nil {
		return nil, err
	}
	versitygw, err := gatewayProgram()
	if err != nil {
		return nil, err
	}
	s := &Servers{o: o}
	if s.dir, err = os.MkdirTemp("", "cluster"); err != nil {
		return nil, err
	}
	// In memory where that can be: the tests kill processes, which lose nothing there, and syncs cost nothing.
	if s.data, err = os.MkdirTemp("/dev/shm", "cluster"); err != nil {
		s.data = s.dir
	}
	if err := errors.Join(s.startDatabase(initdb, postgres), s.startGateway(versitygw)); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// postgresProgram finds a program of PostgreSQL, also where Debian puts it, of the newest version.
func postgresProgram(name string) (string, error) {
	if found, err := exec.LookPath(name); err == nil {
		return found, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	slices.SortFunc(found, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	if len(found) == 0 {
		return "", fmt.Errorf("%s %w: it comes with Debian's package postgresql", name, ErrMissing)
	}
	return found[len(found)-1], nil
}

// gatewayProgram finds the S3 server, also in bin/ of the repository.
func gatewayProgram() (string, error) {
	const name = "versitygw"
	if found, err := exec.LookPath(name); err == nil {
		return found, nil
	}
	at, err := os.Getwd()
	for err == nil {
		found := filepath.Join(at, "bin", name)
		if info, err := os.Stat(found); err == nil && info.Mode().IsRegular() {
			return found, nil
		}
		up := filepath.Dir(at)
		if up == at {
			break
		}
		at = up
	}
	return "", fmt.Errorf("%s %w: .tools/install.sh %s builds it", name, ErrMissing, name)
}

// startDatabase starts PostgreSQL with a socket in the directory. It does not run as root, so then it runs as the account that its package
// made, or as nobody.
func (s *Servers) startDatabase(initdb, postgres string) error {
	data := filepath.Join(s.data, "database")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	account := new(syscall.SysProcAttr)
	if os.Getuid() == 0 {
		who, err := user.Lookup("postgres")
		if err != nil {
			if who, err = user.Lookup("nobody"); err != nil {
				return err
			}
		}
		uid, _ := strconv.Atoi(who.Uid)
		gid, _ := strconv.Atoi(who.Gid)
		account.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := errors.Join(os.Chmod(s.data, 0o711), os.Chown(data, uid, gid)); err != nil {
			return err
		}
	}
	create := exec.CommandContext( //nolint:gosec // programs that were looked for
		context.Background(), initdb, "--pgdata="+data, "--username=avatard", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
	create.SysProcAttr, create.Dir = account, data
	if out, err := create.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
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
		name: "PostgreSQL", program: postgres, args: args, dir: data, account: account, log: filepath.Join(s.dir, "database.log"),
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

// DatabaseAddress returns the address of a database.
func (s *Servers) DatabaseAddress(name string) string {
	address := fmt.Sprintf("host=%s user=avatard dbname=%s", filepath.Join(s.data, "database"), name)
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

func (s *Servers) startGateway(versitygw string) error {
	for _, name := range []string{"objects", "versions"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o700); err != nil {
			return err
		}
	}
	at, err := freeAddress()
	if err != nil {
		return err
	}
	s.Endpoint = "http://" + at.String()
	if s.Client, err = newClient(s.Endpoint); err != nil {
		return err
	}
	s.Gateway = &Process{
		name: "versitygw", program: versitygw, dir: s.dir, log: filepath.Join(s.dir, "gateway.log"), death: syscall.SIGKILL,
		args: []string{"--port", at.String(), "--access", AccessKey, "--secret", SecretKey, "--region", Region, "--keep-alive", "--quiet",
			"posix", "--versioning-dir", filepath.Join(s.dir, "versions"), filepath.Join(s.dir, "objects")},
		ask: func(ctx context.Context) error {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint, nil)
			if err != nil {
				return err
			}
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			answer, err := client.Do(r)
			if err != nil {
				return err
			}
			return answer.Body.Close()
		},
	}
	return s.Gateway.Start()
}

// Stop ends the servers and removes their data.
func (s *Servers) Stop() {
	for _, server := range []*Process{s.Database, s.Gateway} {
		if server != nil {
			server.Kill()
		}
	}
	_ = errors.Join(os.RemoveAll(s.dir), os.RemoveAll(s.data))
}

// Store is a database and a bucket of one test.
type Store struct {
	// Name is that of the database in its server, Database its address.
	Name, Database string
	Bucket         string
}

// New makes an empty database and an empty bucket, with versions or without.
func (s *Servers) New(t testing.TB, versioned bool) Store {
	t.Helper()
	made, err := s.Make(t.Context(), versioned)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// Make is New for what is not a test.
func (s *Servers) Make(ctx context.Context, versioned bool) (Store, error) {
	s.mu.Lock()
	s.made++
	name := "store" + strconv.Itoa(s.made)
	s.mu.Unlock()
	conn, err := pgx.Connect(ctx, s.DatabaseAddress("postgres"))
	if err != nil {
		return Store{}, err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return Store{}, err
	}
	if err := s.Client.MakeBucket(ctx, name, minio.MakeBucketOptions{Region: Region}); err != nil {
		return Store{}, err
	}
	if versioned {
		if err := s.Client.EnableVersioning(ctx, name); err != nil {
			return Store{}, err
		}
	}
	return Store{Name: name, Database: s.DatabaseAddress(name), Bucket: name}, nil
}

// newClient returns a client of the S3 server that shares nothing with the engine's, and keeps no connection.
func newClient(endpoint string) (*minio.Client, error) {
	return minio.New(strings.TrimPrefix(endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(AccessKey, SecretKey, ""), Region: Region, BucketLookup: minio.BucketLookupPath,
		Transport: &http.Transport{DisableKeepAlives: true},
	})
}
