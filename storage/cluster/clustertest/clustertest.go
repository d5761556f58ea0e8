// Package clustertest runs what the cluster engine needs, for its tests: a PostgreSQL server and an S3 server (versitygw, with and without
// versions), as processes of their own on loopback, with data in temporary directories.
//
//	servers := clustertest.Start()    once in a test binary
//	defer servers.Stop()
//	made := servers.New(t, true)      a database and a bucket of the test's own
//
// Proofs run them with Run, kill them, and start them again on the data that they left.
//
// With the address of another S3 server in the variable CLUSTER_TEST_S3, such as http://127.0.0.1:8000, tests run on that one. It has to
// know AccessKey and SecretKey; buckets are made there and left.
package clustertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"example.org/avatard/internal/localservers"
	"example.org/avatard/storage/cluster/internal/bucket"
)

// Credentials of the S3 server, and its region.
const (
	AccessKey = "test-access"
	SecretKey = "test-secret-key"
	Region    = localservers.Region
)

// ErrMissing: a program that is needed is not installed.
var ErrMissing = localservers.ErrMissing

// Skips reports whether an error of Start or Run says that a program is not installed where that is no failure, which is everywhere but in
// CI.
func Skips(err error) bool {
	return errors.Is(err, ErrMissing) && os.Getenv("CI") == "" //nolint:forbidigo // not a setting of the program
}

// Process is a server that can be killed and started again on the data that it left.
type Process = localservers.Process

// Servers are running.
type Servers struct {
	*localservers.Servers
	dir   string // of the S3 server
	data  string // of PostgreSQL
	names string // what those of databases and buckets begin with
	mu    sync.Mutex
	made  int
}

// Options tell how PostgreSQL runs.
type Options struct {
	// Port makes it listen on a port of loopback, too.
	Port bool
	// Settings are some of its own, as "commit_delay=2000".
	Settings []string
}

// Start starts the servers. ErrMissing tells which program has to be installed.
func Start() (*Servers, error) { return Run(Options{}) }

// StartFor starts the servers for one test, which is skipped where they are not installed.
func StartFor(t *testing.T) *Servers {
	t.Helper()
	s, err := Start()
	if Skips(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// RunTests starts the servers for all tests of a package, runs those and returns the exit code. Where the servers are not installed it says
// so, and nothing is run.
func RunTests(m *testing.M, servers **Servers) int {
	s, err := Start()
	switch {
	case Skips(err):
		fmt.Println("skipped:", err) //nolint:forbidigo // as the testing package does
		return 0
	case err != nil:
		fmt.Println(err) //nolint:forbidigo // as the testing package does
		return 1
	}
	defer s.Stop()
	*servers = s
	return m.Run()
}

// Run is Start with options.
func Run(o Options) (s *Servers, err error) {
	s = new(Servers)
	if s.dir, err = os.MkdirTemp("", "cluster"); err != nil {
		return nil, err
	}
	// In memory where that can be: the tests kill processes, which lose nothing there, and syncs cost nothing.
	if s.data, err = os.MkdirTemp("/dev/shm", "cluster"); err != nil {
		s.data = s.dir
	}
	s.names = "store"
	other := os.Getenv("CLUSTER_TEST_S3") //nolint:forbidigo // not a setting of the program
	if other != "" {
		s.names = "t" + strings.ToLower(rand.Text())
	}
	s.Servers, err = localservers.Start(localservers.Options{Dir: s.dir, DatabaseDir: s.data, AccessKey: AccessKey, SecretKey: SecretKey, Accounts: true,
		Endpoint: other, Unsafe: true, Port: o.Port, Settings: o.Settings})
	if err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

// Stop ends the servers and removes their data.
func (s *Servers) Stop() {
	s.Kill()
	_ = s.remove()
}

func (s *Servers) remove() error { return errors.Join(os.RemoveAll(s.dir), os.RemoveAll(s.data)) }

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

// BucketOptions are those of a store's bucket, for the engine.
func (s *Servers) BucketOptions(made Store) bucket.Options {
	return bucket.Options{Endpoint: s.Endpoint, Region: Region, Bucket: made.Bucket, AccessKey: AccessKey, SecretKey: SecretKey}
}

// Make is New for what is not a test.
func (s *Servers) Make(ctx context.Context, versioned bool) (Store, error) {
	s.mu.Lock()
	s.made++
	name := s.names + strconv.Itoa(s.made)
	s.mu.Unlock()
	if err := s.Servers.Make(ctx, name, versioned); err != nil {
		return Store{}, err
	}
	return Store{Name: name, Database: s.DatabaseAddress(name), Bucket: name}, nil
}
