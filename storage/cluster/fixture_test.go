package cluster

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"

	"example.org/avatard/storage"
)

const acme = "69629023906488334"

var by = storage.Origin{Caller: "test", CallerOrganization: acme, RequestID: "request-1"}

func openStore(t *testing.T, o Options) *Store {
	t.Helper()
	return openStoreAs(t, o, storage.OpenOptions{})
}

func openStoreAs(t *testing.T, o Options, how storage.OpenOptions) *Store {
	t.Helper()
	s, err := Open(t.Context(), o, how)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// readmitting is the origin of an administrator, who registers on purpose.
var readmitting = storage.Origin{Caller: by.Caller, CallerOrganization: by.CallerOrganization, RequestID: by.RequestID, Readmits: true}

// addUser registers a user, also one who has ended.
func addUser(t *testing.T, s *Store, id string) storage.UserKey {
	t.Helper()
	u := storage.UserKey{Issuer: "https://issuer.test", ID: id}
	if _, _, err := s.AddUser(t.Context(), u, acme, readmitting); err != nil {
		t.Fatal(err)
	}
	return u
}

func uploadOf(u storage.UserKey, size int) storage.Upload {
	return storage.Upload{User: u, Organization: acme, By: by,
		Picture: storage.Picture{Format: storage.PNG, Data: []byte(strings.Repeat("p", size))}}
}

func removalOf(u storage.UserKey) storage.Removal {
	return storage.Removal{User: u, Organization: acme, By: by}
}

func put(t *testing.T, s *Store, u storage.UserKey) string {
	t.Helper()
	if _, err := s.Put(t.Context(), uploadOf(u, 3000)); err != nil {
		t.Fatal(err)
	}
	info, err := s.Stat(t.Context(), u, acme)
	if err != nil {
		t.Fatal(err)
	}
	return info.Generation
}

func remove(t *testing.T, s *Store, u storage.UserKey) storage.Result {
	t.Helper()
	res, err := s.Remove(t.Context(), removalOf(u))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func eraseUser(t *testing.T, s *Store, u storage.UserKey) storage.Result {
	t.Helper()
	res, err := s.EraseUser(t.Context(), removalOf(u))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// listed returns the names of all that a bucket lists but the object that tells whose it is: versions and delete markers, by a client
// that is not the engine's.
func listed(t *testing.T, o Options) (names []string) {
	t.Helper()
	for v := range servers.Client.ListObjects(t.Context(), o.Bucket.Bucket, minio.ListObjectsOptions{WithVersions: true, Recursive: true}) {
		if v.Err != nil {
			t.Fatal(v.Err)
		}
		if v.Key == "avatard-installation" {
			continue
		}
		name := v.Key + " " + v.VersionID
		if v.IsDeleteMarker {
			name += " marker"
		}
		names = append(names, name)
	}
	return names
}

// sql is a connection to a store's database, beside the engine.
func sql(t *testing.T, o Options) *pgx.Conn {
	t.Helper()
	return sqlOf(t, o.Database+" search_path=avatard")
}

// sqlOf is a connection to a database.
func sqlOf(t *testing.T, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}
