package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// damageUsers is enough for tables and indexes of more than one page.
const damageUsers = 280

// hasPicture reports whether a user of damageScenario still has one at its end.
func hasPicture(user int) bool { return user%5 != 0 }

// damageScenario fills a store: every user uploads, every fifth deletes.
func damageScenario(t *testing.T, s *Store) {
	t.Helper()
	each(16, damageUsers, func(i int) { mustPut(t, s, i, 300+17*i) })
	each(16, damageUsers, func(i int) {
		if !hasPicture(i) {
			mustRemove(t, s, i)
		}
	})
}

func copyDir(t *testing.T, from string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func changeFile(t *testing.T, path string, change func(data []byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// checkTruth demands that a damaged directory is refused as such, or that of every user the truth is told, or that it is not
// to be had now. It returns how many could not be told of, -1 for a refusal.
func checkTruth(t *testing.T, title, dir string) (unavailable int) {
	t.Helper()
	ctx := context.Background()
	s, err := Open(ctx, Config{Dir: dir})
	if err != nil {
		if !errors.Is(err, storage.ErrDamaged) || !strings.Contains(err.Error(), "from a backup") {
			t.Errorf("%s: Open = %v, want %v and what to do", title, err, storage.ErrDamaged)
		}
		return -1
	}
	defer s.Close() // what cannot be put on record then is no matter here
	for user := range damageUsers {
		got, err := s.Get(ctx, testKey(user), testOrg)
		switch {
		case errors.Is(err, storage.ErrUnavailable):
			unavailable++
		case hasPicture(user) && (err != nil || !bytes.Equal(got.Data, upload(user, 300+17*user).Picture.Data)):
			t.Errorf("%s: user %d: %d bytes, %v, want the picture", title, user, len(got.Data), err)
		case !hasPicture(user) && !errors.Is(err, storage.ErrNoPicture):
			t.Errorf("%s: user %d: %d bytes, %v, want %v", title, user, len(got.Data), err, storage.ErrNoPicture)
		}
	}
	if err := s.Ready(ctx); unavailable > 0 && !errors.Is(err, storage.ErrDamaged) {
		t.Errorf("%s: %d users could not be told of, and Ready = %v", title, unavailable, err)
	}
	for user := range 10 {
		if _, err := s.Remove(ctx, removal(user)); err != nil {
			if !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("%s: Remove(user %d) = %v, want nil or %v", title, user, err, storage.ErrUnavailable)
			}
			if err := s.Ready(ctx); !errors.Is(err, storage.ErrDamaged) {
				t.Errorf("%s: a delete failed, and Ready = %v", title, err)
			}
			continue
		}
		if got, err := s.Get(ctx, testKey(user), testOrg); !errors.Is(err, storage.ErrNoPicture) && !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%s: after Remove user %d has %d bytes, %v", title, user, len(got.Data), err)
		}
	}
	return unavailable
}

// Each page of the database in turn is lost or changed by a single bit. Start-up, or the calls that need the page, notice it, and no call
// gets a wrong answer.
func TestDamagedDatabasePages(t *testing.T) {
	t.Parallel()
	whole := t.TempDir()
	s, err := Open(context.Background(), Config{Dir: whole})
	if err != nil {
		t.Fatal(err)
	}
	damageScenario(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(whole, databaseName))
	if err != nil {
		t.Fatal(err)
	}
	pages := int(info.Size() / slab.PageBytes)
	refused, noticed := 0, 0
	for page := range pages {
		for _, kind := range []struct {
			name   string
			change func(page []byte)
		}{
			{"zeros", func(p []byte) { clear(p) }},
			{"a bit", func(p []byte) { p[(page*997+50)%slab.PageBytes] ^= 1 << (page % 8) }},
		}[page%2:] { // zeros, which SQLite sees by itself, for every second page
			dir := copyDir(t, whole)
			changeFile(t, filepath.Join(dir, databaseName), func(data []byte) []byte {
				kind.change(data[page*slab.PageBytes : (page+1)*slab.PageBytes])
				return data
			})
			switch unavailable := checkTruth(t, fmt.Sprintf("page %d, %s", page+1, kind.name), dir); {
			case unavailable < 0:
				refused++
			case unavailable > 0:
				noticed++
			}
		}
	}
	t.Logf("%d pages: %d times refused, %d times noticed by reads", pages, refused, noticed)
	if pages < 30 || refused < 4 || noticed < 8 {
		t.Errorf("%d pages, %d times refused, %d times noticed: the damage is not where it would hurt", pages, refused, noticed)
	}
}

// Files that are cut, empty or of something else.
func TestDamagedFiles(t *testing.T) {
	whole := t.TempDir()
	s, err := Open(context.Background(), Config{Dir: whole})
	if err != nil {
		t.Fatal(err)
	}
	damageScenario(t, s)
	crashed := copyDir(t, whole)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cut := func(size int) func([]byte) []byte { return func(data []byte) []byte { return data[:size] } }
	for _, tt := range []struct {
		title, from, file string
		change            func([]byte) []byte
		want              string // in the refusal
	}{
		{"an empty database", whole, databaseName, cut(0), "avatard.db is missing or empty"},
		{"an empty database beside its log", crashed, databaseName, cut(0), "avatard.db is missing or empty"},
		{"a database cut within its header", whole, databaseName, cut(50), "the database is not one of avatard"},
		{"a database cut to a page", whole, databaseName, cut(slab.PageBytes), databaseName},
		{"a database cut within a page", whole, databaseName, cut(7*slab.PageBytes + 100), databaseName},
		{"a database that is none", whole, databaseName, func(d []byte) []byte { return bytes.Repeat([]byte("text\n"), len(d)/5) }, databaseName},
		{"no room for checksums in the header", whole, databaseName, func(d []byte) []byte { d[20] = 0; return d }, databaseName},
		{"an empty slab", whole, slabName, cut(0), slabName},
		{"a slab cut within its first page", whole, slabName, cut(100), "first page of pictures.slab"},
		{"a slab without its last page", whole, slabName, func(d []byte) []byte { return d[:len(d)-slab.PageBytes] }, slabName},
		{"a slab whose first page is lost", whole, slabName, func(d []byte) []byte { clear(d[:slab.PageBytes]); return d }, "first page of pictures.slab"},
		{"a slab of another store", whole, slabName, func(d []byte) []byte { d[10]++; return d }, "of two stores"},
	} {
		dir := copyDir(t, tt.from)
		changeFile(t, filepath.Join(dir, tt.file), tt.change)
		_, err := Open(context.Background(), Config{Dir: dir})
		if !errors.Is(err, storage.ErrDamaged) && !errors.Is(err, storage.ErrForeign) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Open = %v, want %v with %q", tt.title, err, storage.ErrDamaged, tt.want)
		}
		_, err = Migrate(t.Context(), Config{Dir: dir}, nil)
		if tt.file == databaseName && !errors.Is(err, storage.ErrDamaged) && !errors.Is(err, storage.ErrForeign) {
			t.Errorf("%s: Migrate = %v, want %v", tt.title, err, storage.ErrDamaged)
		}
	}
}

