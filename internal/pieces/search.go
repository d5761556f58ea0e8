// Package pieces looks for what is left of pictures in files: every run of bytes that only one known picture has, wherever in a file
// it begins.
//
//	search.go  the search itself, for pictures of any kind
//	index.go   pictures whose bytes are at hand, as they were uploaded and as they are stored
//
// It judges nothing, and it sees what the file system calls the content of files: no free blocks, no unlinked files, no memory.
package pieces

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
)

const (
	// PieceBytes is the length from which a run of picture bytes in a file counts as a piece.
	PieceBytes = 32
	// BlockBytes is half of it: a piece, wherever it begins, holds at least one whole block of its picture.
	BlockBytes = PieceBytes / 2
)

// Place is a place in a picture.
type Place struct {
	// Number is the picture's.
	Number uint32
	// Start is the offset in the picture.
	Start int64
}

// Pictures are the pictures that a search looks for.
type Pictures interface {
	// Finder returns a function, for one goroutine, that finds the place BlockBytes bytes are from; false when no
	// picture has them, or more than one place does. It finds only places at multiples of BlockBytes, and never a block
	// of zeros.
	Finder() func(block []byte) (Place, bool)
	// Fill writes a picture's bytes from a place on to buf. It returns how many there are, fewer than buf takes at the picture's
	// end.
	Fill(buf []byte, at Place) int
}

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

// Search looks at every byte of every regular file below the directories and returns all pieces of the pictures, whether
// they still live or not, in the order of files and offsets. A piece may begin at any byte, of the file and of the
// picture. Files that vanish meanwhile are left out. Others must not change, else pieces may be missed.
func Search(p Pictures, dirs ...string) ([]Piece, error) {
	var pieces []Piece
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				var found []Piece
				found, err = searchFile(p, name)
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
func SearchBytes(p Pictures, data []byte) []Piece {
	return piecesOf(p, bytes.NewReader(data), searchChunk(p.Finder(), data))
}

// chunkBytes is how much of a file one worker takes at a time.
const chunkBytes = 1 << 20

func searchFile(p Pictures, name string) ([]Piece, error) {
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
			find := p.Finder()
			// A block that begins in a chunk may end behind it.
			buf := make([]byte, chunkBytes+BlockBytes-1)
			for offset := range chunks {
				n, err := file.ReadAt(buf, offset)
				found := searchChunk(find, buf[:n])
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
	pieces := piecesOf(p, file, joined(hits))
	for i := range pieces {
		pieces[i].File = name
	}
	return pieces, nil
}

// hit is a run of whole blocks.
type hit struct {
	offset int64 // in the file
	place  Place
	length int64
}

func (h hit) end() int64 { return h.offset + h.length }

// continuedBy reports whether next is of the same copy of the picture.
func (h hit) continuedBy(next hit) bool {
	return next.place.Number == h.place.Number && next.offset-h.offset == next.place.Start-h.place.Start
}

func searchChunk(find func([]byte) (Place, bool), chunk []byte) (hits []hit) {
	var zeros [4096]byte
	for i := 0; i+BlockBytes <= len(chunk); {
		// Erased space is most of what there is to look at.
		if chunk[i] == 0 && i+len(zeros) <= len(chunk) && bytes.Equal(chunk[i:i+len(zeros)], zeros[:]) {
			i += len(zeros) - BlockBytes + 1
			continue
		}
		at, ok := find(chunk[i : i+BlockBytes])
		if !ok {
			i++
			continue
		}
		hits = append(hits, hit{int64(i), at, BlockBytes})
		i += BlockBytes
	}
	return joined(hits)
}

// joined makes one of the hits that continue each other without a gap.
func joined(hits []hit) []hit {
	slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(a.offset, b.offset) })
	var out []hit
	for _, h := range hits {
		if n := len(out); n > 0 && out[n-1].end() == h.offset && out[n-1].continuedBy(h) {
			out[n-1].length += h.length
		} else {
			out = append(out, h)
		}
	}
	return out
}

// piecesOf adds to every hit what stands before and behind it of the same picture, and drops what is too short.
func piecesOf(p Pictures, file io.ReaderAt, hits []hit) (pieces []Piece) {
	end := int64(0) // of the piece before
	for i := 0; i < len(hits); {
		h := hits[i]
		i++
		if over := end - h.offset; over > 0 { // the piece before goes on into this hit
			h = hit{end, Place{h.place.Number, h.place.Start + over}, h.length - over}
		}
		if h.length <= 0 {
			continue
		}
		back := sameBefore(p, file, h.offset, h.place, h.offset-end)
		for {
			gap := int64(math.MaxInt64) // to the next hit in the same copy of the picture
			if i < len(hits) && h.continuedBy(hits[i]) && hits[i].offset >= h.end() {
				gap = hits[i].offset - h.end()
			}
			same := sameFrom(p, file, h.end(), Place{h.place.Number, h.place.Start + h.length}, gap)
			h.length += same
			if same < gap {
				break
			}
			h.length += hits[i].length
			i++
		}
		end = h.end()
		if length := int(back + h.length); length >= PieceBytes {
			pieces = append(pieces, Piece{Offset: h.offset - back, Length: length, Number: h.place.Number, Start: h.place.Start - back})
		}
	}
	return pieces
}

// sameBefore returns how many bytes of a file and of a picture are the same before an offset and a place, at most limit.
func sameBefore(p Pictures, file io.ReaderAt, offset int64, at Place, limit int64) (same int64) {
	var is, want [BlockBytes]byte
	for limit = min(limit, at.Start); same < limit; {
		n := min(limit-same, BlockBytes)
		read, _ := file.ReadAt(is[:n], offset-same-n)
		if filled := p.Fill(want[:n], Place{at.Number, at.Start - same - n}); int64(min(read, filled)) < n {
			return same
		}
		for ; n > 0; n-- {
			if is[n-1] != want[n-1] {
				return same
			}
			same++
		}
	}
	return same
}

// sameFrom returns how many bytes of a file and of a picture are the same from an offset and a place on, at most limit.
func sameFrom(p Pictures, file io.ReaderAt, offset int64, at Place, limit int64) (same int64) {
	var is, want [4096]byte
	for step := int64(BlockBytes); same < limit; step = min(2*step, int64(len(is))) { // most agree in less than a block
		n := min(limit-same, step)
		read, _ := file.ReadAt(is[:n], offset+same)
		there := min(read, p.Fill(want[:n], Place{at.Number, at.Start + same}))
		for i := range there {
			if is[i] != want[i] {
				return same
			}
			same++
		}
		if int64(there) < n {
			return same
		}
	}
	return same
}
