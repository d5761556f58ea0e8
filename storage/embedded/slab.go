package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"sync"

	"avatard/storage"
	"avatard/storage/embedded/internal/datadir"
	"avatard/storage/embedded/internal/hooks"
)

// The slab is one file of 4 KiB pages. Page 0 names the store it belongs to; behind it lie regions, each cut into slots
// of one size. A slot in use starts with a header and holds one picture; every other slot is zeros.
//
// One batch at a time writes, see slabwork.go. Readers check what they read (see readSlot), because a slot may be zeroed and
// given away while they read it.
const (
	pageBytes   = 4096
	headerBytes = 32
	slabMagic   = "avtdslb1"
	slotMagic   = "avtdpic1"
)

// Slot header: magic, generation id, length of the picture, CRC-32C of the picture.
const (
	headerIDOffset     = 8
	headerLengthOffset = 24
	headerSumOffset    = 28
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errNotThisSlot: the slot does not hold, or no longer holds, the generation that was looked for.
var errNotThisSlot = errors.New("the slot holds another generation")

// generationID is the random name of one upload.
type generationID [16]byte

type slab struct {
	dir  datadir.Dir
	name string
	zero []byte // as long as the largest slot
	head []byte // the first page

	// writing is held from the first write to the sync that makes it durable: a failed sync is reported once, and must
	// be reported to whoever wrote.
	writing sync.Mutex

	// mu lets readers finish with a descriptor before it is replaced. Whoever holds writing replaces it, and
	// needs mu for nothing else.
	mu   sync.RWMutex
	file datadir.File
}

// openSlab opens the slab of the store with this id. Where create is set, because the database knows of no slot, it
// makes one; a file that holds more than a first page is never taken for a new one.
func openSlab(dir datadir.Dir, name string, store generationID, create bool) (*slab, error) {
	s := &slab{dir: dir, name: name, zero: make([]byte, maxSlotPages*pageBytes),
		head: make([]byte, pageBytes)}
	copy(s.head, slabMagic)
	copy(s.head[8:], store[:])
	err := s.reopen(os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		if create {
			return s, s.create()
		}
		return nil, fmt.Errorf("%w: %s is missing; restore the directory from a backup", storage.ErrDamaged, s.name)
	}
	if err != nil {
		return nil, err
	}
	// A crash between making the file and its first sync leaves it short: nothing can be in it then. A page that looks right
	// is written again all the same, for it may be in memory only: the sync may have failed, which is told once.
	head := make([]byte, pageBytes+1)
	n, err := s.file.ReadAt(head, 0)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		err = fmt.Errorf("read %s: %w", s.name, err)
	case create && n <= pageBytes:
		return s, s.create()
	case n >= pageBytes && string(head[:8]) == slabMagic && generationID(head[8:24]) == store:
		return s, nil
	case n < pageBytes || string(head[:8]) != slabMagic:
		err = fmt.Errorf("%w: the first page of %s is not what was written; restore the directory from a backup", storage.ErrDamaged, s.name)
	default:
		err = fmt.Errorf("%w: %s and %s are of two stores; put together again what belongs together", storage.ErrDamaged, s.name, databaseName)
	}
	return nil, errors.Join(err, s.file.Close())
}

// create writes the first page and makes the file and its name durable.
func (s *slab) create() error {
	if s.file == nil {
		if err := s.reopen(os.O_RDWR | os.O_CREATE); err != nil {
			return err
		}
	}
	hooks.Failpoint("slab-created")
	if err := s.file.Truncate(0); err != nil {
		return err
	}
	if _, err := s.file.WriteAt(s.head, 0); err != nil {
		return err
	}
	hooks.Failpoint("slab-head-written")
	if err := s.file.Sync(); err != nil {
		return err
	}
	hooks.Failpoint("slab-head-synced")
	return s.dir.Sync()
}

// reopen replaces the descriptor. After a failed sync the old one must not be asked again: it reports an error once
// and forgets it.
func (s *slab) reopen(flag int) error {
	file, err := s.dir.Open(s.name, flag)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.file
	s.file = file
	if old != nil {
		old.Close() // what it held was synced, or failed and is written again
	}
	return nil
}

// probe writes the first page again and syncs it, to see whether the file can be written. A write that is cut off harms nothing: what
// it writes is what is there.
func (s *slab) probe() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if _, err := s.file.WriteAt(s.head, 0); err != nil {
		return fmt.Errorf("write %s: %w", s.name, err)
	}
	return s.sync()
}

