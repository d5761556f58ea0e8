package localservers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// startGateway starts the S3 server.
func (s *Servers) startGateway(program string) error {
	objects, versions := filepath.Join(s.o.Dir, "objects"), filepath.Join(s.o.Dir, "versions")
	for _, dir := range []string{objects, versions} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	var accounts []string
	if s.o.Accounts {
		dir := filepath.Join(s.o.Dir, "accounts")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		accounts = []string{"--iam-dir", dir}
	}
	at, err := freeAddress()
	if err != nil {
		return err
	}
	s.Endpoint = "http://" + at.String()
	if s.Client, err = s.newClient(); err != nil {
		return err
	}
	s.Gateway = &Process{
		name: "versitygw", program: program, dir: s.o.Dir, log: filepath.Join(s.o.Dir, "gateway.log"), end: syscall.SIGTERM, death: syscall.SIGKILL,
		// Other users of the machine can see a command line, so the keys are not in it.
		environ: []string{"ROOT_ACCESS_KEY=" + s.o.AccessKey, "ROOT_SECRET_KEY=" + s.o.SecretKey},
		args: append(append([]string{"--port", at.String(), "--region", Region, "--keep-alive", "--quiet"}, accounts...),
			"posix", "--versioning-dir", versions, objects),
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

// AddAccount makes an account of the S3 server, for which policies of buckets hold; Options.Accounts has to be set. The secret key is in a
// command line while it does.
func (s *Servers) AddAccount(ctx context.Context, accessKey, secretKey string) error {
	add := exec.CommandContext(ctx, s.Gateway.program, "admin", "create-user", "--access", accessKey, "--secret", secretKey, "--role", "user") //nolint:gosec // a program that was looked for
	add.Env = append(add.Environ(), "ADMIN_ACCESS_KEY="+s.o.AccessKey, "ADMIN_SECRET_KEY="+s.o.SecretKey, "ADMIN_REGION="+Region, "ADMIN_ENDPOINT_URL="+s.Endpoint)
	if out, err := add.CombinedOutput(); err != nil {
		return fmt.Errorf("an account of the S3 server: %w: %s", err, out)
	}
	return nil
}

// newClient returns a client of the S3 server that shares nothing with the engine's, and keeps no connection.
func (s *Servers) newClient() (*minio.Client, error) {
	return minio.New(strings.TrimPrefix(s.Endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(s.o.AccessKey, s.o.SecretKey, ""), Region: Region, BucketLookup: minio.BucketLookupPath,
		Transport: &http.Transport{DisableKeepAlives: true},
	})
}
