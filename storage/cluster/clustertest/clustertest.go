// Package clustertest runs what the cluster engine needs, for its tests: a PostgreSQL server and an S3 server (versitygw, with and without
// versions), as processes of their own on loopback, with data in temporary directories.
//
//	servers := clustertest.Start()    once in a test binary
//	defer servers.Stop()
//	o := servers.Options(t, true)     a database, a bucket and a key of the test's own
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
	"time"

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

// startLimit is how long a server may take to start.
const startLimit = 60 * time.Second

// Servers are running.
type Servers struct {
	dir      string // of the S3 server
	data     string // of PostgreSQL
	database *exec.Cmd
	gateway  *exec.Cmd
	// Endpoint is the address of the S3 server, and Client a client of it that shares nothing with the engine's.
	Endpoint string
	Client   *minio.Client
	mu       sync.Mutex
	made     int
}

// ErrMissing: a program that is needed is not installed.
var ErrMissing = errors.New("not installed")

// Start starts the servers. ErrMissing tells which program has to be installed.
func Start() (*Servers, error) {
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
	s := new(Servers)
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
	s.database = exec.CommandContext( //nolint:gosec // likewise
		context.Background(), postgres, "-D", data, "-c", "listen_addresses=", "-c", "unix_socket_directories="+data, "-c", "max_connections=300")
	s.database.SysProcAttr, s.database.Dir = account, data
	log, err := os.Create(filepath.Join(s.dir, "database.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.database.Stdout, s.database.Stderr = log, log
	if err := s.database.Start(); err != nil {
		return err
	}
	return started("PostgreSQL", func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, s.DatabaseAddress("postgres"))
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}

// DatabaseAddress returns the address of a database.
func (s *Servers) DatabaseAddress(name string) string {
	return fmt.Sprintf("host=%s user=avatard dbname=%s", filepath.Join(s.data, "database"), name)
}

func (s *Servers) startGateway(versitygw string) error {
	for _, name := range []string{"objects", "versions"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o700); err != nil {
			return err
		}
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	_ = listener.Close()
	s.Endpoint = "http://" + address
	if s.Client, err = newClient(s.Endpoint); err != nil {
		return err
	}
	s.gateway = exec.CommandContext( //nolint:gosec // likewise
		context.Background(), versitygw, "--port", address, "--access", AccessKey, "--secret", SecretKey, "--region", Region, "--keep-alive", "--quiet",
		"posix", "--versioning-dir", filepath.Join(s.dir, "versions"), filepath.Join(s.dir, "objects"))
	s.gateway.Dir = s.dir
	if err := s.gateway.Start(); err != nil {
		return err
	}
	return started("versitygw", func(ctx context.Context) error {
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
	})
}

// started asks until a server answers.
func started(name string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not start: %w", name, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the servers and removes their data.
func (s *Servers) Stop() {
	for _, server := range []*exec.Cmd{s.database, s.gateway} {
		if server != nil && server.Process != nil {
			_ = server.Process.Signal(syscall.SIGQUIT) // PostgreSQL ends at once
			_ = server.Wait()
		}
	}
	_ = errors.Join(os.RemoveAll(s.dir), os.RemoveAll(s.data))
}

// Store is a database and a bucket of one test.
type Store struct {
	Database, Bucket string
}

// New makes an empty database and an empty bucket, with versions or without.
func (s *Servers) New(t testing.TB, versioned bool) Store {
	t.Helper()
	s.mu.Lock()
	s.made++
	name := "store" + strconv.Itoa(s.made)
	s.mu.Unlock()
	conn, err := pgx.Connect(t.Context(), s.DatabaseAddress("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	if err := s.Client.MakeBucket(t.Context(), name, minio.MakeBucketOptions{Region: Region}); err != nil {
		t.Fatal(err)
	}
	if versioned {
		if err := s.Client.EnableVersioning(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	return Store{s.DatabaseAddress(name), name}
}

// newClient returns a client of the S3 server that shares nothing with the engine's, and keeps no connection.
func newClient(endpoint string) (*minio.Client, error) {
	return minio.New(strings.TrimPrefix(endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(AccessKey, SecretKey, ""), Region: Region, BucketLookup: minio.BucketLookupPath,
		Transport: &http.Transport{DisableKeepAlives: true},
	})
}
