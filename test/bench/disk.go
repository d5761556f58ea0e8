package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"example.org/avatard/storage/embedded"
)

// fileWork counts what the engine does with its files.
type fileWork struct {
	syncs      atomic.Int64
	slabWrites atomic.Int64
}

// wrap implements embedded.Config.WrapFile.
func (w *fileWork) wrap(name string, f embedded.File) embedded.File {
	if filepath.Ext(name) == ".slab" {
		return slabFile{countedFile{f, w}}
	}
	return countedFile{f, w}
}

type countedFile struct {
	embedded.File
	work *fileWork
}

func (f countedFile) Sync() error {
	f.work.syncs.Add(1)
	return f.File.Sync()
}

// slabFile is the file of the pictures: a delete writes to it once, and only where there was something to delete.
type slabFile struct{ countedFile }

func (f slabFile) WriteAt(p []byte, off int64) (int, error) {
	f.work.slabWrites.Add(1)
	return f.File.WriteAt(p, off)
}

const (
	probePages = 256
	pageBytes  = 4096
)

// probeDisk returns the median time that writing 4 KB over a file that has its blocks, and fdatasync, take in dir. It
// looks at the disk as it is between two slices, idle as far as this program is concerned.
func probeDisk(dir string, times int) (_ time.Duration, err error) {
	f, err := os.CreateTemp(dir, "probe")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(make([]byte, probePages*pageBytes)); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	page := make([]byte, pageBytes)
	took := make([]time.Duration, times)
	for i := range took {
		page[0] = byte(i)
		begin := time.Now()
		if _, err := f.WriteAt(page, int64(i*37%probePages)*pageBytes); err != nil {
			return 0, err
		}
		if err := datasync(f); err != nil {
			return 0, err
		}
		took[i] = time.Since(begin)
	}
	slices.Sort(took)
	return percentile(took, 50), nil
}
