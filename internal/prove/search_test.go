package prove

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/internal/pieces"
	"example.org/avatard/server/picture"
)

// newTestProof returns a proof whose pictures are known and whose server has written nothing.
func newTestProof(t *testing.T) *proof {
	t.Helper()
	p := &proof{cfg: Config{Tell: func(string) {}}, dir: t.TempDir(), report: newReport()}
	for i := range uint64(total) {
		p.pictures = append(p.pictures, pieces.Picture{Upload: picture.Sample(1000+i, 2000), Stored: picture.Sample(i, 2000)})
	}
	p.index = pieces.NewIndex(p.pictures)
	if err := os.Mkdir(filepath.Join(p.dir, dataDir), 0o700); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *proof) write(t *testing.T, name string, data ...[]byte) {
	t.Helper()
	var all []byte
	for _, part := range data {
		all = append(all, part...)
	}
	if err := os.WriteFile(filepath.Join(p.dir, name), all, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What may be there is counted, what must not be is on record, with its file and place.
func TestSearch(t *testing.T) {
	const when = "in a test"
	zeros := make([]byte, 5000)
	for name, tt := range map[string]struct {
		gone   []int
		write  func(t *testing.T, p *proof)
		found  int
		pieces []Piece
	}{
		"pictures that are there": {
			gone:  []int{1},
			write: func(t *testing.T, p *proof) { p.write(t, "data/a", zeros, p.pictures[0].Stored, p.pictures[2].Stored) },
			found: 2,
		},
		"a piece of one that is gone": {
			gone: []int{1},
			write: func(t *testing.T, p *proof) {
				p.write(t, "data/a", p.pictures[0].Stored)
				p.write(t, "b", zeros, p.pictures[1].Stored[700:764], zeros)
			},
			found:  1,
			pieces: []Piece{{When: when, Picture: 1, User: "person-001", File: "b", Offset: 5000, Length: 64}},
		},
		"an upload of one that is there": {
			write:  func(t *testing.T, p *proof) { p.write(t, "data/a", p.pictures[3].Upload[700:800]) },
			pieces: []Piece{{When: when, Picture: 3, User: "person-003", Uploaded: true, File: "data/a", Length: 100}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newTestProof(t)
			for _, number := range tt.gone {
				p.gone[number] = true
			}
			tt.write(t, p)
			there, err := p.search(when)
			if (err != nil) != (tt.pieces != nil) || err != nil && !errors.Is(err, errSeen) {
				t.Errorf("search = %v", err)
			}
			if there.pictures != tt.found {
				t.Errorf("search finds %d pictures, want %d", there.pictures, tt.found)
			}
			if tt.pieces == nil {
				tt.pieces = []Piece{}
			}
			if diff := cmp.Diff(tt.pieces, p.report.Pieces); diff != "" {
				t.Errorf("pieces on record (-want +got):\n%s", diff)
			}
		})
	}
}

// A search that does not find every picture before a delete proves nothing.
func TestControl(t *testing.T) {
	p := newTestProof(t)
	for i, of := range p.pictures[1:] {
		p.write(t, filepath.Join(dataDir, target(i).User), of.Stored)
	}
	if err := p.control(t.Context()); !errors.Is(err, errSeen) || len(p.report.Problems) != 1 {
		t.Errorf("control without the first picture = %v, problems %q", err, p.report.Problems)
	}
	p.write(t, "data/last", p.pictures[0].Stored)
	if err := p.control(t.Context()); err != nil || p.report.Control.Pictures != total {
		t.Errorf("control with all pictures = %v, %+v", err, p.report.Control)
	}
}
