package prove

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
)

// found is what a search found of pictures that may be there.
type found struct {
	pictures int // of how many there are pieces
	bytes    int64
	files    []string
}

// search searches every file of the server. Of the pictures that are gone nothing may be there, and of what was uploaded, which the server
// only keeps in another form, nothing of any picture: errSeen when there is.
func (p *proof) search(when string) (found, error) {
	hits, err := p.index.Search(p.dir)
	if err != nil {
		return found{}, err
	}
	var there found
	var seen [total]bool
	for _, h := range hits {
		file, err := filepath.Rel(p.dir, h.File)
		if err != nil {
			return found{}, err
		}
		number := int(h.Number)
		if h.Uploaded || p.gone[number] {
			p.report.Pieces = append(p.report.Pieces, Piece{When: when, Picture: number, User: target(number).User, Uploaded: h.Uploaded, File: file,
				Offset: h.Offset, Length: h.Length})
			continue
		}
		if !seen[number] {
			seen[number] = true
			there.pictures++
		}
		there.bytes += int64(h.Length)
		if !slices.Contains(there.files, file) {
			there.files = append(there.files, file)
		}
	}
	if len(p.report.Pieces) > 0 {
		return there, errSeen
	}
	return there, nil
}

// control searches before anything is deleted: a search that finds nothing now is blind.
func (p *proof) control(context.Context) error {
	there, err := p.search("before any delete")
	if err != nil {
		return err
	}
	p.report.Control = &Control{Pictures: there.pictures, Bytes: there.bytes, Files: there.files, Of: total, OfBytes: p.report.PictureBytes}
	p.cfg.Tell(p.report.Control.String())
	if there.pictures != total {
		return p.problem("before any delete the search finds %d of %d pictures: it is blind, and proves nothing", there.pictures, total)
	}
	return nil
}

// measure counts the files below a directory and their bytes.
func measure(dir string) (files int, bytes int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it has vanished since
		}
		if err == nil {
			files++
			bytes += info.Size()
		}
		return err
	})
	return files, bytes, err
}