// When a slot does not hold its picture, its user gets 503, the log says what to do, and no other user is affected. Deleting and a new
// upload work.
func TestDamagedSlots(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := openTest(t, dir)
	mustPut(t, s, 1, 3000)
	mustPut(t, s, 2, 3000)
	slots := map[int]int64{}
	for _, user := range []int{1, 2} {
		g, err := s.find(testKey(user), testOrg)
		if err != nil {
			t.Fatal(err)
		}
		slots[user] = g.slot * slab.PageBytes
	}
	for _, tt := range []struct {
		title  string
		change func(slot, other []byte)
	}{
		{"lost", func(slot, _ []byte) { clear(slot) }},
		{"another's", func(slot, other []byte) { copy(slot, other) }},
		{"a wrong magic", func(slot, _ []byte) { slot[0]++ }},
		{"a wrong id", func(slot, _ []byte) { slot[slab.HeaderIDOffset]++ }},
		{"a wrong length", func(slot, _ []byte) { binary.BigEndian.PutUint32(slot[slab.HeaderLengthOffset:], 1<<31) }},
		{"a wrong sum", func(slot, _ []byte) { slot[slab.HeaderSumOffset]++ }},
		{"a bit of the picture", func(slot, _ []byte) { slot[slab.HeaderBytes+2000] ^= 4 }},
	} {
		changeFile(t, filepath.Join(dir, slabName), func(data []byte) []byte {
			tt.change(data[slots[1]:slots[1]+slab.PageBytes], data[slots[2]:slots[2]+slab.PageBytes])
			return data
		})
		if got, err := s.Get(ctx, testKey(1), testOrg); !errors.Is(err, storage.ErrUnavailable) ||
			!strings.Contains(err.Error(), "delete it or upload it anew") {
			t.Errorf("%s: Get = %d bytes, %v, want %v", tt.title, len(got.Data), err, storage.ErrUnavailable)
		}
		if got, err := s.Get(ctx, testKey(2), testOrg); err != nil || !bytes.Equal(got.Data, upload(2, 3000).Picture.Data) {
			t.Errorf("%s: the other's Get = %d bytes, %v", tt.title, len(got.Data), err)
		}
		if err := s.Ready(ctx); err != nil {
			t.Errorf("%s: Ready = %v: one picture is no reason to take everybody's away", tt.title, err)
		}
		mustRemove(t, s, 1)
		if _, err := s.Get(ctx, testKey(1), testOrg); !errors.Is(err, storage.ErrNoPicture) {
			t.Errorf("%s: Get after Remove = %v", tt.title, err)
		}
		mustPut(t, s, 1, 3000)
		if got, err := s.Get(ctx, testKey(1), testOrg); err != nil || !bytes.Equal(got.Data, upload(1, 3000).Picture.Data) {
			t.Errorf("%s: Get after a new upload = %d bytes, %v", tt.title, len(got.Data), err)
		}
		g, err := s.find(testKey(1), testOrg)
		if err != nil {
			t.Fatal(err)
		}
		slots[1] = g.slot * slab.PageBytes
	}
}
