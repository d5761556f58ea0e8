package site

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
)

const (
	// PieceBytes is the length from which a run of bytes of a picture in a file counts as a piece.
	PieceBytes = 32
	// blockBytes is half of it: a piece, wherever it begins, holds at least one whole block of its picture.
	blockBytes = PieceBytes / 2
	// minDistinct is how many different bytes a block has. Runs of one byte say nothing about where they are from.
	minDistinct = 8
)

// Piece is an unbroken run of bytes of one picture of a bank, found in a file. No other picture of the bank holds it.
type Piece struct {
	File    string
	Offset  int64 // in the file
	Picture int   // number in the bank
	Start   int   // in the picture
	Length  int   // at least PieceBytes
}

func (p Piece) String() string {
	return fmt.Sprintf("%d bytes of picture %d from its byte %d on, in %s at %d", p.Length, p.Picture, p.Start, p.File, p.Offset)
}

// index finds blocks of a bank's pictures: those that begin at multiples of blockBytes, are in one picture only and are
// not too plain.
type index struct {
	pictures []Picture
	at       map[uint64]place // by hash of the block
	maybe    []uint64         // a bit for each hash, to look the others up faster
	blocks   []int            // how many of each picture are in it
}

type place struct{ picture, start int32 }

const maybeBits = 26

func blockHash(b []byte) uint64 {
	_ = b[blockBytes-1]
	low, high := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	return bits.RotateLeft64(low*0x9e3779b97f4a7c15, 29) ^ high*0xc2b2ae3d27d4eb4f
}

func newIndex(pictures []Picture) *index {
	x := &index{pictures: pictures, at: make(map[uint64]place), maybe: make([]uint64, 1<<(maybeBits-6)), blocks: make([]int, len(pictures))}
	shared := make(map[uint64]bool)
	for number, p := range pictures {
		for start := 0; start+blockBytes <= len(p.Stored); start += blockBytes {
			hash := blockHash(p.Stored[start:])
			if first, ok := x.at[hash]; ok && first.picture != int32(number) {
				shared[hash] = true
			}
			x.at[hash] = place{int32(number), int32(start)}
		}
	}
	for hash, at := range x.at {
		if shared[hash] || plain(x.block(at)) {
			delete(x.at, hash)
			continue
		}
		x.blocks[at.picture]++
		slot := hash >> (64 - maybeBits)
		x.maybe[slot/64] |= 1 << (slot % 64)
	}
	return x
}

func (x *index) block(at place) []byte {
	return x.pictures[at.picture].Stored[at.start : at.start+blockBytes]
}

func plain(block []byte) bool {
	var seen [256]bool
	distinct := 0
	for _, b := range block {
		if !seen[b] {
			seen[b] = true
			distinct++
		}
	}
	return distinct < minDistinct
}

// find returns the place of the block at the beginning of data.
func (x *index) find(data []byte) (at place, ok bool) {
	hash := blockHash(data)
	slot := hash >> (64 - maybeBits)
	if x.maybe[slot/64]&(1<<(slot%64)) == 0 {
		return place{}, false
	}
	at, ok = x.at[hash]
	return at, ok && bytes.Equal(x.block(at), data[:blockBytes])
}

// Search looks at every byte of every regular file below the directories and returns all pieces of pictures of the bank,
// whether they still live or not, in the order of files and offsets. Files that vanish meanwhile are left out; others
// must not change, or what moves may be missed.
func (b *Bank) Search(dirs ...string) ([]Piece, error) {
	var pieces []Piece
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				var found []Piece
				found, err = b.index.searchFile(name)
				pieces = append(pieces, found...)
			}
			if errors.Is(err, fs.ErrNotExist) && name != dir {
				return nil
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("search for pieces: %w", err)
		}
	}
	return pieces, nil
}

// window is how much of a file is looked at in one go. Windows overlap by more than the largest picture.
const (
	window  = 4 << 20
	overlap = 1 << 20
)

func (x *index) searchFile(name string) ([]Piece, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var pieces []Piece
	buf := make([]byte, window+overlap)
	seen := int64(0) // what lies before was looked at, with the piece that reached over the window's end
	for from := int64(0); ; from += window {
		n, err := file.ReadAt(buf, from)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		pieces, seen = x.searchWindow(pieces, name, buf[:n], from, seen)
		if n < len(buf) {
			return pieces, nil
		}
	}
}

var zeros [4096]byte

func (x *index) searchWindow(pieces []Piece, name string, data []byte, from, seen int64) ([]Piece, int64) {
	end := len(data) - blockBytes
	for i := max(0, int(seen-from)); i <= end; {
		// Erased space is most of what there is to look at.
		if data[i] == 0 && i+len(zeros) <= len(data) && bytes.Equal(data[i:i+len(zeros)], zeros[:]) {
			i += len(zeros) - blockBytes + 1
			continue
		}
		at, ok := x.find(data[i:])
		if !ok {
			i++
			continue
		}
		p := Piece{File: name, Picture: int(at.picture)}
		p.Start, p.Length = x.extend(data, i, at)
		p.Offset = from + int64(i-int(at.start)+p.Start)
		i = int(p.Offset-from) + p.Length
		if p.Length >= PieceBytes {
			pieces = append(pieces, p)
		}
	}
	return pieces, max(seen, from+int64(end)+1)
}

// extend returns how far data and picture agree around the block that begins in data at i.
func (x *index) extend(data []byte, i int, at place) (start, length int) {
	stored := x.pictures[at.picture].Stored
	before := 0
	for before < min(i, int(at.start)) && data[i-before-1] == stored[int(at.start)-before-1] {
		before++
	}
	after := blockBytes
	for i+after < len(data) && int(at.start)+after < len(stored) && data[i+after] == stored[int(at.start)+after] {
		after++
	}
	return int(at.start) - before, before + after
}
