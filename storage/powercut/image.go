package powercut

import (
	"errors"
	"hash/maphash"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Image is the content of a directory after the power came back. Its bytes must not be changed.
type Image struct {
	// Home: the directory is there.
	Home  bool
	Files map[string][]byte
}

// Image returns the directory as an outcome leaves it at this place.
func (c *Cut) Image(outcome Outcome) Image {
	after := state{names: maps.Clone(c.state.names), home: c.state.home}
	parts := map[int][]Part{}
	for i, p := range c.pending() {
		part := outcome.Part(i, p.Change)
		switch {
		case !p.Names:
			parts[p.inode] = append(parts[p.inode], part)
		case part.keeps(0):
			after.rename(p.change)
		}
	}
	image := Image{Home: after.home, Files: map[string][]byte{}}
	if !after.home {
		return image
	}
	for name, i := range after.names {
		n := c.state.inodes[i]
		if len(n.changes) == 0 {
			n.shared = true
			image.Files[name] = n.durable
			continue
		}
		image.Files[name] = settle(slices.Clone(n.durable), n.changes, parts[i])
	}
	return image
}

// settle makes parts of changes in data; no parts means all of everything. It returns data, which may have moved.
func settle(data []byte, changes []change, parts []Part) []byte {
	for i, c := range changes {
		part := Whole
		if parts != nil {
			part = parts[i]
		}
		if c.kind == truncate {
			if part.keeps(0) {
				data = resize(data, int(c.off))
			}
			continue
		}
		if c.kind == punch {
			hole(data, c, part)
			continue
		}
		off, end := int(c.off), int(c.off)+len(c.data)
		if (part.All || part.Grown) && end > len(data) {
			data = resize(data, end)
		}
		if part.All {
			copy(data[off:], c.data)
			continue
		}
		if part.Sector == nil {
			continue
		}
		for s := off / SectorBytes; s*SectorBytes < end; s++ {
			if !part.Sector(int64(s)) {
				continue
			}
			from, to := max(off, s*SectorBytes), min(end, (s+1)*SectorBytes)
			if to > len(data) {
				data = resize(data, to)
			}
			copy(data[from:to], c.data[from-off:])
		}
	}
	return data
}

// hole makes the parts of a hole that arrived. It ends where the file does.
func hole(data []byte, c change, part Part) {
	off, end := int(c.off), min(len(data), int(c.off+c.n))
	for s := off / SectorBytes; s*SectorBytes < end; s++ {
		if part.keeps(int64(s)) {
			clear(data[max(off, s*SectorBytes):min(end, (s+1)*SectorBytes)])
		}
	}
}

// resize cuts data or adds zeros.
func resize(data []byte, size int) []byte {
	if size <= len(data) {
		return data[:size]
	}
	return append(data, make([]byte, size-len(data))...)
}

// Read returns the content of a directory, except for the lock, which means nothing after a restart of the machine.
func Read(dir string) (Image, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return Image{}, nil
	}
	if err != nil {
		return Image{}, err
	}
	image := Image{Home: true, Files: map[string][]byte{}}
	for _, entry := range entries {
		if !entry.Type().IsRegular() || entry.Name() == "lock" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return Image{}, err
		}
		image.Files[entry.Name()] = data
	}
	return image, nil
}

// Write makes the directory hold the image and nothing else.
func (m Image) Write(dir string) error {
	if !m.Home {
		return os.RemoveAll(dir)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if _, stays := m.Files[entry.Name()]; !stays {
			if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	for name, data := range m.Files {
		if err := overwrite(filepath.Join(dir, name), data); err != nil {
			return err
		}
	}
	return nil
}

// overwrite is os.WriteFile without emptying the file first: thousands of images look much alike.
func overwrite(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	return errors.Join(err, f.Truncate(int64(len(data))), f.Close())
}

var hashSeed = maphash.MakeSeed()

// Hash returns a number that is the same for equal images, within this process.
func (m Image) Hash() uint64 {
	var h maphash.Hash
	h.SetSeed(hashSeed)
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		data := m.Files[name]
		maphash.WriteComparable(&h, name)
		maphash.WriteComparable(&h, len(data))
		_, _ = h.Write(data)
	}
	maphash.WriteComparable(&h, m.Home)
	return h.Sum64()
}

// Clone returns a copy that outlives the cut.
func (m Image) Clone() Image {
	c := Image{Home: m.Home, Files: map[string][]byte{}}
	for name, data := range m.Files {
		c.Files[name] = slices.Clone(data)
	}
	return c
}
