package cluster

import (
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"example.org/avatard/storage"
)

func checked(t *testing.T, s *Store, repair bool) (found []storage.Finding, sum storage.CheckSummary) {
	t.Helper()
	sum, err := s.Check(t.Context(), storage.CheckOptions{Repair: repair, By: by}, func(f storage.Finding) error {
		found = append(found, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(found, func(a, b storage.Finding) int { return strings.Compare(string(a.Kind)+a.User, string(b.Kind)+b.User) })
	return found, sum
}

// A check finds what does not belong, and repairs what can be; it finds nothing afterwards but what is somebody else's.
func TestCheck(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	bucket := o.Bucket.Bucket
	object := func(name, text string) { putObject(t, bucket, name, text) }
	whole, missing, broken := addUser(t, s, "whole"), addUser(t, s, "missing"), addUser(t, s, "broken")
	put(t, s, whole)
	if found, sum := checked(t, s, false); len(found) > 0 || sum.Pictures != 1 || sum.Users != 3 || sum.Slots != 1 {
		t.Fatalf("a store that is right: %+v, %+v", found, sum)
	}
	eraseObject(t, bucket, s.folders.of(missing.Issuer, missing.ID)+put(t, s, missing))
	generation := put(t, s, broken)
	if _, err := sql(t, o).Exec(t.Context(), `UPDATE person SET size = size + 1 WHERE id = 'broken'`); err != nil {
		t.Fatal(err)
	}
	object(s.folders.of(whole.Issuer, whole.ID)+newGeneration().String(), "late")
	object(s.folders.of("https://issuer.test", "nobody")+newGeneration().String(), "nobody's")
	object("somebody/else.txt", "else")
	stuck := addUser(t, s, "stuck")
	put(t, s, stuck)
	o.Bucket.Transport.(*breakable).broken.Store(true)
	if _, err := s.Remove(t.Context(), removalOf(stuck)); err == nil {
		t.Fatal("Remove that cannot erase = nil")
	}
	o.Bucket.Transport.(*breakable).broken.Store(false)
	if _, err := sql(t, o).Exec(t.Context(), `UPDATE work SET begun_at = begun_at - interval '2 min'`); err != nil {
		t.Fatal(err)
	}
	kinds := func(found []storage.Finding) (list []string) {
		for _, f := range found {
			list = append(list, string(f.Kind)+" "+f.User)
		}
		return list
	}
	want := []string{"erasure-unfinished stuck", "orphaned-bytes ", "orphaned-bytes ", "orphaned-bytes ", "picture-missing missing", "picture-unreadable broken"}
	for _, repair := range []bool{false, true} {
		found, sum := checked(t, s, repair)
		if got := kinds(found); !slices.Equal(got, want) || sum.Findings != int64(len(want)) {
			t.Errorf("repair %v: found %v, want %v", repair, got, want)
		}
		for _, f := range found {
			if f.Repaired != (repair && !strings.Contains(f.Detail, "else.txt")) {
				t.Errorf("repair %v: %+v", repair, f)
			}
			if f.Kind == storage.PictureUnreadable && f.Generation != generation {
				t.Errorf("unreadable: %+v, want generation %s", f, generation)
			}
		}
	}
	for range 2 { // a repair of a picture leaves an erasure, which is done by the sweeper
		if err := s.sweepOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if found, _ := checked(t, s, false); len(found) != 1 || found[0].Kind != storage.OrphanedBytes || !strings.Contains(found[0].Detail, "else.txt") {
		t.Errorf("after the repair: %+v", found)
	}
}

// putObject stores an object, and eraseObject erases all versions of those whose name begins so.
func putObject(t *testing.T, bucket, name, text string) {
	t.Helper()
	if _, err := servers.Client.PutObject(t.Context(), bucket, name, strings.NewReader(text), int64(len(text)), minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
}

func eraseObject(t *testing.T, bucket, name string) {
	t.Helper()
	for v := range servers.Client.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Prefix: name, WithVersions: true, Recursive: true}) {
		if err := servers.Client.RemoveObject(t.Context(), bucket, v.Key, minio.RemoveObjectOptions{VersionID: v.VersionID}); err != nil {
			t.Fatal(err)
		}
	}
}

// Somebody who is registered while a check runs, or uploads, keeps the picture, also when the check repairs.
func TestCheckOfNewcomers(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	known := addUser(t, s, "known")
	transport, came := o.Bucket.Transport.(*breakable), false
	var newcomer storage.UserKey
	transport.script = func(r *http.Request) *http.Response {
		if q := r.URL.Query(); !came && q.Has("versions") && q.Get("prefix") == "" { // people are read before the bucket is listed
			came = true
			newcomer = addUser(t, s, "newcomer")
			put(t, s, newcomer)
			put(t, s, known)
		}
		return nil
	}
	if found, _ := checked(t, s, true); len(found) > 0 || !came {
		t.Errorf("found %+v, want nothing", found)
	}
	for _, u := range []storage.UserKey{known, newcomer} {
		if _, err := s.Get(t.Context(), u, acme); err != nil {
			t.Errorf("the picture of %s: %v", u.ID, err)
		}
	}
}

// A picture that is missing is taken off the record only in the bucket that belongs to the database.
func TestMissingPictureInAnotherBucket(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	u := addUser(t, s, "u")
	generation := put(t, s, u)
	o.Bucket.Transport.(*breakable).script = scripted("GET", "", 404, "NoSuchKey")
	c := &check{Store: s}
	if done, err := c.takeOffRecord(t.Context(), 1, hexBytes(t, generation)); err == nil {
		t.Errorf("takeOffRecord in a bucket of nobody = %q, want an error", done)
	}
	o.Bucket.Transport.(*breakable).script = nil
	if info, err := s.Stat(t.Context(), u, acme); err != nil || info.Generation != generation {
		t.Errorf("after the repair that was refused: %+v, %v", info, err)
	}
}

func hexBytes(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// With a file that has another key under the same id, a check that repairs takes no picture off the record: an operator who puts the right file back
// has them all.
func TestCheckWithAnotherKeyOfTheSameID(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	u := addUser(t, s, "u")
	put(t, s, u)
	right, err := os.ReadFile(o.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(content []byte) {
		t.Helper()
		if err := os.Remove(o.KeyFile); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(o.KeyFile, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if changed, err := s.keys.Reload(); err != nil || !changed {
			t.Fatalf("Reload = %v, %v, want true, nil", changed, err)
		}
	}
	id, _, _ := strings.Cut(string(right), " ")
	replace(newKey(t, id))
	for _, repair := range []bool{false, true} {
		found, _ := checked(t, s, repair)
		if len(found) != 1 || found[0].Kind != storage.PictureUnreadable || found[0].Repaired || !strings.Contains(found[0].Detail, "another key") {
			t.Errorf("repair %v: %+v, want one picture that is unreadable for want of its key", repair, found)
		}
	}
	if _, err := s.Get(t.Context(), u, acme); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Get = %v, want %v", err, storage.ErrUnavailable)
	}
	replace(right)
	if p, err := s.Get(t.Context(), u, acme); err != nil || len(p.Data) != 3000 {
		t.Errorf("Get with the right key = %d bytes, %v", len(p.Data), err)
	}
}
