package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.org/avatard/internal/bulkimport"
	"example.org/avatard/server/picture"
)

// file is one that is imported, or is not.
type file struct {
	name, user string
	number     int
	reason     bulkimport.Reason // why it is not imported, "" when it is
	deleted    bool              // its user deleted the picture after it had been imported
}

// spoiltEvery is how many pictures there are for each file that is none.
const spoiltEvery = 50

// fill makes the directory.
func (p *proof) fill() error {
	for n := range p.o.files {
		user := fmt.Sprintf("3%017d", n)
		if err := p.write(&file{name: user + ".png", user: user, number: n}, p.upload(n)); err != nil {
			return err
		}
		if n%spoiltEvery == 0 {
			if err := p.spoil(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// upload makes a picture that no other user has.
func (p *proof) upload(number int) []byte { return picture.Sample(p.o.seed<<32+uint64(number), 1000) }

func (p *proof) write(f *file, data []byte) error {
	p.files = append(p.files, f)
	return os.WriteFile(filepath.Join(p.pictures(), f.name), data, 0o600)
}

// spoil adds a file of each kind that is not imported, in turn.
func (p *proof) spoil(n int) error {
	user := fmt.Sprintf("4%017d", n)
	switch n / spoiltEvery % 5 {
	case 0:
		return p.write(&file{name: user + ".png", user: user, reason: bulkimport.NotAPicture}, []byte("no picture"))
	case 1:
		return p.write(&file{name: user + ".png", user: user, reason: bulkimport.TooLarge}, make([]byte, 600<<10))
	case 2:
		return p.write(&file{name: user + ".txt", reason: bulkimport.BadName}, p.upload(n))
	case 3:
		return errors.Join(
			p.write(&file{name: user + ".png", user: user, reason: bulkimport.Duplicate}, p.upload(n)),
			p.write(&file{name: user + ".jpg", user: user, reason: bulkimport.Duplicate}, p.upload(n)))
	}
	f := &file{name: user + ".png", reason: bulkimport.NotAFile}
	p.files = append(p.files, f)
	return os.Symlink(filepath.Join(p.pictures(), p.files[0].name), filepath.Join(p.pictures(), f.name))
}
