// Package slab keeps pictures in slots of one file, and keeps track of which slots are free.
//
//	page 0 ┌──────────────┐  magic, id of the store
//	       ├──────────────┤
//	Region │ slot │ slot …│  all of one size; the next region has slots of the same size or another
//	       ├──────────────┤
//	Region │ slot │ slot …│  slot = Image: header, picture, zeros. One that holds no picture is all zeros.
//	       └──────────────┘
//
// [Slab] is the file: it writes images, overwrites slots with zeros, grows, makes holes. Writes are durable after the next [Slab.Sync] that
// succeeds; after one that failed, all of them have to be repeated. [Slots] has, in memory, which slots of which region may be given
// away.
//
// One goroutine at a time writes. Readers check what they read, because a slot may be zeroed and given away meanwhile. The owner of a slot
// is in the metadata, not in this package.
package slab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"sync"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/hooks"
)

// Sizes in bytes, and magic values. All of it is on-disk format.
const (
	PageBytes   = 4096
	HeaderBytes = 32
	Magic       = "avtdslb1"
	SlotMagic   = "avtdpic1"
)

// Places in a slot's header: magic, generation id, length of the picture, CRC-32C of the picture.
const (
	HeaderIDOffset     = 8
	HeaderLengthOffset = 24
	HeaderSumOffset    = 28
)

// Castagnoli is the table of the checksums.
var Castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrOtherStore means that the slab belongs to another store than the one that was opened.
var ErrOtherStore = errors.New("the slab is of another store")

// ErrOtherGeneration means that the slot does not hold, or no longer holds, the generation that is read.
var ErrOtherGeneration = errors.New("the slot holds another generation")

// GenerationID is the random name of one upload.
type GenerationID [16]byte

// Slab is the file.
type Slab struct {
	dir  datadir.Dir
	name string
	zero []byte // as long as the largest slot
	head []byte // the first page

	// mu lets readers finish with a descriptor before it is replaced. The writer replaces it, and needs mu for nothing else.
	mu   sync.RWMutex
	file datadir.File
}

// Open opens the slab of the store with this id. When create is set, because the database has no slots, it makes the file; a file with more
// than a first page is never taken for a new one.
func Open(dir datadir.Dir, name string, store GenerationID, create bool) (*Slab, error) {
	s := &Slab{dir: dir, name: name, zero: make([]byte, MaxSlotPages*PageBytes),
		head: make([]byte, PageBytes)}
	copy(s.head, Magic)
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
	// A crash between making the file and its first sync leaves it short, and then it holds no picture. A page that looks right is
	// written again all the same, because it may be in memory only: the kernel reports a failed sync only once.
	head := make([]byte, PageBytes+1)
	n, err := s.file.ReadAt(head, 0)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		err = fmt.Errorf("read %s: %w", s.name, err)
	case create && n <= PageBytes:
		return s, s.create()
	case n >= PageBytes && string(head[:8]) == Magic && GenerationID(head[8:24]) == store:
		return s, nil
	case n < PageBytes || string(head[:8]) != Magic:
		err = fmt.Errorf("%w: the first page of %s is not what was written; restore the directory from a backup", storage.ErrDamaged, s.name)
	default:
		err = ErrOtherStore
	}
	return nil, errors.Join(err, s.file.Close())
}

