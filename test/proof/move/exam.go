package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"

	"example.org/avatard/storage"
	"example.org/avatard/test/proof/testbed"
)

// figures count what was done.
type figures struct {
	pictures, reads, unread, deleted, failed, refused, taken, looks atomic.Int64

	kills    [moved]int
	restarts []time.Duration
	there    int64
	listed   int64
	twice    int64 // listed again
	receipts int64
	pieces   int
}

// violations are what must not be.
type violations struct {
	mu   sync.Mutex
	list []string
}

func (v *violations) add(format string, arguments ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.list = append(v.list, fmt.Sprintf(format, arguments...))
}

func (v *violations) err() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.list) == 0 {
		return nil
	}
	return fmt.Errorf("%d wrong: %v", len(v.list), v.list[:min(len(v.list), 10)])
}

// exam looks at everybody in the target, lets the program check it, and searches the source.
func (p *proof) exam(ctx context.Context) (err error) {
	p.mover.Kill()
	if _, err := p.from.Open(ctx, storage.OpenOptions{}); !errors.Is(err, storage.ErrMoved) {
		p.wrong.add("opening the source after the move = %v", err)
	}
	if p.figures.pieces, err = p.searchSource(); err != nil {
		return err
	}
	if p.figures.pieces > 0 {
		p.wrong.add("bytes of %d pictures are in the source's files", p.figures.pieces)
	}
	s, err := p.to.Open(ctx, storage.OpenOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := p.examUsers(ctx, s); err != nil {
		return err
	}
	return p.check(ctx, s)
}

// sweepTries is how often, once a second, a check is made again while removals that a kill has interrupted are being finished.
const sweepTries = 60

// check lets the program compare database and bucket, when nothing is under way any more.
func (p *proof) check(ctx context.Context, s storage.Engine) error {
	for try := 0; ; try++ {
		var findings []storage.Finding
		sum, err := s.Check(ctx, storage.CheckOptions{}, func(f storage.Finding) error {
			findings = append(findings, f)
			return nil
		})
		if err != nil {
			return err
		}
		if sum.UnderWay > 0 && try < sweepTries {
			testbed.Pause(ctx, time.Second)
			continue
		}
		for _, f := range findings {
			p.wrong.add("a check finds %+v", f)
		}
		if sum.UnderWay > 0 {
			p.wrong.add("%d objects are still under way", sum.UnderWay)
		}
		if sum.Users != int64(len(p.users)) {
			p.wrong.add("%d users, want %d", sum.Users, len(p.users))
		}
		p.figures.receipts = sum.Receipts
		return p.countObjects(ctx)
	}
}

// countObjects lists the bucket by a client that shares nothing with the engine's. Each picture is one object there, and nothing else is one.
// versitygw lists the last version of each page of a thousand again at the beginning of the next one.
func (p *proof) countObjects(ctx context.Context) error {
	seen := map[string]bool{}
	for o := range p.servers.Client.ListObjects(ctx, p.store.Bucket, minio.ListObjectsOptions{WithVersions: true, Recursive: true}) {
		if o.Err != nil {
			return o.Err
		}
		if name := o.Key + " " + o.VersionID; o.Key != "avatard-installation" {
			if seen[name] {
				p.figures.twice++
			}
			seen[name] = true
		}
	}
	p.figures.listed = int64(len(seen))
	if p.figures.listed != p.figures.there {
		p.wrong.add("%d objects for %d pictures", p.figures.listed, p.figures.there)
	}
	return nil
}

// examiners is how many users are looked at at once.
const examiners = 16

func (p *proof) examUsers(ctx context.Context, s storage.Store) error {
	var running sync.WaitGroup
	var there atomic.Int64
	room := make(chan struct{}, examiners)
	for _, u := range p.users {
		room <- struct{}{}
		running.Go(func() {
			defer func() { <-room }()
			got, err := s.Get(ctx, u.key, testbed.Organization)
			switch {
			case err != nil && !errors.Is(err, storage.ErrNoPicture):
				p.wrong.add("user %s: %v", u.key.ID, err)
			case err == nil && u.deleted:
				p.wrong.add("the picture of user %s came back", u.key.ID)
			case err == nil && u.has && !bytes.Equal(got.Data, p.picture(u.number)), err == nil && !u.has && !u.asked:
				p.wrong.add("the picture of user %s is another one", u.key.ID)
			case err != nil && u.has && !u.asked:
				p.wrong.add("the picture of user %s is lost", u.key.ID)
			}
			if err == nil {
				there.Add(1)
			}
		})
	}
	running.Wait()
	p.figures.there = there.Load()
	return ctx.Err()
}

// searchSource counts the pictures of which eight bytes in a row, of one in 64 places, are in a file of the source, at any offset.
func (p *proof) searchSource() (int, error) {
	places := make(map[uint64]int32)
	var maybe [1 << 21]uint64 // a bit for each low part of them
	for _, u := range p.users {
		data := p.picture(u.number)
		if u.number%10 == 0 {
			continue
		}
		for at := 0; at+8 <= len(data); at += 64 {
			block := binary.LittleEndian.Uint64(data[at:])
			places[block] = int32(u.number)
			maybe[block>>6%uint64(len(maybe))] |= 1 << (block & 63)
		}
	}
	files, err := filepath.Glob(filepath.Join(p.from.ControlDir(), "*"))
	if err != nil {
		return 0, err
	}
	found := map[int32]bool{}
	for _, name := range files {
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() { // such as a socket
			continue
		}
		if err := searchFile(name, func(block uint64) {
			if maybe[block>>6%uint64(len(maybe))]&(1<<(block&63)) == 0 {
				return
			}
			if number, ok := places[block]; ok {
				found[number] = true
			}
		}); err != nil {
			return 0, err
		}
	}
	return len(found), nil
}

// searchFile calls look with every eight bytes in a row of a file.
func searchFile(name string, look func(uint64)) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	buffer := make([]byte, 1<<20)
	var block uint64
	for n := 0; ; {
		read, err := f.Read(buffer)
		for _, b := range buffer[:read] {
			block = block>>8 | uint64(b)<<56
			if n++; n >= 8 && block != 0 {
				look(block)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// report prints the figures.
func (p *proof) report(took time.Duration) {
	f := &p.figures
	slices.Sort(f.restarts)
	fmt.Fprintf(p.out, "moved in %s, with kills while copying %d, comparing %d, erasing %d\n", took.Round(time.Second), f.kills[copying], f.kills[comparing], f.kills[erasing])
	if n := len(f.restarts); n > 0 {
		fmt.Fprintf(p.out, "a restart served again after %s (median), %s at most\n", f.restarts[n/2].Round(time.Millisecond), f.restarts[n-1].Round(time.Millisecond))
	}
	fmt.Fprintf(p.out, "reads: %d checked, %d without an answer or 503\n", f.reads.Load(), f.unread.Load())
	fmt.Fprintf(p.out, "deletes: %d pictures acknowledged, %d calls not acknowledged; looked into the bucket behind %d\n", f.deleted.Load(), f.failed.Load(), f.looks.Load())
	fmt.Fprintf(p.out, "uploads: %d refused, %d taken as the move ended\n", f.refused.Load(), f.taken.Load())
	fmt.Fprintf(p.out, "target: %d pictures, %d objects (%d listed twice), %d receipts; source: bytes of %d pictures\n", f.there, f.listed, f.twice, f.receipts, f.pieces)
}
