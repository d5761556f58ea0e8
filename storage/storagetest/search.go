package storagetest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
)

// Piece is an unbroken run of bytes of one picture, found in a file.
type Piece struct {
	File   string
	Offset int64 // in the file
	Length int   // bytes, at least PieceBytes
	// Number is the picture's, and Start the offset of the piece in it.
	Number uint32
	Start  int64
}

func (p Piece) String() string {
	return fmt.Sprintf("%d bytes of picture %d from its byte %d on, in %s at %d", p.Length, p.Number, p.Start, p.File, p.Offset)
}

// chunkBytes is how much of a file one worker takes at a time.
const chunkBytes = 1 << 20

// hit is a run of whole blocks.
type hit struct {
	offset int64
	first  place
	blocks int
}

// Search looks at every byte of every regular file below the directories and returns all pieces of pictures of this
// pattern, whether they still live or not, in the order of files and offsets. A piece may begin at any byte, of the
// file and of the picture. Files that vanish meanwhile are left out; others must not change, or what moves may be
// missed.
func (p *Pattern) Search(dirs ...string) ([]Piece, error) {
	var pieces []Piece
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				var found []Piece
				found, err = p.searchFile(name)
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

// SearchBytes is Search in the content of one file; the pieces have no name of a file.
func (p *Pattern) SearchBytes(data []byte) []Piece {
	return p.pieces(bytes.NewReader(data), p.searchChunk(data))
}

func (p *Pattern) searchFile(name string) ([]Piece, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	chunks := make(chan int64)
	var (
		workers sync.WaitGroup
		mu      sync.Mutex
		hits    []hit
		failed  error
	)
	for range min(runtime.GOMAXPROCS(0), int(info.Size()/chunkBytes)+1) {
		workers.Go(func() {
			// A block that begins in a chunk may end behind it.
			buf := make([]byte, chunkBytes+blockBytes-1)
			for offset := range chunks {
				n, err := file.ReadAt(buf, offset)
				found := p.searchChunk(buf[:n])
				mu.Lock()
				for _, h := range found {
					h.offset += offset
					hits = append(hits, h)
				}
				if err != nil && err != io.EOF {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	for offset := int64(0); offset < info.Size(); offset += chunkBytes {
		chunks <- offset
	}
	close(chunks)
	workers.Wait()
	if failed != nil {
		return nil, failed
	}
	return p.pieces(file, joined(hits)), nil
}

func (p *Pattern) searchChunk(chunk []byte) (hits []hit) {
	var zeros [4096]byte
	plain := make([]byte, blockBytes)
	for i := 0; i+blockBytes <= len(chunk); {
		// Erased space is most of what there is to look at, and no block is all zeros.
		if chunk[i] == 0 && i+len(zeros) <= len(chunk) && bytes.Equal(chunk[i:i+len(zeros)], zeros[:]) {
			i += len(zeros) - blockBytes + 1
			continue
		}
		at, ok := p.decipher(chunk[i:i+blockBytes], plain)
		if !ok {
			i++
			continue
		}
		hits = append(hits, hit{int64(i), at, 1})
		i += blockBytes
	}
	return joined(hits)
}

// joined makes one of the hits that continue each other.
func joined(hits []hit) []hit {
	slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(a.offset, b.offset) })
	var out []hit
	for _, h := range hits {
		if n := len(out); n > 0 {
			last := &out[n-1]
			next := place{last.first.number, last.first.block + uint32(last.blocks)}
			if h.offset == last.offset+int64(last.blocks*blockBytes) && h.first == next {
				last.blocks += h.blocks
				continue
			}
		}
		out = append(out, h)
	}
	return out
}

// pieces adds to every hit what stands at its two ends of the blocks before and behind it, and drops what is too short.
func (p *Pattern) pieces(file io.ReaderAt, hits []hit) (pieces []Piece) {
	var around, want [blockBytes]byte
	for _, h := range hits {
		length := h.blocks * blockBytes
		piece := Piece{Number: h.first.number, Start: int64(h.first.block) * blockBytes, Offset: h.offset}
		if h.first.block > 0 {
			n := min(blockBytes, int(h.offset))
			_, _ = file.ReadAt(around[blockBytes-n:], h.offset-int64(n))
			p.encipher(want[:], place{h.first.number, h.first.block - 1})
			same := 0
			for same < n && around[blockBytes-1-same] == want[blockBytes-1-same] {
				same++
			}
			piece.Offset, piece.Start = piece.Offset-int64(same), piece.Start-int64(same)
			length += same
		}
		n, _ := file.ReadAt(around[:], h.offset+int64(h.blocks*blockBytes))
		p.encipher(want[:], place{h.first.number, h.first.block + uint32(h.blocks)})
		for i := 0; i < n && around[i] == want[i]; i++ {
			length++
		}
		if length < PieceBytes {
			continue
		}
		piece.Length = length
		if f, ok := file.(*os.File); ok {
			piece.File = f.Name()
		}
		pieces = append(pieces, piece)
	}
	return pieces
}