// OpenToRead opens the slab of a store that no process serves, and changes nothing. A missing file reads as an empty one.
func OpenToRead(dir datadir.Dir, name string) (*Slab, error) {
	s := &Slab{dir: dir, name: name}
	err := s.reopen(os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return s, err
}

// Close closes the file, if it is open.
func (s *Slab) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// DiskBytes returns how much space the file takes.
func (s *Slab) DiskBytes() (int64, error) {
	info, err := os.Stat(s.dir.File(s.name))
	if err != nil {
		return 0, err
	}
	return datadir.DiskBytes(info), nil
}

// create writes the first page and makes the file and its name durable.
func (s *Slab) create() error {
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
func (s *Slab) reopen(flag int) error {
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

// Probe writes the first page again and syncs it, to find out whether the file can be written. A write that is cut off does no harm,
// because it writes the bytes that are there.
func (s *Slab) Probe() error {
	if _, err := s.file.WriteAt(s.head, 0); err != nil {
		return fmt.Errorf("write %s: %w", s.name, err)
	}
	return s.Sync()
}

// Grow writes zeros to the pages of a new region and makes them and the file's size durable. That makes later uploads cheap: the file
// system does not have to find blocks for them. After a failure the new pages are cut off where possible.
func (s *Slab) Grow(first, pages int64, mayCut bool) error {
	err := s.fill(first, pages)
	if err != nil && mayCut {
		// The blocks go back to a full disk: deletes need some for their records.
		err = errors.Join(err, s.file.Truncate(first*PageBytes))
	}
	if err != nil {
		return err
	}
	hooks.Failpoint("grow-synced")
	return s.dir.Sync()
}

// fill writes zeros and syncs them.
func (s *Slab) fill(first, pages int64) error {
	for done := int64(0); done < pages; {
		n := min(pages-done, MaxSlotPages)
		if _, err := s.file.WriteAt(s.zero[:n*PageBytes], (first+done)*PageBytes); err != nil {
			return fmt.Errorf("grow %s: %w", s.name, err)
		}
		done += n
	}
	hooks.Failpoint("grow-written")
	return s.Sync()
}

// Image returns what a slot holds for a picture: header and bytes, filled up with zeros to a whole page.
func Image(id GenerationID, data []byte) []byte {
	n := HeaderBytes + len(data)
	buf := make([]byte, (n+PageBytes-1)/PageBytes*PageBytes)
	copy(buf, SlotMagic)
	copy(buf[HeaderIDOffset:], id[:])
	binary.BigEndian.PutUint32(buf[HeaderLengthOffset:], uint32(len(data)))
	binary.BigEndian.PutUint32(buf[HeaderSumOffset:], crc32.Checksum(data, Castagnoli))
	copy(buf[HeaderBytes:], data)
	return buf
}

// Write writes the image of a slot. It is durable after the next sync. The rest of the slot is zeros already; rest pages of it are written
// all the same where it may be a hole, so that the whole slot of a picture has blocks and erasing it needs no new ones.
func (s *Slab) Write(slot int64, image []byte, rest int64) error {
	if _, err := s.file.WriteAt(image, slot*PageBytes); err != nil || rest == 0 {
		return err
	}
	return s.Zero(slot+int64(len(image))/PageBytes, rest)
}

// Zero overwrites a whole slot with zeros. It is durable after the next sync.
func (s *Slab) Zero(slot, pages int64) error {
	_, err := s.file.WriteAt(s.zero[:pages*PageBytes], slot*PageBytes)
	return err
}

// Punch makes a hole of a slot, or of several in a row. The error is errors.ErrUnsupported where that cannot be done.
func (s *Slab) Punch(slot, pages int64) error {
	f, ok := s.file.(datadir.Puncher)
	if !ok {
		return errors.ErrUnsupported
	}
	return f.Punch(slot*PageBytes, pages*PageBytes)
}

// Sync makes all writes durable. When it fails, none of the writes since the last successful sync may be relied on, and all must be
// repeated: the kernel may return bytes that the disk does not have.
func (s *Slab) Sync() error {
	err := s.file.Sync()
	if err != nil {
		err = errors.Join(fmt.Errorf("sync %s: %w", s.name, err), s.reopen(os.O_RDWR))
	}
	return err
}

// Read returns the picture of one generation. The errors are ErrOtherGeneration when it is gone, ErrSpoilt when it is damaged, and
// storage.ErrUnavailable when the file cannot be read now.
func (s *Slab) Read(slot int64, id GenerationID, size int64) ([]byte, error) {
	buf := make([]byte, HeaderBytes+size)
	s.mu.RLock()
	_, err := s.file.ReadAt(buf, slot*PageBytes)
	s.mu.RUnlock()
	if err != nil {
		clear(buf)
		return nil, fmt.Errorf("%w: read %s: %w", storage.ErrUnavailable, s.name, err)
	}
	if string(buf[:8]) != SlotMagic || GenerationID(buf[HeaderIDOffset:HeaderLengthOffset]) != id ||
		int64(binary.BigEndian.Uint32(buf[HeaderLengthOffset:])) != size {
		clear(buf) // it may hold another user's picture
		return nil, ErrOtherGeneration
	}
	data := buf[HeaderBytes:]
	if crc32.Checksum(data, Castagnoli) != binary.BigEndian.Uint32(buf[HeaderSumOffset:]) {
		clear(buf)
		return nil, ErrSpoilt
	}
	return data, nil
}

// ErrSpoilt means that the slot is the right one and its bytes are not those that were written. A read gets it, too, while the
// slot is being zeroed, and then finds that the generation is gone.
var ErrSpoilt = errors.New("the stored picture is damaged")

// ReadAt reads bytes as they are, without a check of their generation.
func (s *Slab) ReadAt(p []byte, off int64) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.file == nil { // there is none
		return 0, io.EOF
	}
	return s.file.ReadAt(p, off)
}

// Length returns the size of the file in bytes.
func (s *Slab) Length() (int64, error) {
	info, err := os.Lstat(s.dir.File(s.name))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Span is a stretch of the slab that belongs to no picture, in bytes.
type Span struct{ Off, N int64 }

// ZeroBytes overwrites a stretch with zeros. It is durable after the next sync.
func (s *Slab) ZeroBytes(sp Span) error {
	_, err := s.file.WriteAt(s.zero[:sp.N], sp.Off)
	return err
}

// Cut makes the file end at a page.
func (s *Slab) Cut(page int64) error {
	s.mu.RLock() // the descriptor stays, and only this goroutine writes behind the last region
	defer s.mu.RUnlock()
	return s.file.Truncate(page * PageBytes)
}
