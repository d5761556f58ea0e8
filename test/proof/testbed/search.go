package testbed

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"example.org/avatard/storage/storagetest"
)

// minDistinct is how many different bytes a block has. Runs of one byte say nothing about where they are from.
const minDistinct = 8

// Piece is an unbroken run of bytes of one picture of a set, found in a file. No other picture of the set holds it.
type Piece struct {
	storagetest.Piece // Number is the picture's in the set
	// Uploaded tells a piece of what was sent, and is not in what is made of it, from one of the stored form.
	Uploaded bool
}

func (p Piece) String() string {
	if p.Uploaded {
		return "as uploaded: " + p.Piece.String()
	}
	return p.Piece.String()
}

// Search looks for pieces of the pictures, in both forms, in every regular file below the directories: see [storagetest.Search].
func (s *PictureSet) Search(dirs ...string) ([]Piece, error) {
	found, err := storagetest.Search(s.index, dirs...)
	if err != nil {
		return nil, err
	}
	pieces := make([]Piece, len(found))
	for i, p := range found {
		count := uint32(len(s.All))
		uploaded := p.Number >= count
		p.Number %= count
		pieces[i] = Piece{p, uploaded}
	}
	return pieces, nil
}

// index finds blocks of a set's pictures in both forms: those that begin at multiples of storagetest.BlockBytes, are in one
// place only and are not too plain.
type index struct {
	texts  [][]byte                     // the stored forms, then the uploaded ones
	places map[uint64]storagetest.Place // by hash of the block
	maybe  []uint64                     // a bit for each hash, to look the others up faster
	blocks []int                        // how many of each text are in it
}

const (
	blockBytes = storagetest.BlockBytes
	maybeBits  = 26
)

func blockHash(b []byte) uint64 {
	_ = b[blockBytes-1]
	low, high := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	return bits.RotateLeft64(low*0x9e3779b97f4a7c15, 29) ^ high*0xc2b2ae3d27d4eb4f
}

func newIndex(pictures []Picture) *index {
	x := &index{places: make(map[uint64]storagetest.Place), maybe: make([]uint64, 1<<(maybeBits-6)), blocks: make([]int, 2*len(pictures))}
	for _, p := range pictures {
		x.texts = append(x.texts, p.Stored)
	}
	for _, p := range pictures {
		x.texts = append(x.texts, p.Upload)
	}
	x.addBlocks()
	x.dropShared()
	for _, at := range x.places {
		x.blocks[at.Number]++
	}
	return x
}

// addBlocks adds the blocks of all texts but those that are plain or begin at a multiple of blockBytes in a second place, too.
func (x *index) addBlocks() {
	shared := make(map[uint64]bool)
	for number, text := range x.texts {
		for start := 0; start+blockBytes <= len(text); start += blockBytes {
			hash := blockHash(text[start:])
			first, ok := x.places[hash]
			if ok && x.isUploadOf(number, first) {
				continue
			}
			if ok {
				shared[hash] = true // also within a picture: it would not tell where the piece begins
			}
			x.places[hash] = storagetest.Place{Number: uint32(number), Start: int64(start)}
		}
	}
	for hash, at := range x.places {
		if shared[hash] || plain(x.block(at)) {
			delete(x.places, hash)
			continue
		}
		slot := hash >> (64 - maybeBits)
		x.maybe[slot/64] |= 1 << (slot % 64)
	}
}

// dropShared drops blocks that are somewhere else, too, perhaps at an odd place: what went from an upload into the stored form, and
// tables of codes, which the pictures of one format have in common.
func (x *index) dropShared() {
	for number, text := range x.texts {
		for i := 0; i+blockBytes <= len(text); i++ {
			at, ok := x.find(text[i : i+blockBytes])
			if ok && at != (storagetest.Place{Number: uint32(number), Start: int64(i)}) && !x.isUploadOf(number, at) {
				delete(x.places, blockHash(text[i:]))
			}
		}
	}
}

// isUploadOf reports whether a text is the uploaded form of the picture whose stored form a place is in.
func (x *index) isUploadOf(number int, at storagetest.Place) bool {
	return int(at.Number)+len(x.texts)/2 == number
}

func (x *index) block(at storagetest.Place) []byte {
	return x.texts[at.Number][at.Start : at.Start+blockBytes]
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

// find returns the place of a block.
func (x *index) find(block []byte) (at storagetest.Place, ok bool) {
	hash := blockHash(block)
	slot := hash >> (64 - maybeBits)
	if x.maybe[slot/64]&(1<<(slot%64)) == 0 {
		return storagetest.Place{}, false
	}
	at, ok = x.places[hash]
	return at, ok && bytes.Equal(x.block(at), block)
}

// Finder implements [storagetest.Pictures].
func (x *index) Finder() func(block []byte) (storagetest.Place, bool) { return x.find }

// Fill implements [storagetest.Pictures].
func (x *index) Fill(buf []byte, at storagetest.Place) int {
	text := x.texts[at.Number]
	return copy(buf, text[min(at.Start, int64(len(text))):])
}
