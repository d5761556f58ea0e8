package move

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster"
	"example.org/avatard/storage/cluster/clustertest"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/test/scratch"
)

var servers *clustertest.Servers

func TestMain(m *testing.M) {
	os.Exit(scratch.InMemory(func() int { return clustertest.RunTests(m, &servers) }))
}

const (
	acme   = "69629023906488334"
	issuer = "https://issuer.test"
)

var by = storage.Origin{Caller: "test", CallerOrganization: acme, RequestID: "request-1"}

// dirOf returns an empty data directory.
func dirOf(t *testing.T) *embedded.Place {
	t.Helper()
	return embedded.At(embedded.Config{Dir: t.TempDir()})
}

// clusterOf returns an empty database and an empty bucket, and the bucket's name.
func clusterOf(t *testing.T, versioned bool) (*cluster.Place, string) {
	t.Helper()
	made := servers.New(t, versioned)
	o := optionsOf(t, made)
	return cluster.At(o), made.Bucket
}

// optionsOf names a database and a bucket, and a file of keys of their own.
func optionsOf(t *testing.T, made clustertest.Store) cluster.Options {
	t.Helper()
	keys := filepath.Join(t.TempDir(), "keys")
	if err := cluster.NewKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	return cluster.Options{Database: made.Database, KeyFile: keys, Bucket: servers.BucketOptions(made)}
}

// objects counts the versions and delete markers of a bucket, but for the object that tells whose it is. The S3 server fails some listings
// while something is deleted.
func objects(t *testing.T, bucket string) (n int) {
	t.Helper()
	var err error
	for range 5 {
		n, err = 0, nil
		for v := range servers.Client.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{WithVersions: true, Recursive: true}) {
			if err = errors.Join(err, v.Err); v.Key != "avatard-installation" {
				n++
			}
		}
		if err == nil {
			return n
		}
	}
	t.Error(err)
	return n
}

func userOf(n int) storage.UserKey {
	return storage.UserKey{Issuer: issuer, ID: fmt.Sprintf("user-%04d", n)}
}

func removalOf(n int) storage.Removal {
	return storage.Removal{User: userOf(n), Organization: acme, By: by}
}

// people is what a store has to be after a move.
type people struct {
	infos    map[storage.UserKey]storage.Info
	pictures map[storage.UserKey][]byte
	gone     []storage.UserKey
	counts   storage.RecordCounts
	// ended are the records of users who have ended, and orgs what became of organisations.
	ended map[storage.UserKey]storage.UserRecord
	orgs  map[string]storage.RegistrationState
}