// grow writes zeros over the pages of a new region and makes them and the file's size durable. Writing now is what
// keeps later uploads cheap: a file system does not have to find blocks for them. What a failure leaves is cut off where it
// may be.
func (s *slab) grow(first, pages int64, mayCut bool) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	err := s.fill(first, pages)
	if err != nil && mayCut {
		// What was taken of a full disk goes back: deletes need some for their records.
		err = errors.Join(err, s.file.Truncate(first*pageBytes))
	}
	if err != nil {
		return err
	}
	hooks.Failpoint("grow-synced")
	return s.dir.Sync()
}

// fill writes zeros and syncs them.
func (s *slab) fill(first, pages int64) error {
	for done := int64(0); done < pages; {
		n := min(pages-done, maxSlotPages)
		if _, err := s.file.WriteAt(s.zero[:n*pageBytes], (first+done)*pageBytes); err != nil {
			return fmt.Errorf("grow %s: %w", s.name, err)
		}
		done += n
	}
	hooks.Failpoint("grow-written")
	return s.sync()
}

// slotImage returns what a slot holds for a picture: header and bytes, filled up with zeros to a whole page.
func slotImage(id generationID, data []byte) []byte {
	n := headerBytes + len(data)
	buf := make([]byte, (n+pageBytes-1)/pageBytes*pageBytes)
	copy(buf, slotMagic)
	copy(buf[headerIDOffset:], id[:])
	binary.BigEndian.PutUint32(buf[headerLengthOffset:], uint32(len(data)))
	binary.BigEndian.PutUint32(buf[headerSumOffset:], crc32.Checksum(data, castagnoli))
	copy(buf[headerBytes:], data)
	return buf
}

// write puts a slot image in place. It is durable after the next sync. What is behind it in the slot is zeros already; where it may be a hole
// it is written all the same, so that a picture's whole slot has blocks and erasing it needs none.
func (s *slab) write(w *slotWrite) error {
	if _, err := s.file.WriteAt(w.image, w.slot*pageBytes); err != nil || w.rest == 0 {
		return err
	}
	return s.erase(w.slot+int64(len(w.image))/pageBytes, w.rest)
}

// erase overwrites a whole slot with zeros. It is durable after the next sync.
func (s *slab) erase(slot, pages int64) error {
	_, err := s.file.WriteAt(s.zero[:pages*pageBytes], slot*pageBytes)
	return err
}

// punch makes a hole of a slot, or of several in a row. It is errors.ErrUnsupported where that cannot be done.
func (s *slab) punch(slot, pages int64) error {
	f, ok := s.file.(datadir.Puncher)
	if !ok {
		return errors.ErrUnsupported
	}
	return f.Punch(slot*pageBytes, pages*pageBytes)
}

// sync makes all writes durable. When it fails, none of those since the last successful one may be relied on, and
// all must be written again: the kernel may show bytes that the disk does not have.
func (s *slab) sync() error {
	err := s.file.Sync()
	if err != nil {
		err = errors.Join(fmt.Errorf("sync %s: %w", s.name, err), s.reopen(os.O_RDWR))
	}
	return err
}

// readSlot returns the picture of one generation. errNotThisSlot means that it is gone, errDamaged that it is spoilt,
// storage.ErrUnavailable that the file cannot be read now.
func (s *slab) readSlot(slot int64, id generationID, size int64) ([]byte, error) {
	buf := make([]byte, headerBytes+size)
	s.mu.RLock()
	_, err := s.file.ReadAt(buf, slot*pageBytes)
	s.mu.RUnlock()
	if err != nil {
		clear(buf)
		return nil, fmt.Errorf("%w: read %s: %w", storage.ErrUnavailable, s.name, err)
	}
	if string(buf[:8]) != slotMagic || generationID(buf[headerIDOffset:headerLengthOffset]) != id ||
		int64(binary.BigEndian.Uint32(buf[headerLengthOffset:])) != size {
		clear(buf) // perhaps another's
		return nil, errNotThisSlot
	}
	data := buf[headerBytes:]
	if crc32.Checksum(data, castagnoli) != binary.BigEndian.Uint32(buf[headerSumOffset:]) {
		clear(buf)
		return nil, errDamaged
	}
	return data, nil
}

// errDamaged: the slot is the right one and its bytes are not those that were written. A reader sees it too while the
// slot is being zeroed, and then finds the generation gone.
var errDamaged = errors.New("the stored picture is damaged")
