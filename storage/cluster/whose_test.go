package cluster

import (
	"errors"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/bucket"
)

// divert gives a store another bucket, as an address does that leads to another server, and returns what ends that.
func divert(t *testing.T, s *Store, o Options, to string) (end func()) {
	t.Helper()
	right := s.bucket
	o.Bucket.Bucket = to
	other, err := bucket.New(o.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	s.bucket = other
	return func() { s.bucket = right }
}

// A bucket that becomes another one while the store serves is no bucket in which anything is done. What was erased there before somebody looked is
// erased in the right one.
func TestBucketBecomesAnother(t *testing.T) {
	for name, other := range map[string]func(*testing.T) string{
		"nobody's":               func(t *testing.T) string { return servers.New(t, true).Bucket },
		"another installation's": func(t *testing.T) string { o := options(t, true); openStore(t, o); return o.Bucket.Bucket },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, true)
			s := openStore(t, o)
			s.sweeping() // only the test looks
			early, late := addUser(t, s, "early"), addUser(t, s, "late")
			put(t, s, early)
			generation := put(t, s, late)
			end := divert(t, s, o, other(t))
			remove(t, s, early)
			if err := s.sweepOwn(t.Context()); !errors.Is(err, ErrUnsuitable) {
				t.Errorf("sweepOwn = %v, want %v", err, ErrUnsuitable)
			}
			_, removed := s.Remove(t.Context(), removalOf(late))
			_, stored := s.Put(t.Context(), uploadOf(late, 3000))
			_, got := s.Get(t.Context(), late, acme)
			for what, err := range map[string]error{"Remove": removed, "Put": stored, "Get": got, "Ready": s.Ready(t.Context())} {
				if !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, ErrUnsuitable) {
					t.Errorf("%s = %v, want %v", what, err, ErrUnsuitable)
				}
			}
			end()
			if err := s.sweepOwn(t.Context()); err != nil {
				t.Errorf("sweepOwn = %v, want nil", err)
			}
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("Ready = %v, want nil", err)
			}
			if p, err := s.Get(t.Context(), late, acme); err != nil || p.Generation != generation {
				t.Errorf("Get = %q, %v, want the picture of before", p.Generation, err)
			}
			if left := listed(t, o); len(left) != 1 || !strings.Contains(strings.Join(left, " "), generation) {
				t.Errorf("listed: %v, want the picture that is there, and nothing that was removed", left)
			}
		})
	}
}

// The object that tells whose the bucket is can be put back by hand, from what the database holds, also where the bucket has a delete marker.
func TestLostIdentityIsPutBack(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	s.sweeping() // only the test looks
	u := addUser(t, s, "u")
	generation := put(t, s, u)
	if err := servers.Client.RemoveObject(t.Context(), o.Bucket.Bucket, "avatard-installation", minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(t.Context()); !errors.Is(err, ErrUnsuitable) {
		t.Errorf("Ready = %v, want %v", err, ErrUnsuitable)
	}
	var id string
	if err := sql(t, o).QueryRow(t.Context(), `SELECT encode(bucket_id, 'hex') FROM avatard.installation`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	putObject(t, o.Bucket.Bucket, "avatard-installation", id)
	if err := s.sweepOwn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("Ready = %v, want nil", err)
	}
	if p, err := s.Get(t.Context(), u, acme); err != nil || p.Generation != generation {
		t.Errorf("Get = %q, %v, want the picture", p.Generation, err)
	}
	remove(t, s, u)
}