// opened opens a place until the function ends.
func opened(t *testing.T, p storage.Place, do func(storage.Engine)) {
	t.Helper()
	s, err := p.Open(t.Context(), storage.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	do(s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// fillStore makes a store with users: every seventh has no picture, every fifth one had theirs replaced, every eleventh theirs removed, one
// has ended, and there are organisations without people: one registered, one ending, one that has ended.
func fillStore(t *testing.T, p storage.Place, users int) (want people) {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	opened(t, p, func(s storage.Engine) {
		var running sync.WaitGroup
		for n := range users { // registered one after the other, so that they are moved in the order of their numbers
			if _, _, err := s.AddUser(t.Context(), userOf(n), acme, by); err != nil {
				t.Fatal(err)
			}
			data := make([]byte, 300+37*(n%100))
			_, _ = random.Read(data)
			running.Go(func() { fillUser(t, s, n, data) })
		}
		running.Wait()
		_, err := s.EraseUser(t.Context(), removalOf(users-1))
		for _, org := range []string{"empty", "ending", "over"} {
			_, add := s.AddOrganization(t.Context(), org, by)
			err = errors.Join(err, add)
		}
		for _, org := range []string{"ending", "over"} {
			_, end := s.EndOrganization(t.Context(), org, by)
			err = errors.Join(err, end)
		}
		_, rerr := s.RemoveOrganization(t.Context(), "over", by)
		s.RecordRefusal(storage.Refusal{By: by, Action: "test", Reason: "refused"})
		if err := errors.Join(err, rerr); err != nil {
			t.Fatal(err)
		}
	})
	opened(t, p, func(s storage.Engine) { want = peopleOf(t, s) })
	want.gone = []storage.UserKey{userOf(users - 1)}
	return want
}

func fillUser(t *testing.T, s storage.Engine, n int, data []byte) {
	var err error
	up := storage.Upload{User: userOf(n), Organization: acme, By: by, Picture: storage.Picture{Format: storage.PNG, Data: data}}
	if n%7 != 0 {
		_, err = s.Put(t.Context(), up)
	}
	if err == nil && n%5 == 0 {
		up.Picture.Data = append(bytes.Clone(data), 1)
		_, err = s.Put(t.Context(), up)
	}
	if err == nil && n%11 == 0 {
		_, err = s.Remove(t.Context(), removalOf(n))
	}
	if err != nil {
		t.Error(err)
	}
}

// peopleOf reads everybody, and counts the records of an export.
func peopleOf(t *testing.T, s storage.Engine) (is people) {
	t.Helper()
	is.infos, is.pictures = map[storage.UserKey]storage.Info{}, map[storage.UserKey][]byte{}
	for q := (storage.UserQuery{}); ; {
		page, err := s.ListUsers(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Users {
			is.infos[u.User] = u.Info
			if u.Generation != "" {
				got, err := s.Get(t.Context(), u.User, u.Details.Organization)
				if err != nil {
					t.Fatal(err)
				}
				is.pictures[u.User] = got.Data
			}
		}
		if q.After = page.Next; q.After == (storage.UserKey{}) {
			break
		}
	}
	issuers := map[int64]string{}
	is.ended, is.orgs = map[storage.UserKey]storage.UserRecord{}, map[string]storage.RegistrationState{}
	err := s.Export(t.Context(), storage.ExportOptions{}, func(record storage.Record) error {
		switch r := record.(type) {
		case storage.IssuerRecord:
			issuers[r.Number] = r.URL
		case storage.OrganizationRecord:
			is.orgs[r.ID] = r.State
		case storage.UserRecord:
			if r.State == storage.Ended {
				user := storage.UserKey{Issuer: issuers[r.Issuer], ID: r.ID}
				r.Number, r.Issuer = 0, 0 // of this export alone
				is.ended[user] = r
			}
		case storage.EndRecord:
			is.counts = r.Counts
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return is
}

// wantMoved demands that a place has what another one had, and that a check of it finds nothing.
func wantMoved(t *testing.T, p storage.Place, want people) {
	t.Helper()
	opened(t, p, func(s storage.Engine) {
		is := peopleOf(t, s)
		if len(is.infos) != len(want.infos) || len(is.pictures) != len(want.pictures) {
			t.Errorf("%d users, %d pictures; want %d and %d", len(is.infos), len(is.pictures), len(want.infos), len(want.pictures))
		}
		for u, info := range want.infos {
			if is.infos[u] != info || !bytes.Equal(is.pictures[u], want.pictures[u]) {
				t.Errorf("%s: %+v, want %+v, and the same picture", u.ID, is.infos[u], info)
			}
		}
		if is.counts.Receipts != want.counts.Receipts || is.counts.Audit != want.counts.Audit || is.counts.Refusals != want.counts.Refusals {
			t.Errorf("records: %+v, want %+v", is.counts, want.counts)
		}
		if len(want.ended) == 0 || !maps.Equal(is.ended, want.ended) {
			t.Errorf("users who have ended: %+v, want %+v", is.ended, want.ended)
		}
		if !maps.Equal(is.orgs, want.orgs) {
			t.Errorf("organisations: %v, want %v", is.orgs, want.orgs)
		}
		wantEnded(t, s, want.gone)
		_, err := s.Check(t.Context(), storage.CheckOptions{}, func(f storage.Finding) error {
			t.Errorf("a check finds %+v", f)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// wantEnded demands that users have ended, and are refused.
func wantEnded(t *testing.T, s storage.Store, users []storage.UserKey) {
	t.Helper()
	for _, u := range users {
		if _, err := s.Stat(t.Context(), u, acme); !errors.Is(err, storage.ErrUserNotFound) {
			t.Errorf("%s, who has ended: %v, want %v", u.ID, err, storage.ErrUserNotFound)
		}
		if _, _, err := s.AddUser(t.Context(), u, acme, by); !errors.Is(err, storage.ErrUserEnded) {
			t.Errorf("AddUser of %s, who has ended: %v, want %v", u.ID, err, storage.ErrUserEnded)
		}
	}
}

// wantErased demands that no file of a directory has a piece of any of these pictures, and that nothing serves it.
func wantErased(t *testing.T, p *embedded.Place, pictures map[storage.UserKey][]byte) {
	t.Helper()
	if _, err := p.Open(t.Context(), storage.OpenOptions{}); !errors.Is(err, storage.ErrMoved) {
		t.Errorf("opening what was moved = %v, want %v", err, storage.ErrMoved)
	}
	files, err := filepath.Glob(filepath.Join(p.ControlDir(), "*"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for u, picture := range pictures {
			for piece := range slices.Chunk(picture, 64) {
				if len(piece) == 64 && bytes.Contains(data, piece) {
					t.Fatalf("%s has bytes of the picture of %s", filepath.Base(file), u.ID)
				}
			}
		}
	}
}

// steps wraps a receiver and its arrivals. before is called before each of an arrival's steps, after behind it; an error of one is the step's.
type steps struct {
	storage.Receiver
	before, after func(step string, users []storage.ArrivingUser) error
}

type stepping struct {
	storage.Arrival
	s steps
}

func (s steps) Arrive(ctx context.Context, id [16]byte) (storage.Arrival, error) {
	a, err := s.Receiver.Arrive(ctx, id)
	if err != nil {
		return nil, err
	}
	return stepping{a, s}, nil
}

func (s steps) around(step string, users []storage.ArrivingUser, do func() error) error {
	if s.before != nil {
		if err := s.before(step, users); err != nil {
			return err
		}
	}
	err := do()
	if err == nil && s.after != nil {
		err = s.after(step, users)
	}
	return err
}

func (a stepping) Take(ctx context.Context, users []storage.ArrivingUser, compare bool) (n int, err error) {
	step := "copy"
	if compare {
		step = "compare"
	}
	err = a.s.around(step, users, func() error {
		n, err = a.Arrival.Take(ctx, users, compare)
		return err
	})
	return n, err
}

func (a stepping) Note(ctx context.Context, records []storage.Record) error {
	return a.s.around("note", nil, func() error { return a.Arrival.Note(ctx, records) })
}

func (a stepping) Follow(ctx context.Context, user storage.UserKey, details *storage.Details, removed bool) error {
	return a.s.around("follow", nil, func() error { return a.Arrival.Follow(ctx, user, details, removed) })
}

func (a stepping) Finish(ctx context.Context) error {
	return a.s.around("finish", nil, func() error { return a.Arrival.Finish(ctx) })
}
