package embedded

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
)

// saveSince writes the receipts that came after a file.
func saveSince(t *testing.T, s *Store, name string) (string, storage.ExportSummary) {
	t.Helper()
	at, err := backup.End(name)
	if err != nil {
		t.Fatal(err)
	}
	return saveTest(t, s, storage.ExportOptions{ReceiptsOnly: true, Since: &at})
}

// Files that go on from one another hold together what one file of all receipts holds, and each no more than is new.
func TestReceiptsSince(t *testing.T) {
	a := openAged(t, storage.Retention{})
	for i := range 20 {
		mustPut(t, a.Store, i, 100)
	}
	full, _ := saveTest(t, a.Store, storage.ExportOptions{})
	chain, last := []string{}, full
	for step := range 4 {
		a.now = a.now.Add(time.Hour)
		for i := range 5 * step { // none at first
			mustPut(t, a.Store, i, 200)
			mustRemove(t, a.Store, i)
		}
		mustPut(t, a.Store, 100+step, 100) // new users, who lose a picture, too
		mustRemove(t, a.Store, 100+step)
		name, sum := saveSince(t, a.Store, last)
		if want := int64(2*5*step + 1 - min(step, 1)*5*(step-1)); step <= 1 && sum.Receipts != want || !sum.KnownFrom().Before(sum.Ended) {
			t.Errorf("step %d: %+v, want %d receipts", step, sum, want)
		}
		chain, last = append(chain, name), name
	}
	empty, sum := saveSince(t, a.Store, last)
	if sum.Receipts != 0 {
		t.Errorf("%+v, want no receipt", sum)
	}
	mustPut(t, a.Store, 19, 100)
	final, sum := saveSince(t, a.Store, empty)
	if sum.Receipts != 1 {
		t.Errorf("%+v, want one receipt", sum)
	}
	all, _ := saveTest(t, a.Store, storage.ExportOptions{ReceiptsOnly: true})
	restored := func(receipts ...string) map[string][]string {
		t.Helper()
		dir := t.TempDir()
		if _, err := backup.Restore(t.Context(), At(Config{Dir: dir}), backup.RestoreOptions{Backup: full, Receipts: receipts}); err != nil {
			t.Fatal(err)
		}
		s := &aged{Store: openTest(t, dir), t: t}
		s.clean()
		return contents(t, s.Store)
	}
	// In any order.
	if diff := cmp.Diff(restored(all), restored(final, chain[2], chain[0], chain[3], empty, chain[1])); diff != "" {
		t.Errorf("with all receipts (-) and with those that go on from one another (+):\n%s", diff)
	}
	// Without one of them.
	for i := range chain {
		wantGap(t, full, slices.Concat([]string{final, empty}, chain[:i], chain[i+1:]))
	}
}

// wantGap demands that files of receipts between which one is missing are refused, unless a gap is allowed.
func wantGap(t *testing.T, full string, files []string) {
	t.Helper()
	dir := t.TempDir()
	_, err := backup.Restore(t.Context(), At(Config{Dir: dir}), backup.RestoreOptions{Backup: full, Receipts: files})
	if !errors.Is(err, storage.ErrGap) {
		t.Errorf("Restore of %v = %v, want %v", files, err, storage.ErrGap)
	}
	wantOnlyLock(t, dir)
	sum, err := backup.Restore(t.Context(), At(Config{Dir: dir}), backup.RestoreOptions{Backup: full, Receipts: files, AllowGap: true})
	if err != nil || len(sum.Gaps) != 1 {
		t.Errorf("Restore with a gap = %+v, %v", sum, err)
	}
	s := &aged{Store: openTest(t, dir), t: t}
	if s.rows(`SELECT horizon > 0 FROM store`)[0] != `"1"` {
		t.Error("the restored store does not know of the gap")
	}
	s.clean()
}

