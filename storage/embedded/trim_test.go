package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/slab"
	"example.org/avatard/storage/storagetest"
)

// needsHoles skips a test where the file system of temporary files makes no holes. In CI that is a failure.
func needsHoles(t *testing.T) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "holes"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = errors.ErrUnsupported
	if p, ok := File(datadir.OSFile{File: f}).(datadir.Puncher); ok {
		err = errors.Join(f.Truncate(slab.PageBytes), p.Punch(0, slab.PageBytes))
	}
	switch {
	case err == nil:
	case errors.Is(err, errors.ErrUnsupported) && os.Getenv("CI") != "true":
		t.Skip("the file system of temporary files makes no holes")
	default:
		t.Fatal(err)
	}
}

// mustTidy does at once what an idle store does by itself.
func mustTidy(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Tidy(context.Background()); err != nil {
		t.Errorf("Tidy = %v", err)
	}
}

// diskUsage returns how much space the files of a directory take.
func diskUsage(t testing.TB, dir string) (bytes int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		bytes += datadir.DiskBytes(info)
	}
	return bytes
}

// living returns the size of the slots that pictures lie in.
func living(s *Store) int64 {
	st := s.Stats()
	return st.SlabUsedBytes
}

// mustBeSmall demands that the directory of an idle store takes little more than its pictures.
func mustBeSmall(t *testing.T, s *Store, dir, when string) {
	t.Helper()
	mustTidy(t, s)
	limit := living(s)*3/2 + 16<<20
	if used := diskUsage(t, dir); used > limit {
		t.Errorf("%s: %d MB on disk for slots of %d MB, want at most %d MB", when, used>>20, living(s)>>20, limit>>20)
	}
	if disk := s.Stats().SlabDiskBytes; disk > living(s)+4<<20+slab.PageBytes*2 {
		t.Errorf("%s: the slab takes %d bytes for slots of %d, want at most 4 MiB more", when, disk, living(s))
	}
}

// Space of any size of picture goes back to the file system once the store is idle: what large pictures leave, small ones need not lie beside.
func TestSpaceComesBack(t *testing.T) {
	needsHoles(t)
	dir := t.TempDir()
	s := openTest(t, dir)
	const users = 300
	each(16, users, func(i int) { mustPut(t, s, i, 300_000) })
	each(16, users-10, func(i int) { mustRemove(t, s, i) })
	mustBeSmall(t, s, dir, "290 of 300 large pictures deleted")
	each(16, users, func(i int) { mustPut(t, s, 1000+i, 100_000) })
	mustBeSmall(t, s, dir, "300 smaller ones beside 10")
	each(16, users, func(i int) { mustRemove(t, s, i); mustRemove(t, s, 1000+i) })
	mustBeSmall(t, s, dir, "all deleted")
	if used := diskUsage(t, dir); used > 16<<20 {
		t.Errorf("an emptied directory takes %d bytes, want at most 16 MiB", used)
	}
	if st := s.Stats(); st.SlabBytes > (rootedPages+2*slab.MaxRegionPages)*slab.PageBytes || st.SlabUsedBytes != 0 {
		t.Errorf("the slab has %d bytes, %d in use, once all is deleted", st.SlabBytes, st.SlabUsedBytes)
	}
	if found := checkStore(t, s, false); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
	checkEmptySlab(t, dir)
}

// A user who changes the size of a picture again and again takes no more space than the picture.
func TestSizesChange(t *testing.T) {
	needsHoles(t)
	dir := t.TempDir()
	s := openTest(t, dir)
	for _, size := range []int{3000, 7000, 11_000, 15_000, 23_000, 31_000, 3000} {
		each(16, 1000, func(i int) { mustPut(t, s, i, size) })
		mustTidy(t, s)
		if st := s.Stats(); st.SlabDiskBytes > st.SlabUsedBytes+4<<20+2*slab.PageBytes {
			t.Errorf("pictures of %d bytes: the slab takes %d bytes for slots of %d, want at most 4 MiB more", size, st.SlabDiskBytes, st.SlabUsedBytes)
		}
	}
	mustBeSmall(t, s, dir, "7 sizes")
}

