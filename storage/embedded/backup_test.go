package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
)

// saveTest backs a store up into a file.
func saveTest(t testing.TB, s *Store, opt storage.ExportOptions) (name string, sum storage.ExportSummary) {
	t.Helper()
	var stream bytes.Buffer
	if _, err := backup.Write(context.Background(), s, &stream, opt); err != nil {
		t.Fatal(err)
	}
	return saveStream(t, &stream)
}

func saveStream(t testing.TB, stream io.Reader) (name string, sum storage.ExportSummary) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "backup")
	sum, err := backup.Save(name, false, stream, nil)
	if err != nil {
		t.Fatal(err)
	}
	return name, sum
}

// restoreTest restores into a new directory.
func restoreTest(t testing.TB, full, receipts string) (dir string, sum storage.ImportSummary) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "restored")
	sum, err := backup.Restore(context.Background(), At(Config{Dir: dir}), backup.RestoreOptions{Backup: full, Receipts: filesOf(receipts)})
	if err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, n := range names {
		have = append(have, n.Name())
	}
	if want := []string{databaseName, lockName, slabName}; !cmp.Equal(have, want) {
		t.Errorf("the restored directory holds %v, want %v", have, want)
	}
	return dir, sum
}

// filesOf lists a file that there is.
func filesOf(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

// contents returns everything that is not particular to one directory: slots and regions are.
func contents(t testing.TB, s *Store) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	for name, sql := range map[string]string{
		"store":        `SELECT hex(id) FROM store`,
		"issuer":       `SELECT * FROM issuer ORDER BY iid`,
		"organization": `SELECT * FROM organization ORDER BY id`,
		"user":         `SELECT uid, iid, id, organization, created, changed, sequence, receipt, removed FROM user ORDER BY uid`,
		"generation":   `SELECT hex(id), uid, size, format FROM generation WHERE state = 2 ORDER BY uid`,
		"receipt": `SELECT r.seq, uid, hex(generation), r.time, reason, previous, r.organization, coalesce(a.caller, o.caller), coalesce(a.caller_organization,
			o.caller_organization), coalesce(a.request, o.request) FROM receipt r LEFT JOIN audit a ON a.seq = r.audit LEFT JOIN receipt_origin o ON o.receipt = r.seq ORDER BY r.seq`,
		"audit":   `SELECT * FROM audit ORDER BY seq`,
		"refusal": `SELECT * FROM refusal ORDER BY seq`,
	} {
		err := s.look(func(db *database) error {
			return db.once(sql, func(row *sqlite3.Stmt) bool {
				text := ""
				for i := range row.ColumnCount() {
					text += row.ColumnText(i) + "|"
				}
				all[name] = append(all[name], text)
				return true
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// fillStore fills a store with some of everything.
func fillStore(t testing.TB, s *Store) {
	t.Helper()
	ctx := context.Background()
	for i := range 40 {
		mustPut(t, s, i, 200+i*i*600)
	}
	for i := 0; i < 40; i += 3 {
		mustPut(t, s, i, 300+i*200)
	}
	for i := 1; i < 40; i += 5 {
		mustRemove(t, s, i)
	}
	other := storage.UserKey{Issuer: "https://other.example", ID: "user-1"} // an id that another issuer gave, too
	if _, _, err := s.AddUser(ctx, other, "globex", testBy); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, storage.Upload{User: other, Organization: "globex", By: testBy,
		Picture: storage.Picture{Format: storage.PNG, Data: make([]byte, storage.MaxPictureBytes)}}); err != nil {
		t.Fatal(err)
	}
	for _, org := range []string{"empty", "Ünïcode 組織"} {
		if _, err := s.AddOrganization(ctx, org, testBy); err != nil {
			t.Fatal(err)
		}
	}
	if _, moved, err := s.MoveUser(ctx, other, "empty", testBy); err != nil || !moved {
		t.Fatal(moved, err)
	}
	endSome(t, s)
	s.RecordRefusal(storage.Refusal{By: testBy, Organization: "acme", Action: "DELETE", Reason: "AUTH-1", Dropped: 3})
	mustRemove(t, s, 39) // the refusal rides on it
}

// A restored store holds what was backed up, to the last record, and can be used.
func TestBackupRoundTrip(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, t.TempDir())
	fillStore(t, s)
	name, sum := saveTest(t, s, storage.ExportOptions{})
	want := contents(t, s)
	if got := (storage.ExportTotals{Users: 43}); sum.ExportTotals != got {
		t.Errorf("Backup = %+v, want %+v", sum.ExportTotals, got)
	}
	if got := len(want["generation"]); sum.Pictures != int64(got) || sum.Receipts != int64(len(want["receipt"])) || sum.Organizations != 7 {
		t.Errorf("Backup = %+v, want %d pictures, %d receipts, 7 organisations", sum, got, len(want["receipt"]))
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 || info.Size() != sum.Bytes {
		t.Errorf("the file has mode %v and %d bytes, want 0600 and %d", info.Mode(), info.Size(), sum.Bytes)
	}

	dir, restored := restoreTest(t, name, "")
	again := openTest(t, dir)
	if diff := cmp.Diff(want, contents(t, again)); diff != "" {
		t.Errorf("restored (-backed up +restored):\n%s", diff)
	}
	if restored.Erased != 0 || restored.Missing != 0 || restored.Pictures != sum.Pictures || restored.Users != 43 || !restored.KnownUntil().Equal(sum.Ended) {
		t.Errorf("Restore = %+v, want everything of %+v", restored, sum)
	}
	if n := count(t, again, `SELECT count(*) FROM store WHERE watermark < (SELECT max(seq) FROM receipt)`); n > 0 {
		t.Error("not all receipts count")
	}
	wantClean(t, again)
	if err := again.Ready(ctx); err != nil {
		t.Errorf("Ready = %v", err)
	}
	for i := range 41 {
		key, org := testKey(i), testOrg
		if i == 40 {
			key, org = storage.UserKey{Issuer: "https://other.example", ID: "user-1"}, "empty"
		}
		before, berr := s.Get(ctx, key, org)
		after, aerr := again.Get(ctx, key, org)
		if before.Generation != after.Generation || before.Format != after.Format || !bytes.Equal(before.Data, after.Data) || fmt.Sprint(berr) != fmt.Sprint(aerr) {
			t.Errorf("Get(%d) = %d bytes, %v, want %d bytes, %v", i, len(after.Data), aerr, len(before.Data), berr)
		}
	}
	for i := range 40 { // every class of slots has to grow, be written, and be erased
		mustPut(t, again, i, 100+i*i*600)
		if res, err := again.Remove(ctx, removal(i)); err != nil || res.Receipt == "" {
			t.Errorf("Remove(%d) = %+v, %v", i, res, err)
		}
	}
	if _, created, err := again.AddUser(ctx, storage.UserKey{Issuer: "https://third.example", ID: "new"}, "empty", testBy); err != nil || !created {
		t.Errorf("AddUser with an issuer that is new = %v, %v", created, err)
	}
}

// A backup of a store with nothing in it, and one of a restored store, are like any other.
func TestBackupOfLittle(t *testing.T) {
	s := openTest(t, t.TempDir())
	name, sum := saveTest(t, s, storage.ExportOptions{})
	dir, _ := restoreTest(t, name, "")
	again := openTest(t, dir)
	if diff := cmp.Diff(contents(t, s), contents(t, again)); diff != "" {
		t.Errorf("restored (-backed up +restored):\n%s", diff)
	}
	mustPut(t, again, 1, 5000)
	name, second := saveTest(t, again, storage.ExportOptions{})
	if second.Pictures != 1 || second.Ended.Before(sum.Ended) {
		t.Errorf("Backup = %+v, want one picture, after %+v", second, sum)
	}
	restoreTest(t, name, "")
}

// A picture that the disk does not give, or not as it was written, is reported, and does not keep the others from being
// backed up.
func TestBackupOfADamagedPicture(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	for i := range 3 {
		mustPut(t, s, i, 5000)
	}
	f, err := os.OpenFile(filepath.Join(dir, slabName), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	slab, _ := io.ReadAll(f)
	at := bytes.Index(slab, upload(1, 5000).Picture.Data[:64])
	if _, err := f.WriteAt([]byte("damage"), int64(at)); err != nil {
		t.Fatal(err)
	}
	name, sum := saveTest(t, s, storage.ExportOptions{})
	if sum.Unreadable != 1 || sum.Pictures != 2 {
		t.Errorf("Backup = %+v, want 1 unreadable and 2 pictures", sum)
	}
	_, restored := restoreTest(t, name, "")
	if restored.Missing != 1 || restored.Pictures != 2 || restored.Users != 3 {
		t.Errorf("Restore = %+v, want 1 missing, 2 pictures, 3 users", restored)
	}
}

// tornStream ends with an error after some bytes.
type tornStream struct {
	io.Reader
	err error
}

func (s tornStream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = s.err
	}
	return n, err
}

// Whatever goes wrong, no file appears, and none that was there is changed.
func TestSaveBackupLeavesNothing(t *testing.T) {
	s := openTest(t, t.TempDir())
	fillStore(t, s)
	var buf bytes.Buffer
	if _, err := backup.Write(t.Context(), s, &buf, storage.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	whole := buf.Bytes()
	errTorn := errors.New("torn")
	for _, tt := range []struct {
		title     string
		stream    io.Reader
		there     bool
		overwrite bool
		want      error
	}{
		{"an empty stream", bytes.NewReader(nil), false, false, backup.ErrNoBackup},
		{"a cut off stream", bytes.NewReader(whole[:len(whole)-1]), false, false, storage.ErrExportDamaged},
		{"a stream that fails", tornStream{bytes.NewReader(whole[:len(whole)/2]), errTorn}, false, false, errTorn},
		{"a stream that fails over an old file", tornStream{bytes.NewReader(whole[:len(whole)/2]), errTorn}, true, true, errTorn},
		{"more than a backup", io.MultiReader(bytes.NewReader(whole), bytes.NewReader([]byte{0})), false, false, storage.ErrExportDamaged},
		{"a file is there", bytes.NewReader(whole), true, false, backup.ErrFileExists},
		{"a file is to be replaced", bytes.NewReader(whole), true, true, nil},
	} {
		t.Run(tt.title, func(t *testing.T) {
			dir := t.TempDir()
			name := filepath.Join(dir, "file")
			if tt.there {
				if err := os.WriteFile(name, []byte("precious"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := backup.Save(name, tt.overwrite, tt.stream, nil); !errors.Is(err, tt.want) {
				t.Errorf("Save = %v, want %v", err, tt.want)
			}
			names, _ := os.ReadDir(dir)
			got, _ := os.ReadFile(name)
			switch {
			case tt.want == nil:
				if len(names) != 1 || !bytes.Equal(got, whole) {
					t.Errorf("%v, of %d bytes, want the backup alone", names, len(got))
				}
			case tt.there && (len(names) != 1 || string(got) != "precious"):
				t.Errorf("%v, holding %.20q, want the old file alone", names, got)
			case !tt.there && len(names) > 0:
				t.Errorf("%v was left", names)
			}
		})
	}
}

// A backup ends with an error when the store is closed or its caller leaves.
func TestBackupEndsEarly(t *testing.T) {
	s := openTest(t, t.TempDir())
	fillStore(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := backup.Write(ctx, s, writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil }), storage.ExportOptions{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Backup of a caller who leaves = %v", err)
	}
	_, err = backup.Write(t.Context(), s, writerFunc(func(p []byte) (int, error) { return len(p), s.Close() }), storage.ExportOptions{})
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Backup of a store that is closed meanwhile = %v", err)
	}
	if _, err := backup.Write(t.Context(), s, io.Discard, storage.ExportOptions{}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Backup of a closed store = %v", err)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func ExampleStore_Export() {
	_, err := backup.Check(bytes.NewReader([]byte("something else")))
	fmt.Println(err)
	// Output: this is no backup of avatard
}
