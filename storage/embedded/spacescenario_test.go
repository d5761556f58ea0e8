package embedded

import (
	"bytes"
	"context"
	"errors"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage/embedded/internal/slab"
)

// withSpace leaves space at the end of the slab and between two pictures.
func (d *diskScenario) withSpace() {
	mustPut(d, d.s, 1, 300_000)
	mustPut(d, d.s, 2, 300_000)
	mustPut(d, d.s, 3, 5000)
	mustRemove(d, d.s, 1)
	mustRemove(d, d.s, 3)
	trimAll(d.s)
}

// trimAll makes a store keep nothing of what it can give back.
func trimAll(s *Store) { onCommitter(s, func() { s.trimmer.warm, s.trimmer.rooted = 0, 0 }) }

// giveBack gives space back on a disk that goes wrong, of which no caller hears, and uses what came back.
func (d *diskScenario) giveBack() {
	ctx := context.Background()
	err := d.s.Tidy(ctx)
	if err != nil && !errors.Is(err, errDisk) && !errors.Is(err, sqlite3.IOERR) {
		d.Errorf("place %d: Tidy = %v, want the disk's error", d.at, err)
	}
	if err == nil { // either all went well, or it was put right by what came after
		if st := d.s.Stats(); st.SlabBytes != (1+2*96)*slab.PageBytes || st.SlabDiskBytes > (2+96)*slab.PageBytes {
			d.Errorf("place %d: a slab of %d bytes takes %d", d.at, st.SlabBytes, st.SlabDiskBytes)
		}
	}
	d.try("Get", func(ctx context.Context) error {
		got, err := d.s.Get(ctx, testKey(2), testOrg)
		if err == nil && !bytes.Equal(got.Data, upload(2, 300_000).Picture.Data) {
			err = errors.New("another picture")
		}
		return err
	}, nil)
	first := upload(1, 290_000)
	d.put(first)
	d.put(upload(3, 5200))
	d.remove(1, first.Picture.Data)
	d.f.set(nil)
	if err := d.s.Tidy(ctx); err != nil {
		d.Errorf("place %d: Tidy = %v once the disk works again", d.at, err)
	}
	if found := checkStore(d.T, d.s, false); len(found) > 0 {
		d.Errorf("place %d: found %+v", d.at, found)
	}
}
