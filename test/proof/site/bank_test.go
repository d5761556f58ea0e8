package site

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func newTestBank(t *testing.T, seed uint64, count int) *Bank {
	t.Helper()
	b, err := NewBank(t.Context(), seed, count)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBank(t *testing.T) {
	b, again := newTestBank(t, 1, 60), newTestBank(t, 1, 60)
	var kinds []string
	for i, p := range b.Pictures {
		if !bytes.Equal(p.Upload, again.Pictures[i].Upload) || !bytes.Equal(p.Stored, again.Pictures[i].Stored) {
			t.Errorf("picture %d is another one the second time", i)
		}
		if n, ok := b.Number(p.Stored); !ok || n != i {
			t.Errorf("picture %d is recognised as %d, %v", i, n, ok)
		}
		if _, ok := b.Number(p.Stored[:len(p.Stored)-1]); ok {
			t.Errorf("picture %d is recognised without its end", i)
		}
		if len(p.Stored) < minPictureBytes/2 || len(p.Stored) > 2*maxPictureBytes {
			t.Errorf("picture %d has %d bytes", i, len(p.Stored))
		}
		if covered := b.index.blocks[i] * blockBytes; 4*covered < len(p.Stored) {
			t.Errorf("of the %d bytes of picture %d a search knows %d only", len(p.Stored), i, covered)
		}
		if covered := b.index.blocks[len(b.Pictures)+i] * blockBytes; 4*covered < len(p.Upload) {
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
	b := newTestBank(t, 2, 40)
	large := 0
	for i, p := range b.Pictures {
		if len(p.Stored) > len(b.Pictures[large].Stored) {
			large = i
		}
	}
	stored := b.Pictures[large].Stored
	middle := len(stored) / 2
	want := []Piece{
		{Offset: 5, Picture: large, Start: middle, Length: 500},
		{Offset: 20_000, Picture: large, Start: middle + 7, Length: PieceBytes},
		{Offset: window - 100, Picture: large, Start: 1000, Length: middle},                            // over the window's end
		{Offset: window + behind - 1000, Picture: large, Start: 0, Length: len(stored)},                // over what is read with it
		{Offset: 2*window - blockBytes + 1, Picture: large, Start: middle + 1, Length: PieceBytes + 3}, // no whole block before it
		{Offset: 3*window - 40, Picture: large, Start: middle + 3, Length: 40},
	}
	file := make([]byte, 3*window) // as many windows, and one that is empty
	for _, p := range want {
		copy(file[p.Offset:], stored[p.Start:p.Start+p.Length])
	}
	copy(file[50_000:], stored[middle:middle+blockBytes-1])  // too short for a piece
	copy(file[60_000:], bytes.Repeat([]byte("avatard "), 9)) // nobody's
	for i, p := range b.Pictures {                           // what a format begins with, less its sizes
		copy(file[100_000+i*10_000:], p.Stored[:12])
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "below", "file")
	if err := errors.Join(os.Mkdir(filepath.Dir(name), 0o700), os.WriteFile(name, file, 0o600)); err != nil {
		t.Fatal(err)
	}
	got, err := b.Search(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		want[i].File = name
	}
	if !slices.Equal(got, want) {
		t.Errorf("Search = %v\nwant %v", got, want)
	}
	if _, err := b.Search(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Search of a directory that is not there = %v", err)
	}
}

// A stored picture is one piece of the stored form, an upload one or more of what was uploaded.
func TestSearchTellsTheForms(t *testing.T) {
	b := newTestBank(t, 4, 30)
	name := filepath.Join(t.TempDir(), "file")
	for i, p := range b.Pictures {
		for _, uploaded := range []bool{false, true} {
			data := p.Stored
			if uploaded {
				data = p.Upload
			}
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := b.Search(filepath.Dir(name))
			if err != nil || len(got) == 0 || !uploaded && len(got) > 1 {
				t.Fatalf("Search for picture %d, uploaded %v: %v, %v", i, uploaded, got, err)
			}
			if piece := got[len(got)-1]; piece.Picture != i || piece.Uploaded != uploaded {
				t.Errorf("Search for picture %d, uploaded %v: %v", i, uploaded, piece)
			}
		}
	}
}

// Of every picture each piece of the smallest length is found that lies in what only that picture has.
func TestSearchFindsEveryPicture(t *testing.T) {
	b := newTestBank(t, 3, 40)
	dir := t.TempDir()
	for i, p := range b.Pictures {
		end := p.Stored[len(p.Stored)-len(p.Stored)/3:] // behind the tables
		name := filepath.Join(dir, "file")
		for cut := 0; cut < 4 && cut+2*PieceBytes < len(end); cut++ {
			if err := os.WriteFile(name, end[cut:cut+2*PieceBytes], 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := b.Search(dir)
			if err != nil || len(got) != 1 || got[0].Picture != i || got[0].Length != 2*PieceBytes {
				t.Errorf("Search for a piece of picture %d = %v, %v", i, got, err)
			}
		}
	}
}

// No picture is taken for another one, whatever the two have in common, also at odd places: tables of codes look alike.
func TestSearchBlamesNoOther(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	draw := func(head []byte) []byte {
		b := make([]byte, 2000)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		copy(b, head)
		return b
	}
	one := draw(nil)
	head := draw(nil)[:4*blockBytes]
	copy(head[blockBytes+1:], one[10*blockBytes:][:40])
	two, three := draw(head), draw(head)
	pictures := []Picture{{Upload: draw(nil), Stored: one}, {Upload: draw(nil), Stored: two}, {Upload: draw(nil), Stored: three}}
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, two, 0o600); err != nil {
		t.Fatal(err)
	}
	pieces, err := newIndex(pictures).searchFile(name)
	if err != nil || len(pieces) != 1 || pieces[0].Picture != 1 {
		t.Errorf("in the second picture is found %v, %v, want only itself", pieces, err)
	}
}
