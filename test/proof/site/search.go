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
	// Uploaded tells a piece of what was sent, and is not in what is made of it, from one of the stored form.
	Uploaded bool
	Start    int // in the picture
	Length   int // at least PieceBytes
}

func (p Piece) String() string {
	form := ""
	if p.Uploaded {
		form = " as uploaded"
	}
	return fmt.Sprintf("%d bytes of picture %d%s from its byte %d on, in %s at %d", p.Length, p.Picture, form, p.Start, p.File, p.Offset)
}

// index finds blocks of a bank's pictures in both forms: those that begin at multiples of blockBytes, are in one place only
// and are not too plain.
type index struct {
	texts  [][]byte         // the stored forms, then the uploaded ones
	at     map[uint64]place // by hash of the block
	maybe  []uint64         // a bit for each hash, to look the others up faster
	blocks []int            // how many of each text are in it
}

type place struct{ text, start int32 }

const maybeBits = 26

func blockHash(b []byte) uint64 {
	_ = b[blockBytes-1]
	low, high := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	return bits.RotateLeft64(low*0x9e3779b97f4a7c15, 29) ^ high*0xc2b2ae3d27d4eb4f
}

func newIndex(pictures []Picture) *index {
	x := &index{at: make(map[uint64]place), maybe: make([]uint64, 1<<(maybeBits-6)), blocks: make([]int, 2*len(pictures))}
	for _, p := range pictures {
		x.texts = append(x.texts, p.Stored)
	}
	for _, p := range pictures {
		x.texts = append(x.texts, p.Upload)
	}
	shared := make(map[uint64]bool)
	for number, text := range x.texts {
		for start := 0; start+blockBytes <= len(text); start += blockBytes {
			hash := blockHash(text[start:])
			first, ok := x.at[hash]
			if ok && int(first.text)+len(pictures) == number {
				continue // the same in both forms of one picture
			}
			if ok {
				shared[hash] = true // also within a picture: it would not tell where the piece begins
			}
			x.at[hash] = place{int32(number), int32(start)}
		}
	}
	for hash, at := range x.at {
		if shared[hash] || plain(x.block(at)) {
			delete(x.at, hash)
			continue
		}
		slot := hash >> (64 - maybeBits)
		x.maybe[slot/64] |= 1 << (slot % 64)
	}
	// What is somewhere else, too, perhaps at an odd place: what went from an upload into the stored form, and tables of codes, which
	// the pictures of one format have in common.
	for number, text := range x.texts {
		for i := 0; i+blockBytes <= len(text); i++ {
			at, ok := x.find(text[i:])
			if ok && at != (place{int32(number), int32(i)}) && !(int(at.text)+len(pictures) == number) {
				delete(x.at, blockHash(text[i:]))
			}
		}
	}
	for _, at := range x.at {
		x.blocks[at.text]++
	}
	return x
}

func (x *index) block(at place) []byte { return x.texts[at.text][at.start : at.start+blockBytes] }

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

// A file is looked at in windows. With each one some bytes before it are read, because a piece's first whole block may lie
// behind the window's beginning, and more behind it than the largest picture has.
const (
	window = 4 << 20
	before = 2 * PieceBytes
	behind = 1 << 20
)

func (x *index) searchFile(name string) ([]Piece, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var pieces []Piece
	buf := make([]byte, before+window+behind)
	next := int64(0) // where to look on: behind the last piece
	for from := int64(0); ; from += window {
		first := max(0, from-before)
		n, err := file.ReadAt(buf[:from-first+window+behind], first)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		data, until := buf[:n], int(from-first+window)
		for i := int(max(next, from) - first); i < until; {
			p, length := x.next(data, &i, until, int(max(next, first)-first))
			if length == 0 {
				break
			}
			next = first + int64(i)
			if length >= PieceBytes {
				p.File, p.Offset, p.Length = name, first+int64(i-length), length
				pieces = append(pieces, p)
			}
		}
		if int64(n) < from-first+window {
			return pieces, nil
		}
	}
}

var zeros [4096]byte

// next looks for the first block from i on, and before until, and moves i behind the piece that it is part of. The piece may
// reach back to floor. Its length is 0 when there is none.
func (x *index) next(data []byte, i *int, until, floor int) (p Piece, length int) {
	end := len(data) - blockBytes
	for ; *i <= end && *i < until; *i++ {
		// Erased space is most of what there is to look at.
		for data[*i] == 0 && *i+len(zeros) <= len(data) && bytes.Equal(data[*i:*i+len(zeros)], zeros[:]) {
			*i += len(zeros) - blockBytes + 1
		}
		if *i > end || *i >= until {
			break
		}
		if at, ok := x.find(data[*i:]); ok {
			back, on := x.extend(data, *i, floor, at)
			*i += on
			pictures := len(x.texts) / 2
			return Piece{Picture: int(at.text) % pictures, Uploaded: int(at.text) >= pictures, Start: int(at.start) - back}, back + on
		}
	}
	return p, 0
}

// extend returns how far data and picture agree before and behind the beginning of the block that is in data at i.
func (x *index) extend(data []byte, i, floor int, at place) (back, on int) {
	text, start := x.texts[at.text], int(at.start)
	for back < min(i-floor, start) && data[i-back-1] == text[start-back-1] {
		back++
	}
	on = blockBytes
	for i+on < len(data) && start+on < len(text) && data[i+on] == text[start+on] {
		on++
	}
	return back, on
}