// Slots whose space was given back are free as before: they are used again, also after a restart, and hold no byte of the old pictures.
func TestTrimmedSlots(t *testing.T) {
	needsHoles(t)
	dir := t.TempDir()
	pattern := storagetest.NewPattern(1)
	put := func(s *Store, user, size int) {
		t.Helper()
		if _, err := s.Put(t.Context(), storage.Upload{User: testKey(user), Organization: testOrg, By: testBy, Register: true,
			Picture: storage.Picture{Format: storage.PNG, Data: pattern.Picture(uint32(user), size)}}); err != nil {
			t.Error(err)
		}
	}
	s := openTest(t, dir)
	for i := range 60 {
		put(s, i+1, 200_000)
	}
	for i := range 60 {
		if i%3 > 0 {
			mustRemove(t, s, i+1)
		}
	}
	mustTidy(t, s)
	before := s.Stats()
	for range 2 {
		for i := range 20 {
			put(s, 3*i+2, 200_000+i)
		}
		if st := s.Stats(); st.SlabBytes != before.SlabBytes {
			t.Errorf("the slab grew from %d to %d bytes beside free slots", before.SlabBytes, st.SlabBytes)
		}
		for i := range 20 {
			mustRemove(t, s, 3*i+2)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		pieces, err := pattern.Search(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, piece := range pieces {
			if piece.Number%3 != 1 {
				t.Errorf("%v is left", piece)
			}
		}
		s = openTest(t, dir)
		mustTidy(t, s)
		if st := s.Stats(); st.SlabUsedBytes != before.SlabUsedBytes || st.SlabFreeBytes != before.SlabFreeBytes {
			t.Errorf("%d bytes in use and %d free after a restart, want %d and %d", st.SlabUsedBytes, st.SlabFreeBytes, before.SlabUsedBytes, before.SlabFreeBytes)
		}
	}
	if found := checkStore(t, s, false); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}

// An idle store gives space back by itself, within a minute. One that is called all the time does so too, when there is much of
// it, and never waits for a pause.
func TestTrimsByItself(t *testing.T) {
	needsHoles(t)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.Context(), Config{Dir: dir, WrapFile: (&meter{}).wrap})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		const users = 80
		for i := range users {
			mustPut(t, s, i, 500_000)
		}
		for i := range users {
			mustRemove(t, s, i)
		}
		// No call has paused so far, and 40 MB were deleted. Records of what is free come with the next change.
		for range busyCommits {
			mustRemove(t, s, 0)
		}
		if st := s.Stats(); s.slabOnDisk(t) > st.SlabUsedBytes+(busyPages+2*slab.MaxRegionPages)*slab.PageBytes {
			t.Errorf("%d bytes on disk beside calls, %d in use", s.slabOnDisk(t), st.SlabUsedBytes)
		}
		mustPut(t, s, 1, 500_000)
		time.Sleep(time.Minute) // of the test's own clock
		synctest.Wait()
		st := s.Stats()
		if limit := st.SlabUsedBytes + warmPages*int64(len(slab.ClassPages))*slab.PageBytes + slab.PageBytes; st.SlabDiskBytes > limit || st.SlabUsedBytes == 0 {
			t.Errorf("%d bytes on disk after a minute, %d in use", st.SlabDiskBytes, st.SlabUsedBytes)
		}
		if most := int64(rootedPages+2*slab.MaxRegionPages) * slab.PageBytes; st.SlabBytes > most {
			t.Errorf("the slab has %d bytes after a minute, want %d at most", st.SlabBytes, most)
		}
	})
}

// slabOnDisk returns how much space the slab takes now.
func (s *Store) slabOnDisk(t *testing.T) int64 {
	bytes, err := s.slab.DiskBytes()
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// A check that still walks a region which was cut off meanwhile, and whose place others have taken, finds and repairs nothing.
func TestCheckOfRegionThatWent(t *testing.T) {
	needsHoles(t)
	s := openTest(t, t.TempDir())
	trimAll(s)
	mustPut(t, s, 1, 300)
	mustPut(t, s, 2, 300_000)
	old := s.slots.Last().Region
	mustRemove(t, s, 2)
	mustTidy(t, s)
	for i := range 8 {
		mustPut(t, s, 10+i, 5000)
	}
	mustPut(t, s, 20, 9000)
	if now := s.slots.At(old.First); now == nil || now.SlotPages == old.SlotPages {
		t.Fatalf("at page %d lies %+v, want slots of another size", old.First, now)
	}
	var found []storage.Finding
	c := &checker{s: s, opt: storage.CheckOptions{Repair: true, By: testBy}, found: func(f storage.Finding) error { found = append(found, f); return nil }, live: true}
	err := errors.Join(c.checkRegion(t.Context(), old), c.outside(t.Context(), old.First, old.End()))
	if err != nil || len(found) > 0 {
		t.Errorf("found %+v, %v", found, err)
	}
	for i := range 8 {
		if got, err := s.Get(t.Context(), testKey(10+i), testOrg); err != nil || len(got.Data) != 5000 {
			t.Errorf("user %d: %d bytes, %v", 10+i, len(got.Data), err)
		}
	}
	if found := checkStore(t, s, false); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}
