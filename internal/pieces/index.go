package pieces

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// minDistinct is how many different bytes a block has. Runs of one byte say nothing about where they are from.
const minDistinct = 8

// Picture is a picture in its two forms.
type Picture struct {
	// Upload is what is sent.
	Upload []byte
	// Stored is what the server makes of it, keeps and serves.
	Stored []byte
}

// Found is a piece of one of several pictures. No other one of them holds it.
type Found struct {
	Piece // Number is the picture's among them
	// Uploaded tells a piece of what was sent, and is not in what is made of it, from one of the stored form.
	Uploaded bool
}

func (p Found) String() string {
	if p.Uploaded {
		return "as uploaded: " + p.Piece.String()
	}
	return p.Piece.String()
}

// Search looks for pieces of the pictures, in both forms, in every regular file below the directories: see [Search].
func (x *Index) Search(dirs ...string) ([]Found, error) {
	found, err := Search(x, dirs...)
	if err != nil {
		return nil, err
	}
	pieces := make([]Found, len(found))
	for i, p := range found {
		count := uint32(len(x.texts) / 2)
		uploaded := p.Number >= count
		p.Number %= count
		pieces[i] = Found{p, uploaded}
	}
	return pieces, nil
}

// Blocks returns how many blocks of each form of a picture tell which picture they are from. A form with none cannot be found.
func (x *Index) Blocks(picture int) (stored, uploaded int) {
	return x.blocks[picture], x.blocks[len(x.texts)/2+picture]
}

// Index finds blocks of pictures in both forms: those that begin at multiples of BlockBytes, are in one
// place only and are not too plain.
type Index struct {
	texts  [][]byte         // the stored forms, then the uploaded ones
	places map[uint64]Place // by hash of the block
	maybe  []uint64         // a bit for each hash, to look the others up faster
	blocks []int            // how many of each text are in it
}

const maybeBits = 26

func blockHash(b []byte) uint64 {
	_ = b[BlockBytes-1]
	low, high := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	return bits.RotateLeft64(low*0x9e3779b97f4a7c15, 29) ^ high*0xc2b2ae3d27d4eb4f
}

// NewIndex returns the index of pictures, which must not change from then on. It is safe for concurrent use.
func NewIndex(pictures []Picture) *Index {
	x := &Index{places: make(map[uint64]Place), maybe: make([]uint64, 1<<(maybeBits-6)), blocks: make([]int, 2*len(pictures))}
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

// addBlocks adds the blocks of all texts but those that are plain or begin at a multiple of BlockBytes in a second place, too.
func (x *Index) addBlocks() {
	shared := make(map[uint64]bool)
	for number, text := range x.texts {
		for start := 0; start+BlockBytes <= len(text); start += BlockBytes {
			hash := blockHash(text[start:])
			first, ok := x.places[hash]
			if ok && x.isUploadOf(number, first) {
				continue
			}
			if ok {
				shared[hash] = true // also within a picture: it would not tell where the piece begins
			}
			x.places[hash] = Place{Number: uint32(number), Start: int64(start)}
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
func (x *Index) dropShared() {
	for number, text := range x.texts {
		for i := 0; i+BlockBytes <= len(text); i++ {
			at, ok := x.find(text[i : i+BlockBytes])
			if ok && at != (Place{Number: uint32(number), Start: int64(i)}) && !x.isUploadOf(number, at) {
				delete(x.places, blockHash(text[i:]))
			}
		}
	}
}

// isUploadOf reports whether a text is the uploaded form of the picture whose stored form a place is in.
func (x *Index) isUploadOf(number int, at Place) bool {
	return int(at.Number)+len(x.texts)/2 == number
}

func (x *Index) block(at Place) []byte {
	return x.texts[at.Number][at.Start : at.Start+BlockBytes]
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
func (x *Index) find(block []byte) (at Place, ok bool) {
	hash := blockHash(block)
	slot := hash >> (64 - maybeBits)
	if x.maybe[slot/64]&(1<<(slot%64)) == 0 {
		return Place{}, false
	}
	at, ok = x.places[hash]
	return at, ok && bytes.Equal(x.block(at), block)
}

// Finder implements [Pictures].
func (x *Index) Finder() func(block []byte) (Place, bool) { return x.find }

// Fill implements [Pictures].
func (x *Index) Fill(buf []byte, at Place) int {
	text := x.texts[at.Number]
	return copy(buf, text[min(at.Start, int64(len(text))):])
}