// The cost of --since depends on what is new, not on the size of the store.
func TestReceiptsSinceCostWhatIsNew(t *testing.T) {
	s := openTest(t, t.TempDir())
	for range 10 {
		each(50, 50, func(i int) { mustPut(t, s, i, 100) })
	}
	base, whole := saveTest(t, s, storage.ExportOptions{ReceiptsOnly: true})
	mustRemove(t, s, 1)
	var reads int
	_, sum := saveSince(t, s, base)
	if sum.Receipts != 1 || sum.Bytes > 1000 || whole.Bytes < 15_000 {
		t.Errorf("%d receipts in %d bytes, of %d in %d", sum.Receipts, sum.Bytes, whole.Receipts, whole.Bytes)
	}
	// Of the file that it goes on from, only beginning and end are read.
	data, err := os.ReadFile(base)
	if err != nil {
		t.Fatal(err)
	}
	for i := 2000; i < len(data)-512; i++ {
		data[i] = 0
		reads++
	}
	if _, err := backup.End(writeTemp(t, data)); err != nil || reads == 0 {
		t.Errorf("End = %v", err)
	}
}

// Files from which no store can go on are refused.
func TestEndRefuses(t *testing.T) {
	if _, err := backup.End("../backup/testdata/receipts-v1"); !errors.Is(err, storage.ErrCannotGoOn) {
		t.Errorf("a file of version 1: %v", err)
	}
	if _, err := backup.End(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	_, receipts := littleBackup(t)
	if _, err := backup.End(writeTemp(t, receipts[:len(receipts)-1])); !errors.Is(err, storage.ErrExportDamaged) {
		t.Errorf("a file that is cut off: %v", err)
	}
}

// A store that does not go on from a file says so.
func TestReceiptsSinceRefuses(t *testing.T) {
	a := openAged(t, storage.Retention{Receipts: day})
	for range 3 {
		for i := range 3 {
			mustPut(t, a.Store, i, 100)
		}
	}
	file, _ := saveTest(t, a.Store, storage.ExportOptions{ReceiptsOnly: true})
	full, _ := saveTest(t, a.Store, storage.ExportOptions{})
	at, err := backup.End(file)
	if err != nil {
		t.Fatal(err)
	}
	back := func(s *Store, since storage.ExportPosition) error {
		_, err := backup.Write(t.Context(), s, &bytes.Buffer{}, storage.ExportOptions{ReceiptsOnly: true, Since: &since})
		return err
	}
	if err := back(a.Store, at); err != nil {
		t.Error(err)
	}
	if _, err := backup.Write(t.Context(), a, &bytes.Buffer{}, storage.ExportOptions{Since: &at}); err == nil {
		t.Error("a whole backup goes on from another one")
	}
	if err := back(openTest(t, t.TempDir()), at); !errors.Is(err, storage.ErrCannotGoOn) {
		t.Errorf("another store: %v", err)
	}
	other := at
	other.Generation = strings.Repeat("0", 32)
	if err := back(a.Store, other); !errors.Is(err, storage.ErrCannotGoOn) {
		t.Errorf("another history of receipts: %v", err)
	}
	for i := range 3 {
		mustPut(t, a.Store, i, 100)
		mustPut(t, a.Store, i, 100)
	}
	a.now = a.now.Add(3 * day)
	a.prune()
	if err := back(a.Store, at); !errors.Is(err, storage.ErrReceiptsGone) {
		t.Errorf("receipts that are gone: %v", err)
	}
	// Nor is an older backup restored with what is left, unless that is allowed.
	left, sum := saveTest(t, a.Store, storage.ExportOptions{ReceiptsOnly: true})
	if sum.Horizon.IsZero() {
		t.Errorf("%+v, want a horizon", sum)
	}
	dir := t.TempDir()
	opt := backup.RestoreOptions{Backup: full, Receipts: []string{left}}
	// All of that happened in one moment; the backup has to be older.
	if _, err := backup.Restore(context.Background(), At(Config{Dir: dir}), opt); !errors.Is(err, storage.ErrGap) {
		t.Errorf("Restore of a backup older than the receipts = %v, want %v", err, storage.ErrGap)
	}
	wantOnlyLock(t, dir)
	opt.AllowGap = true
	if _, err := backup.Restore(context.Background(), At(Config{Dir: dir}), opt); err != nil {
		t.Error(err)
	}
}
