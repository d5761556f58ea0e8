// Command space shows that the space of deleted pictures comes back. It fills a data directory with large pictures, deletes nearly all of
// them, puts smaller ones beside the rest, lets everybody change the size of their picture a few times and deletes everything. After each
// step it looks how many blocks all the files take, metadata included, and fails when that is more than half as much again as the slots of
// the pictures, and 16 MiB.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/test/program"
)

const (
	organization = "69629023906488334"
	callers      = 32
	allowance    = 16 << 20
)

func main() {
	os.Exit(program.Main("space", run))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("space", flag.ContinueOnError)
	fs.SetOutput(stderr)
	users := fs.Int("users", 30_000, "users with large pictures at first; a thirtieth keeps them, a sixth gets smaller ones")
	dir := fs.String("dir", "", "`DIR` for the data, 400 KB a user; a temporary one unless given")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 || *users < 30 {
		return errors.New("want flags only, and 30 users or more")
	}
	data, err := os.MkdirTemp(*dir, "avatard-space-")
	if err != nil {
		return err
	}
	return errors.Join(live(ctx, data, *users, stdout), os.RemoveAll(data))
}

// life is a store, and who has a picture in it.
type life struct {
	ctx    context.Context
	s      *embedded.Store
	dir    string
	stdout io.Writer
}

func live(ctx context.Context, dir string, users int, stdout io.Writer) (err error) {
	s, err := embedded.Open(ctx, embedded.Config{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	l := &life{ctx, s, dir, stdout}
	steps := []struct {
		name     string
		from, to int
		bytes    int // of each picture, 0 for none
	}{
		{"large pictures", 0, users, 300_000},
		{"nearly all of them deleted", users / 30, users, 0},
		{"smaller ones beside the rest", users, users + users/6, 100_000},
		{"these deleted", users, users + users/6, 0},
	}
	for _, bytes := range []int{3000, 7000, 11_000, 15_000, 23_000, 31_000, 3000} {
		steps = append(steps, steps[0])
		step := &steps[len(steps)-1]
		step.name, step.to, step.bytes = fmt.Sprintf("pictures of %d bytes", bytes), users/30, bytes
	}
	steps = append(steps, steps[0])
	last := &steps[len(steps)-1]
	last.name, last.to, last.bytes = "all deleted", users+users/6, 0
	for _, step := range steps {
		if err := l.change(step.from, step.to, step.bytes); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if err := l.look(step.name); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// change gives users from from to before to a picture, or takes theirs.
func (l *life) change(from, to, bytes int) error {
	var next atomic.Int64
	next.Store(int64(from))
	var wg sync.WaitGroup
	failed := make(chan error, callers)
	for c := range callers {
		by := storage.Origin{Caller: strconv.Itoa(c)} // each may have so many bytes under way
		wg.Go(func() {
			data := make([]byte, bytes)
			for i := int(next.Add(1)) - 1; i < to; i = int(next.Add(1)) - 1 {
				key := storage.UserKey{Issuer: "bench", ID: strconv.Itoa(i)}
				var err error
				if bytes == 0 {
					_, err = l.s.Remove(l.ctx, storage.Removal{User: key, Organization: organization, By: by})
				} else {
					for j := range data {
						data[j] = byte(i + j)
					}
					_, err = l.s.Put(l.ctx, storage.Upload{User: key, Organization: organization, By: by, Register: true,
						Picture: storage.Picture{Format: storage.PNG, Data: data}})
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	var err error
	for e := range failed {
		err = errors.Join(err, e)
	}
	return err
}

// look demands that the files are small, once what is done when nobody calls has been done.
func (l *life) look(name string) error {
	before, err := blocks(l.dir)
	if err != nil {
		return err
	}
	if err := l.s.Tidy(l.ctx); err != nil {
		return err
	}
	after, err := blocks(l.dir)
	if err != nil {
		return err
	}
	st := l.s.Stats()
	slab, metadata := after["pictures.slab"], after["avatard.db"]
	fmt.Fprintf(l.stdout, "%-30s %8.1f MB in slots; on disk %8.1f MB at once, %8.1f MB when nobody has called: %.1f MB of pictures, %.1f MB of metadata; file of %.1f MB\n",
		name, mb(st.SlabUsedBytes), mb(total(before)), mb(total(after)), mb(slab), mb(metadata), mb(st.SlabBytes))
	if limit := st.SlabUsedBytes*3/2 + allowance; total(after) > limit {
		return fmt.Errorf("%d bytes on disk, want %d at most", total(after), limit)
	}
	return nil
}

// blocks returns how much space each file of a directory takes, in bytes.
func blocks(dir string) (map[string]int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	all := make(map[string]int64)
	for _, entry := range entries {
		var st syscall.Stat_t
		if err := syscall.Stat(filepath.Join(dir, entry.Name()), &st); err != nil {
			return nil, err
		}
		all[entry.Name()] = int64(st.Blocks) * 512 //nolint:unconvert // 32 bits in some systems
	}
	return all, nil
}

func total(files map[string]int64) (bytes int64) {
	for _, n := range files {
		bytes += n
	}
	return bytes
}

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }
