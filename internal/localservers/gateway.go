package localservers

import (
	"context"
	"net/http"
	"os"
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
		args: []string{"--port", at.String(), "--region", Region, "--keep-alive", "--quiet",
			"posix", "--versioning-dir", versions, objects},
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

// newClient returns a client of the S3 server that shares nothing with the engine's, and keeps no connection.
func (s *Servers) newClient() (*minio.Client, error) {
	return minio.New(strings.TrimPrefix(s.Endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(s.o.AccessKey, s.o.SecretKey, ""), Region: Region, BucketLookup: minio.BucketLookupPath,
		Transport: &http.Transport{DisableKeepAlives: true},
	})
}
