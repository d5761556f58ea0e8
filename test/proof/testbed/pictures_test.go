package testbed

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"example.org/avatard/internal/pieces"
)

func newTestSet(t *testing.T, seed uint64, count int) *PictureSet {
	t.Helper()
	b, err := NewPictureSet(t.Context(), seed, count)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPictureSet(t *testing.T) {
	s, again := newTestSet(t, 1, 60), newTestSet(t, 1, 60)
	var kinds []string
	for i, p := range s.All {
		if !bytes.Equal(p.Upload, again.All[i].Upload) || !bytes.Equal(p.Stored, again.All[i].Stored) {
			t.Errorf("picture %d is another one the second time", i)
		}
		if n, ok := s.Number(p.Stored); !ok || n != i {
			t.Errorf("picture %d is recognised as %d, %v", i, n, ok)
		}
		if _, ok := s.Number(p.Stored[:len(p.Stored)-1]); ok {
			t.Errorf("picture %d is recognised without its end", i)
		}
		if len(p.Stored) < minPictureBytes/2 || len(p.Stored) > 2*maxPictureBytes {
			t.Errorf("picture %d has %d bytes", i, len(p.Stored))
		}
		stored, uploaded := s.index.Blocks(i)
		if covered := stored * pieces.BlockBytes; 4*covered < len(p.Stored) {
			t.Errorf("of the %d bytes of picture %d a search knows %d only", len(p.Stored), i, covered)
		}
		if covered := uploaded * pieces.BlockBytes; 4*covered < len(p.Upload) {
			t.Errorf("of the %d bytes of picture %d as uploaded a search knows %d only", len(p.Upload), i, covered)
		}
		if kind := string(p.Stored[:4]); !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) != 2 {
		t.Errorf("%d formats, want PNG and JPEG", len(kinds))
	}
}

// Every piece of a picture is found, wherever in a file it lies; what pictures share is not taken for one.
func TestSearch(t *testing.T) {
	s := newTestSet(t, 2, 40)
	large := 0
	for i, p := range s.All {
		if len(p.Stored) > len(s.All[large].Stored) {
			large = i
		}
	}
	stored := s.All[large].Stored
	middle := len(stored) / 2
	const window = 4 << 20 // a multiple of what is read at a time
	piece := func(offset, start, length int) Piece {
		return Piece{Piece: pieces.Piece{Offset: int64(offset), Number: uint32(large), Start: int64(start), Length: length}}
	}
	want := []Piece{
		piece(5, middle, 500),
		piece(20_000, middle+7, pieces.PieceBytes),
		piece(window-100, 1000, middle),                                    // over the window's end
		piece(window+window/4-1000, 0, len(stored)),                        // over that of a part of it
		piece(2*window-pieces.BlockBytes+1, middle+1, pieces.PieceBytes+3), // no whole block before it
		piece(3*window-40, middle+3, 40),
	}
	file := make([]byte, 3*window) // as many windows, and one that is empty
	for _, p := range want {
		copy(file[p.Offset:], stored[p.Start:p.Start+int64(p.Length)])
	}
	copy(file[50_000:], stored[middle:middle+pieces.BlockBytes-1]) // too short for a piece
	copy(file[60_000:], bytes.Repeat([]byte("avatard "), 9))       // nobody's
	for i, p := range s.All {                                      // what a format begins with, less its sizes
		copy(file[100_000+i*10_000:], p.Stored[:12])
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "below", "file")
	if err := errors.Join(os.Mkdir(filepath.Dir(name), 0o700), os.WriteFile(name, file, 0o600)); err != nil {
		t.Fatal(err)
	}
	got, err := s.Search(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		want[i].File = name
	}
	if !slices.Equal(got, want) {
		t.Errorf("Search = %v\nwant %v", got, want)
	}
	if _, err := s.Search(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Search of a directory that is not there = %v", err)
	}
}

// A stored picture is one piece of the stored form, an upload one or more of what was uploaded.
func TestSearchTellsTheForms(t *testing.T) {
	s := newTestSet(t, 4, 30)
	name := filepath.Join(t.TempDir(), "file")
	for i, p := range s.All {
		for _, uploaded := range []bool{false, true} {
			data := p.Stored
			if uploaded {
				data = p.Upload
			}
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := s.Search(filepath.Dir(name))
			if err != nil || len(got) == 0 || !uploaded && len(got) > 1 {
				t.Fatalf("Search for picture %d, uploaded %v: %v, %v", i, uploaded, got, err)
			}
			if piece := got[len(got)-1]; piece.Number != uint32(i) || piece.Uploaded != uploaded {
				t.Errorf("Search for picture %d, uploaded %v: %v", i, uploaded, piece)
			}
		}
	}
}

// Of every picture each piece of the smallest length is found that lies in what only that picture has.
func TestSearchFindsEveryPicture(t *testing.T) {
	s := newTestSet(t, 3, 40)
	dir := t.TempDir()
	for i, p := range s.All {
		end := p.Stored[len(p.Stored)-len(p.Stored)/3:] // behind the tables
		name := filepath.Join(dir, "file")
		for cut := 0; cut < 4 && cut+2*pieces.PieceBytes < len(end); cut++ {
			if err := os.WriteFile(name, end[cut:cut+2*pieces.PieceBytes], 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := s.Search(dir)
			if err != nil || len(got) != 1 || got[0].Number != uint32(i) || got[0].Length != 2*pieces.PieceBytes {
				t.Errorf("Search for a piece of picture %d = %v, %v", i, got, err)
			}
		}
	}
}
