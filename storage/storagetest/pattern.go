package storagetest

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"

	"example.org/avatard/internal/pieces"
)

// PieceBytes is the length from which a run of picture bytes in a file counts as a piece.
const PieceBytes = pieces.PieceBytes

// Piece is an unbroken run of bytes of one picture, found in a file.
type Piece = pieces.Piece

// mark is the first half of every block's plain text. A run of other bytes deciphers to it by chance once in 2⁶⁴.
const mark = 0x6176617461726421

// Pattern makes pictures that look like random bytes. Every piece of one shows, on its own, which picture it is
// from and where. A pattern keeps no list of the pictures it made: each block is the enciphered number of the picture
// and of the block, so that a search deciphers the bytes that it finds.
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

// Picture returns the picture of a number, at the given size in bytes. Two pictures of the same number and different
// sizes begin alike: give every upload a number of its own.
func (p *Pattern) Picture(number uint32, size int) []byte {
	data := make([]byte, size)
	p.Fill(data, pieces.Place{Number: number})
	return data
}

// Fill implements [pieces.Pictures]. The pictures of a pattern have no end.
func (p *Pattern) Fill(buf []byte, at pieces.Place) int {
	var plain, block [aes.BlockSize]byte
	binary.LittleEndian.PutUint64(plain[:], mark)
	binary.LittleEndian.PutUint32(plain[8:], at.Number)
	for n := 0; n < len(buf); {
		in := int(at.Start+int64(n)) % aes.BlockSize
		binary.LittleEndian.PutUint32(plain[12:], uint32((at.Start+int64(n))/aes.BlockSize))
		p.block.Encrypt(block[:], plain[:])
		n += copy(buf[n:], block[in:])
	}
	return len(buf)
}

// Finder implements [pieces.Pictures].
func (p *Pattern) Finder() func(block []byte) (pieces.Place, bool) {
	plain := make([]byte, aes.BlockSize)
	return func(block []byte) (pieces.Place, bool) {
		p.block.Decrypt(plain, block)
		if binary.LittleEndian.Uint64(plain) != mark {
			return pieces.Place{}, false
		}
		number, index := binary.LittleEndian.Uint32(plain[8:]), binary.LittleEndian.Uint32(plain[12:])
		return pieces.Place{Number: number, Start: int64(index) * aes.BlockSize}, true
	}
}

// Search is [pieces.Search] for the pictures of this pattern.
func (p *Pattern) Search(dirs ...string) ([]Piece, error) { return pieces.Search(p, dirs...) }

// SearchBytes is [pieces.SearchBytes] for the pictures of this pattern.
func (p *Pattern) SearchBytes(data []byte) []Piece { return pieces.SearchBytes(p, data) }
