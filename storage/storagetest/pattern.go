package storagetest

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

// PieceBytes is the length from which a run of picture bytes in a file counts as a piece.
const PieceBytes = 32

// blockBytes is the size of the cipher's block. A piece of 2·16-1 bytes or more, wherever it begins, holds at least one
// block that is whole.
const blockBytes = aes.BlockSize

// mark is the first half of every block's plain text. A run of other bytes deciphers to it by chance once in 2⁶⁴.
const mark = 0x6176617461726421

// Pattern makes pictures that look like random bytes and of which every piece tells, on its own, which picture it is
// from and where. It needs no memory of the pictures it made: each block is the enciphered number of the picture
// and of the block, so that a search deciphers what it finds.
//
// It is safe for concurrent use.
type Pattern struct {
	block cipher.Block
}

// NewPattern returns a pattern that depends on seed alone. Pictures of different seeds share no piece.
func NewPattern(seed uint64) *Pattern {
	var key [16]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the length of the key is right
	}
	return &Pattern{block: block}
}

// Picture returns the picture of a number, at the given size in bytes. The same number at two sizes is one picture and
// its beginning: give every upload a number of its own.
func (p *Pattern) Picture(number uint32, size int) []byte {
	data := make([]byte, (size+blockBytes-1)/blockBytes*blockBytes)
	for i := 0; i < len(data); i += blockBytes {
		p.encipher(data[i:i+blockBytes], place{number, uint32(i / blockBytes)})
	}
	return data[:size]
}

// place is where a block is from.
type place struct {
	number uint32
	block  uint32
}

func (p *Pattern) encipher(dst []byte, at place) {
	var plain [blockBytes]byte
	binary.LittleEndian.PutUint64(plain[:], mark)
	binary.LittleEndian.PutUint32(plain[8:], at.number)
	binary.LittleEndian.PutUint32(plain[12:], at.block)
	p.block.Encrypt(dst, plain[:])
}

// decipher tells where a block is from, false when it is no block of this pattern. Plain is scratch space.
func (p *Pattern) decipher(block, plain []byte) (at place, ok bool) {
	p.block.Decrypt(plain, block)
	if binary.LittleEndian.Uint64(plain) != mark {
		return place{}, false
	}
	return place{binary.LittleEndian.Uint32(plain[8:]), binary.LittleEndian.Uint32(plain[12:])}, true
}
