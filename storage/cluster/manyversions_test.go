package cluster

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"

	"example.org/avatard/storage"
)

// However much lies in one person's folder, it is erased page by page, and what is in use stays, also when that alone fills pages.
func TestFolderOfMany(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	s.folderPage = 3
	u := addUser(t, s, "u")
	generation := put(t, s, u)
	folder := s.folders.of(u.Issuer, u.ID)
	stray := func(name string, n int) {
		for range n {
			if _, err := servers.Client.PutObject(t.Context(), o.Bucket.Bucket, folder+name, strings.NewReader("stray"), 5, minio.PutObjectOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill := func() {
		for i := range 5 {
			stray(fmt.Sprintf("%d.%032d", i, i), 1)
		}
		stray(strings.Repeat("0", 32), 4) // before and behind what is in use
		stray(strings.Repeat("f", 32), 4)
		stray(generation, 7)
		if err := servers.Client.RemoveObject(t.Context(), o.Bucket.Bucket, folder+strings.Repeat("f", 32), minio.RemoveObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	fill()
	before := generation
	generation = put(t, s, u)
	if left := listed(t, o); len(left) != 1 || !strings.Contains(left[0], generation) {
		t.Errorf("listed after the replacement of %s: %v, want one of %s", before, left, generation)
	}
	fill()
	var uid int64
	if err := sql(t, o).QueryRow(t.Context(), `SELECT uid FROM person`).Scan(&uid); err != nil {
		t.Fatal(err)
	}
	if err := s.clean(t.Context(), uid, folder, nil, nil); err != nil {
		t.Error(err)
	}
	left := listed(t, o)
	if other := slices.DeleteFunc(slices.Clone(left), func(name string) bool { return strings.Contains(name, generation) }); len(left) != 8 || len(other) > 0 {
		t.Errorf("listed after the folder was looked at: %v, want eight versions of %s", left, generation)
	}
	stray(strings.Repeat("f", 32), 1) // behind pages that are in use
	if err := s.clean(t.Context(), uid, folder, nil, nil); err != nil {
		t.Error(err)
	}
	if left := listed(t, o); len(left) != 8 {
		t.Errorf("listed after the folder was looked at again: %v, want eight", left)
	}
	fill()
	remove(t, s, u)
	if left := listed(t, o); len(left) > 0 {
		t.Errorf("listed after the delete: %v", left)
	}
}

// An erasure that cannot do all of a full folder does some, so that one of the next ones does the rest.
func TestFullFolderBecomesEmpty(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	s.folderPage = 3
	s.sweeping() // only the test sweeps
	u := addUser(t, s, "u")
	put(t, s, u)
	const strays, each = 20, 8
	for i := range strays {
		name := s.folders.of(u.Issuer, u.ID) + fmt.Sprintf("%032d", i)
		if _, err := servers.Client.PutObject(t.Context(), o.Bucket.Bucket, name, strings.NewReader("stray"), 5, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	var left atomic.Int64
	o.Bucket.Transport.(*breakable).script = func(r *http.Request) *http.Response {
		if r.Method == http.MethodDelete && left.Add(-1) < 0 {
			return answer(http.StatusForbidden, "AccessDenied")
		}
		return nil
	}
	tries := 0
	for err := storage.ErrUnavailable; err != nil; tries++ {
		if tries > strays {
			t.Fatalf("after %d tries: %v; listed: %v", tries, err, listed(t, o))
		}
		left.Store(each)
		if _, err = s.Remove(t.Context(), removalOf(u)); err != nil && !errors.Is(err, storage.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if left := listed(t, o); len(left) > 0 || tries != 3 {
		t.Errorf("after %d tries there are %v, want three and none", tries, left)
	}
}

// A bucket that keeps what is deleted is told so after a few looks, however much there is.
func TestFolderThatKeepsAll(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	s.folderPage = 3
	s.sweeping() // its listings would be counted, too
	u := addUser(t, s, "u")
	put(t, s, u)
	for i := range 8 {
		name := s.folders.of(u.Issuer, u.ID) + fmt.Sprintf("%032d", i)
		if _, err := servers.Client.PutObject(t.Context(), o.Bucket.Bucket, name, strings.NewReader("stray"), 5, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	o.Bucket.Transport.(*breakable).script = scripted(http.MethodDelete, "versionId", http.StatusNoContent, "")
	before := s.bucket.Requests.Counts().List
	if _, err := s.Remove(t.Context(), removalOf(u)); !errors.Is(err, errNotEmpty) {
		t.Errorf("Remove = %v, want %v", err, errNotEmpty)
	}
	if n := s.bucket.Requests.Counts().List - before; n != maxLooks+1 {
		t.Errorf("the folder was listed %d times, want %d", n, maxLooks+1)
	}
}
