package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"avatard/storage"
	"avatard/storage/embedded/internal/slab"
)

// A picture may lie in slots that are larger than a new one of its size would get: what a program has done that knew fewer sizes. It is read,
// backed up and found to be in order; a delete overwrites the whole slot; and the slot goes back to those of its region.
func TestSlotSizeIsItsRegions(t *testing.T) {
	const pages, size, first = 6, 5000, 100
	dir := t.TempDir()
	s := openTest(t, dir)
	mustPut(t, s, 1, 300)
	up := upload(1, size)
	id := slab.GenerationID{1, 2, 3}
	image := make([]byte, 4*pages*slab.PageBytes)
	copy(image, slab.Image(id, up.Picture.Data))
	if err := s.slab.Write(first, image, 0); err != nil {
		t.Fatal(err)
	}
	s.db.lock()
	err := s.db.conn.Exec(fmt.Sprintf(`INSERT INTO region VALUES (%[1]d, %[2]d, 4);
		INSERT INTO user (iid, id, organization, created, changed, sequence) SELECT iid, 'user-2', organization, 5, 5, 1 FROM user;
		INSERT INTO generation SELECT %[1]d, x'01020300000000000000000000000000', uid, 1, %[3]d, %[4]d, NULL FROM user WHERE id = 'user-2';
		UPDATE generation SET state = 2 WHERE slot = %[1]d`, first, pages, size, up.Picture.Format))
	s.db.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
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
	// Whatever lies in the slot goes with it.
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
