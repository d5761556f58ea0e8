package server

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/minio/minio-go/v7"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster"
	"example.org/avatard/storage/cluster/clustertest"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/storage/storagetest"
)

// subject is an engine that tests of faults run on, and a look past it at what it keeps.
type subject struct {
	storage.Engine
	// kept returns the sizes of the pictures, or of pieces of them, that are found where pictures are kept.
	kept func() ([]int, error)
	// left is kept for everything that the engine has written, when that is closed.
	left func() ([]int, error)
}

// newSubject makes what an engine needs before the bubble of a test begins, and returns how it is opened within.
type newSubject func(t *testing.T, pattern *storagetest.Pattern) (open func(t *testing.T) subject)

// embeddedSubject keeps its data in a directory. All of it is in the bubble, except for its files.
func embeddedSubject(t *testing.T, pattern *storagetest.Pattern) func(t *testing.T) subject {
	dir := t.TempDir()
	search := func(where string) ([]int, error) {
		pieces, err := pattern.Search(where)
		var sizes []int
		for _, piece := range pieces {
			sizes = append(sizes, piece.Length)
		}
		return sizes, err
	}
	return func(t *testing.T) subject {
		t.Helper()
		// Syncs take most of the time, and nothing here loses power.
		engine, err := embedded.Open(t.Context(), embedded.Config{Dir: dir, WrapFile: func(_ string, f embedded.File) embedded.File { return unsynced{f} }})
		if err != nil {
			t.Fatal(err)
		}
		return subject{engine, func() ([]int, error) { return search(filepath.Join(dir, "pictures.slab")) }, func() ([]int, error) { return search(dir) }}
	}
}

// unsynced is a file whose syncs do not reach the disk.
type unsynced struct{ embedded.File }

func (unsynced) Sync() error { return nil }

// clusterSubject keeps its data in a database and a bucket, outside the bubble.
func clusterSubject(servers *clustertest.Servers) newSubject {
	return func(t *testing.T, _ *storagetest.Pattern) func(t *testing.T) subject {
		t.Helper()
		made := servers.New(t, true)
		keys := filepath.Join(t.TempDir(), "keys")
		if err := cluster.NewKeyFile(keys); err != nil {
			t.Fatal(err)
		}
		engine, err := cluster.Open(t.Context(), cluster.Options{Database: made.Database, KeyFile: keys, Bucket: servers.BucketOptions(made)}, storage.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		o, end := newOutside(engine)
		t.Cleanup(end)
		// Pictures are encrypted there, so what counts is what is listed: versions and delete markers.
		listed := func() ([]int, error) {
			return takeOut(context.Background(), o, func(ctx context.Context) (sizes []int, err error) {
				for v := range servers.Client.ListObjects(ctx, made.Bucket, minio.ListObjectsOptions{WithVersions: true, Recursive: true}) {
					if v.Key != "avatard-installation" {
						sizes, err = append(sizes, int(v.Size)), errors.Join(err, v.Err)
					}
				}
				return sizes, err
			})
		}
		return func(*testing.T) subject { return subject{o, listed, listed} }
	}
}
