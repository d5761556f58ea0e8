package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// addRegion adds a region, as a program with other sizes of slots has made it, whose first slot has a picture of user 2.
func addRegion(t *testing.T, s *Store, r slab.Region, up storage.Upload) {
	t.Helper()
	image := make([]byte, r.Slots*r.SlotPages*slab.PageBytes)
	copy(image, slab.Image(slab.GenerationID{1, 2, 3}, up.Picture.Data))
	if err := s.slab.Write(r.First, image, 0); err != nil {
		t.Fatal(err)
	}
	s.db.lock()
	defer s.db.mu.Unlock()
	err := s.db.conn.Exec(fmt.Sprintf(`INSERT INTO region VALUES (%[1]d, %[2]d, %[3]d);
		INSERT INTO user (iid, id, organization, created, changed, sequence) SELECT iid, 'user-2', organization, 5, 5, 1 FROM user;
		INSERT INTO generation SELECT %[1]d, x'01020300000000000000000000000000', uid, 1, %[4]d, %[5]d, NULL FROM user WHERE id = 'user-2';
		UPDATE generation SET state = 2 WHERE slot = %[1]d`, r.First, r.SlotPages, r.Slots, len(up.Picture.Data), up.Picture.Format))
	if err != nil {
		t.Fatal(err)
	}
}

// A picture may lie in a slot that is larger than a new one of its size would get, where a program that knew fewer sizes has put it. It is
// read, backed up and found to be in order; a delete overwrites the whole slot; and the slot is free for the sizes of its region.
func TestSlotSizeIsItsRegions(t *testing.T) {
	const pages, size, first = 6, 5000, 100
	dir := t.TempDir()
	s := openTest(t, dir)
	mustPut(t, s, 1, 300)
	up := upload(1, size)
	addRegion(t, s, slab.Region{First: first, SlotPages: pages, Slots: 4}, up)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = openTest(t, dir)
	if found := checkStore(t, s, false); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
	if got, err := s.Get(t.Context(), testKey(2), testOrg); err != nil || !bytes.Equal(got.Data, up.Picture.Data) {
		t.Errorf("Get = %d bytes, %v", len(got.Data), err)
	}
	// A delete overwrites all of the slot, not only the picture.
	if err := s.slab.Write(first+pages-1, []byte("behind the picture"), 0); err != nil {
		t.Fatal(err)
	}
	mustRemove(t, s, 2)
	if _, err := s.Get(t.Context(), testKey(2), testOrg); !errors.Is(err, storage.ErrNoPicture) {
		t.Errorf("Get after Remove = %v", err)
	}
	data, err := os.ReadFile(filepath.Join(dir, slabName))
	if err != nil {
		t.Fatal(err)
	}
	if n := nonZero(data[first*slab.PageBytes : (first+pages)*slab.PageBytes]); n > 0 {
		t.Errorf("%d bytes are left in the slot", n)
	}
	for i := range 30 {
		mustPut(t, s, 10+i, size)
	}
	if n := count(t, s, fmt.Sprintf(`SELECT count(*) FROM generation WHERE slot >= %d AND slot < %d AND state = 2`, first, first+4*pages)); n > 0 {
		t.Errorf("%d pictures of %d bytes lie in slots of another size", n, size)
	}
	mustPut(t, s, 2, 20_000)
	if n := count(t, s, `SELECT slot FROM generation WHERE uid = (SELECT uid FROM user WHERE id = 'user-2') AND state = 2`); n != first {
		t.Errorf("the slot is at page %d, want %d, where one of the right size is free", n, first)
	}
	if found := checkStore(t, s, false); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}
