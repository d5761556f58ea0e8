package main

import (
	"bytes"
	"hash/maphash"
	"sync"

	"example.org/avatard/storage/powercut"
	"example.org/avatard/storage/storagetest"
)

// searcher searches images for pieces of pictures. It remembers each page that it has seen: images of one trace differ
// in few.
type searcher struct {
	pattern *storagetest.Pattern
	seed    maphash.Seed
	mu      sync.Mutex
	seen    map[uint64][]storagetest.Piece
}

func newSearcher(p *storagetest.Pattern) *searcher {
	return &searcher{pattern: p, seed: maphash.MakeSeed(), seen: map[uint64][]storagetest.Piece{}}
}

// image returns the length of the longest run found in one page of each picture of which there is a piece. A piece of
// the shortest length that begins in a page ends at most that much behind it.
func (s *searcher) image(m powercut.Image) map[uint32]int {
	found := map[uint32]int{}
	var zeros [powercut.PageBytes]byte
	for _, data := range m.Files {
		for at := 0; at < len(data); at += powercut.PageBytes {
			window := data[at:min(len(data), at+powercut.PageBytes+storagetest.PieceBytes-1)]
			if len(window) >= len(zeros) && bytes.Equal(window[:len(zeros)], zeros[:]) {
				continue // what begins at its very end is found in the next one
			}
			for _, p := range s.window(window) {
				found[p.Number] = max(found[p.Number], p.Length)
			}
		}
	}
	return found
}

func (s *searcher) window(data []byte) []storagetest.Piece {
	key := maphash.Bytes(s.seed, data)
	s.mu.Lock()
	pieces, known := s.seen[key]
	s.mu.Unlock()
	if known {
		return pieces
	}
	pieces = s.pattern.SearchBytes(data)
	s.mu.Lock()
	s.seen[key] = pieces
	s.mu.Unlock()
	return pieces
}
