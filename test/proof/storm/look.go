package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/minio/minio-go/v7"
)

// folders makes the names of people's folders, as the engine does, but in code of its own.
type folders struct {
	key    []byte
	issuer string
}

func (w *world) folderNames(ctx context.Context) (f folders, err error) {
	f.issuer = w.testbed.Issuer()
	conn, err := w.query(ctx)
	if err != nil {
		return f, err
	}
	defer func() { _ = conn.Close(ctx) }()
	err = conn.QueryRow(ctx, `SELECT folder_key FROM installation`).Scan(&f.key)
	return f, err
}

func (f folders) of(user string) string {
	mac := hmac.New(sha256.New, f.key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(f.issuer))))
	mac.Write([]byte(f.issuer + user))
	digits := hex.EncodeToString(mac.Sum(nil)[:16])
	return digits[:2] + "/" + digits[2:4] + "/" + digits + "/"
}

// listed is a version or a delete marker in the bucket.
type listed struct {
	name, version string
	marker        bool
}

// lookLimit is how long a look may take: as long as the S3 server may be down.
const lookLimit = 60 * time.Second

// look lists all versions and delete markers below a prefix, past the proxy, by a client that shares nothing with the engine's.
func (w *world) look(ctx context.Context, prefix string) (found []listed, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	for {
		if found, err = w.lookOnce(ctx, prefix); err == nil || ctx.Err() != nil {
			return found, err
		}
		pause(ctx, 20*time.Millisecond)
	}
}

func (w *world) lookOnce(ctx context.Context, prefix string) (found []listed, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for o := range w.servers.Client.ListObjects(ctx, w.store.Bucket, minio.ListObjectsOptions{Prefix: prefix, WithVersions: true, Recursive: true}) {
		if o.Err != nil {
			return nil, o.Err
		}
		found = append(found, listed{o.Key, o.VersionID, o.IsDeleteMarker})
	}
	return found, ctx.Err()
}
