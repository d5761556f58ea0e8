// Package localservers runs what a cluster keeps its data in, on this machine alone: PostgreSQL and an S3 server (versitygw), as processes
// that end with the one that started them. "avatard dev --cluster" and the tests of the cluster engine use it.
//
//	programs.go ─► database.go, gateway.go ─► process.go
package localservers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
)

// Options tell how the servers run.
type Options struct {
	// Dir is where their data is; what an earlier start left there is used again. It is made when it is not there.
	Dir string
	// DatabaseDir is where PostgreSQL's data is, "" = in Dir.
	DatabaseDir string
	// AccessKey and SecretKey are what requests to the S3 server are signed with.
	AccessKey, SecretKey string
	// Accounts lets the S3 server have other accounts than the one of these keys.
	Accounts bool
	// Endpoint is the address of an S3 server that runs already, "" = one is started.
	Endpoint string
	// Unsafe leaves out syncs while the database is made.
	Unsafe bool
	// Port makes PostgreSQL listen on a port of loopback, too, where any user of this machine is let in.
	Port bool
	// Settings are some of PostgreSQL's own, as "commit_delay=2000".
	Settings []string
}

// Region is the region that the S3 server says it is in.
const Region = "us-east-1"

// Servers are running.
type Servers struct {
	o    Options
	port int // of PostgreSQL on loopback, 0 = none
	// Database and Gateway are the processes of PostgreSQL and of the S3 server, nil where that runs already.
	Database, Gateway *Process
	// Endpoint is the address of the S3 server, and Client a client of it that keeps no connection.
	Endpoint string
	Client   *minio.Client
}

// Start starts the servers, and returns when they answer. ErrMissing tells which programs have to be installed.
func Start(o Options) (*Servers, error) {
	found, err := findPrograms()
	if err != nil {
		return nil, err
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	if o.DatabaseDir == "" {
		o.DatabaseDir = o.Dir
	}
	s := &Servers{o: o}
	if err := errors.Join(os.MkdirAll(o.Dir, 0o700), os.MkdirAll(o.DatabaseDir, 0o700)); err != nil {
		return nil, err
	}
	if err := s.startDatabase(found.initdb, found.postgres); err != nil {
		return nil, err
	}
	if o.Endpoint != "" {
		s.Endpoint = o.Endpoint
		s.Client, err = s.newClient()
	} else {
		err = s.startGateway(found.gateway)
	}
	if err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

// Stop lets the servers finish what they do, and ends them.
func (s *Servers) Stop() {
	for _, server := range []*Process{s.Database, s.Gateway} {
		if server != nil {
			server.Stop()
		}
	}
}

// Kill ends the servers as a crash does.
func (s *Servers) Kill() {
	for _, server := range []*Process{s.Database, s.Gateway} {
		if server != nil {
			server.Kill()
		}
	}
}

// Make makes a database and a bucket of one name, the bucket with versions or without. Those that are there stay as they are.
func (s *Servers) Make(ctx context.Context, name string, versioned bool) error {
	conn, err := pgx.Connect(ctx, s.DatabaseAddress("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var there bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
			return err
		}
	}
	if there, err = s.Client.BucketExists(ctx, name); err != nil || there {
		return err
	}
	if err := s.Client.MakeBucket(ctx, name, minio.MakeBucketOptions{Region: Region}); err != nil {
		return err
	}
	if !versioned {
		return nil
	}
	return s.Client.EnableVersioning(ctx, name)
}

// logTail returns the last lines of a log, for an error.
func logTail(file string) string {
	const lines = 5
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	return fmt.Sprintf("%s says: %s", filepath.Base(file), strings.Join(all[max(0, len(all)-lines):], " · "))
}
