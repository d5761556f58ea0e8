package powercut

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bench is a directory with a disk under it.
type bench struct {
	t   *testing.T
	dir string
	d   *Disk
}

// newBench has a directory in which files are durable.
func newBench(t *testing.T, files map[string]string) *bench {
	t.Helper()
	b := &bench{t: t, dir: filepath.Join(t.TempDir(), "data")}
	image := Image{Home: true, Files: map[string][]byte{}}
	for name, text := range files {
		image.Files[name] = []byte(text)
	}
	if err := image.Write(b.dir); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.d, err = New(b.dir); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) open(name string) File {
	b.t.Helper()
	f, err := os.OpenFile(filepath.Join(b.dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	wrapped := b.d.Wrap(name, f)
	b.t.Cleanup(func() { wrapped.Close() })
	return wrapped
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) write(f File, text string, off int64) {
	b.t.Helper()
	_, err := f.WriteAt([]byte(text), off)
	b.must(err)
}

func (b *bench) syncDir(name string) {
	b.t.Helper()
	d, err := os.Open(b.dir)
	b.must(err)
	f := b.d.Wrap(name, d)
	defer f.Close()
	b.must(f.Sync())
}

// last returns the cut after everything.
func last(d *Disk) (c *Cut) {
	for c = range d.Trace().Cuts() {
		if c.Last {
			break
		}
	}
	return c
}

// texts returns an image's files; nil when there is no directory.
func texts(m Image) map[string]string {
	if !m.Home {
		return nil
	}
	all := map[string]string{}
	for name, data := range m.Files {
		all[name] = string(data)
	}
	return all
}

// keep is the outcome in which the changes with these numbers arrived and no other one.
func keep(numbers ...int) Outcome {
	return Outcome{"", func(i int, _ Change) Part { return keepIf(slices.Contains(numbers, i)) }}
}

func wantImage(t *testing.T, c *Cut, f Outcome, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, texts(c.Image(f))); diff != "" {
		t.Errorf("cut at %d (-want +got):\n%s", c.At, diff)
	}
}

// Synced changes stay; of those since then, any subset does.
func TestAnySubsetOfWrites(t *testing.T) {
	b := newBench(t, map[string]string{"a": "aaaa", "b": "bbbb"})
	fa, fb := b.open("a"), b.open("b")
	b.write(fa, "1", 0)
	b.must(fa.Sync())
	b.write(fa, "2", 1)
	b.write(fb, "3", 2)
	b.write(fa, "4", 3)
	c := last(b.d)
	wantImage(t, c, keep(), map[string]string{"a": "1aaa", "b": "bbbb"})
	wantImage(t, c, keep(0), map[string]string{"a": "12aa", "b": "bbbb"})
	wantImage(t, c, keep(1), map[string]string{"a": "1aaa", "b": "bb3b"})
	wantImage(t, c, keep(2), map[string]string{"a": "1aa4", "b": "bbbb"})
	wantImage(t, c, keep(0, 1, 2), map[string]string{"a": "12a4", "b": "bb3b"})
	for cut := range b.d.Trace().Cuts() {
		if want := cut.At == 1 || cut.Last; cut.BeforeSync != want {
			t.Errorf("at %d: before a sync = %t, want %t", cut.At, cut.BeforeSync, want)
		}
		if cut.At == 1 { // not synced yet
			wantImage(t, cut, keep(), map[string]string{"a": "aaaa", "b": "bbbb"})
		}
	}
}

// Of two writes to one place the older one may be what is there, and a sync covers only what was written before it began.
func TestOrderAtOnePlace(t *testing.T) {
	b := newBench(t, map[string]string{"a": "a"})
	f := b.open("a")
	b.write(f, "1", 0)
	b.write(f, "2", 0)
	c := last(b.d)
	wantImage(t, c, keep(0), map[string]string{"a": "1"})
	wantImage(t, c, keep(0, 1), map[string]string{"a": "2"})

	b.d.Delay(func(string) { b.write(f, "3", 0) }) // while the sync is under way
	b.must(f.Sync())
	wantImage(t, last(b.d), keep(), map[string]string{"a": "2"})
	wantImage(t, last(b.d), keep(0), map[string]string{"a": "3"})
}

// A write is torn between sectors of the file, not within them, wherever it begins.
func TestTorn(t *testing.T) {
	old := strings.Repeat("o", 4*SectorBytes)
	b := newBench(t, map[string]string{"a": old})
	f := b.open("a")
	b.write(f, strings.Repeat("n", 2*SectorBytes), 500)
	c := last(b.d)
	if ch := c.Changes()[0]; ch.First != 0 || ch.Sectors != 3 {
		t.Fatalf("the write touches %d sectors from %d on, want 3 from 0 on", ch.Sectors, ch.First)
	}
	middle := Outcome{"", func(int, Change) Part { return Part{Sector: func(s int64) bool { return s == 1 }} }}
	want := old[:512] + strings.Repeat("n", 512) + old[1024:]
	wantImage(t, c, middle, map[string]string{"a": want})
	got := map[string]bool{}
	for outcome := range c.Torn() {
		got[string(c.Image(outcome).Files["a"])] = true
	}
	n := strings.Repeat("n", 1024)
	for _, want := range []string{
		old[:500] + n[:12] + old[512:], old[:512] + n[:1012] + old[1524:],
		old[:500] + n[:524] + old[1024:], old[:1024] + n[:500] + old[1524:],
	} {
		if !got[want] {
			t.Error("an outcome is missing")
		}
	}
	if len(got) != 4 {
		t.Errorf("%d outcomes, want 4", len(got))
	}
}

// A file that grew has its old size, or the new one with zeros; a truncation arrives or does not.
func TestSizes(t *testing.T) {
	b := newBench(t, map[string]string{"a": "aa", "b": "bbbb"})
	fa, fb := b.open("a"), b.open("b")
	b.write(fa, "11", 4)
	b.must(fb.Truncate(1))
	b.write(fb, "2", 3)
	c := last(b.d)
	wantImage(t, c, keep(), map[string]string{"a": "aa", "b": "bbbb"})
	wantImage(t, c, keep(0, 1), map[string]string{"a": "aa\x00\x0011", "b": "b"})
	wantImage(t, c, keep(1, 2), map[string]string{"a": "aa", "b": "b\x00\x002"})
	wantImage(t, c, keep(2), map[string]string{"a": "aa", "b": "bbb2"})
	grown := Outcome{"", func(int, Change) Part { return Part{Grown: true} }}
	wantImage(t, c, grown, map[string]string{"a": "aa\x00\x00\x00\x00", "b": "bbbb"})
}

// punchable is a file that can make holes, by writing zeros.
type punchable struct{ File }

func (f punchable) Punch(off, n int64) error {
	_, err := f.WriteAt(make([]byte, n), off)
	return err
}

// A hole is durable after a sync, and in parts before it; what is written into it afterwards is there without it or on top of it. It never
// makes a file larger.
func TestHoles(t *testing.T) {
	old := strings.Repeat("o", 3*SectorBytes)
	b := newBench(t, map[string]string{"a": old})
	f, err := os.OpenFile(filepath.Join(b.dir, "a"), os.O_RDWR, 0)
	b.must(err)
	file := b.d.Wrap("a", punchable{f})
	t.Cleanup(func() { file.Close() })
	punch := func(off, n int64) { b.must(file.(interface{ Punch(off, n int64) error }).Punch(off, n)) }
	zeros := strings.Repeat("\x00", SectorBytes)
	punch(0, 2*SectorBytes)
	b.write(file, "w", 0)
	c := last(b.d)
	if ch := c.Changes()[0]; ch.First != 0 || ch.Sectors != 2 {
		t.Fatalf("the hole touches %d sectors from %d on, want 2 from 0 on", ch.Sectors, ch.First)
	}
	wantImage(t, c, keep(), map[string]string{"a": old})
	wantImage(t, c, keep(0), map[string]string{"a": zeros + zeros + old[:512]})
	wantImage(t, c, keep(1), map[string]string{"a": "w" + old[1:]})
	wantImage(t, c, keep(0, 1), map[string]string{"a": "w" + zeros[1:] + zeros + old[:512]})
	second := Outcome{"", func(i int, _ Change) Part { return Part{Sector: func(s int64) bool { return i == 0 && s == 1 }} }}
	wantImage(t, c, second, map[string]string{"a": old[:512] + zeros + old[:512]})
	b.must(file.Sync())
	wantImage(t, last(b.d), keep(), map[string]string{"a": "w" + zeros[1:] + zeros + old[:512]})
	punch(2*SectorBytes, 5*SectorBytes)
	wantImage(t, last(b.d), keep(0), map[string]string{"a": "w" + zeros[1:] + zeros + zeros})
	if _, ok := b.d.Wrap("b", f).(interface{ Punch(off, n int64) error }); !ok {
		t.Fatal("the disk has no holes")
	}
	if err := b.open("c").(interface{ Punch(off, n int64) error }).Punch(0, 1); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Punch of a file that cannot = %v, want %v", err, errors.ErrUnsupported)
	}
}

// Names are durable after a sync of the directory, and content without a name is lost.
func TestNames(t *testing.T) {
	b := newBench(t, map[string]string{"old": "o"})
	f := b.open("new")
	b.write(f, "n", 0)
	b.must(f.Sync())
	wantImage(t, last(b.d), keep(), map[string]string{"old": "o"})
	wantImage(t, last(b.d), keep(0), map[string]string{"old": "o", "new": "n"})
	b.syncDir(dataDir)
	wantImage(t, last(b.d), keep(), map[string]string{"old": "o", "new": "n"})

	b.open("old")
	b.must(os.Remove(filepath.Join(b.dir, "old")))
	d, err := os.Open(b.dir)
	b.must(err)
	defer d.Close()
	b.d.Wrap(dataDir, d).(interface{ Removed(string) }).Removed("old")
	wantImage(t, last(b.d), keep(), map[string]string{"old": "o", "new": "n"})
	wantImage(t, last(b.d), keep(0), map[string]string{"new": "n"})

	f = b.open("old") // another file of that name
	b.write(f, "second", 0)
	wantImage(t, last(b.d), keep(), map[string]string{"old": "o", "new": "n"})
	wantImage(t, last(b.d), keep(1), map[string]string{"old": "", "new": "n"})
	b.syncDir(dataDir)
	wantImage(t, last(b.d), keep(), map[string]string{"old": "", "new": "n"})

	f = b.open("x-wal") // which makes its own name durable
	b.must(f.Sync())
	wantImage(t, last(b.d), keep(), map[string]string{"old": "", "new": "n", "x-wal": ""})
}

// The directory itself is there once the one it lies in was synced.
func TestHome(t *testing.T) {
	b := &bench{t: t, dir: filepath.Join(t.TempDir(), "data")}
	var err error
	b.d, err = New(b.dir)
	b.must(err)
	b.must(os.Mkdir(b.dir, 0o700))
	f := b.open("a")
	b.must(f.Sync())
	b.syncDir(dataDir)
	wantImage(t, last(b.d), keep(), nil)
	b.syncDir(parentDir)
	wantImage(t, last(b.d), keep(), map[string]string{"a": ""})
}

// A process that was killed leaves what it wrote to the next one, durable or not.
func TestKilled(t *testing.T) {
	b := newBench(t, map[string]string{"a": "aa"})
	f := b.open("a")
	b.write(f, "1", 0)
	n := b.open("n")
	b.write(n, "n", 0)
	again := filepath.Join(t.TempDir(), "again")
	d, err := last(b.d).Resume(again)
	b.must(err)
	if got, err := Read(again); err != nil || !cmp.Equal(texts(got), map[string]string{"a": "1a", "n": "n"}) {
		t.Errorf("the next process finds %v, %v", texts(got), err)
	}
	wantImage(t, last(d), keep(), map[string]string{"a": "aa"})
	b.dir, b.d = again, d
	f = b.open("a")
	b.write(f, "2", 1)
	wantImage(t, last(d), keep(3), map[string]string{"a": "a2"}) // after the name n, and what the first process wrote
	b.must(f.Sync())
	wantImage(t, last(d), keep(), map[string]string{"a": "12"})
	b.syncDir(dataDir)
	wantImage(t, last(d), keep(), map[string]string{"a": "12", "n": ""})
}

// A disk that lies keeps nothing.
func TestLie(t *testing.T) {
	b := newBench(t, map[string]string{"a": "a"})
	b.d.Lie("a")
	f := b.open("a")
	b.write(f, "1", 0)
	b.must(f.Sync())
	wantImage(t, last(b.d), keep(), map[string]string{"a": "a"})
}

// Changes that a failed sync has lost can be read, and are gone after a cut even though a later sync succeeds. Writing them again helps.
func TestFail(t *testing.T) {
	outcomes := map[string]bool{}
	for seed := range uint64(20) {
		b := newBench(t, map[string]string{"a": "aa"})
		fails := true
		b.d.Fail(func(string) (uint64, bool) { return seed, fails })
		f := b.open("a")
		b.write(f, "1", 0)
		if err := f.Sync(); !errors.Is(err, ErrSync) {
			t.Fatalf("Sync = %v, want %v", err, ErrSync)
		}
		fails = false
		b.must(f.Sync())
		if got := make([]byte, 2); seed == 0 {
			if _, err := f.ReadAt(got, 0); err != nil || string(got) != "1a" {
				t.Errorf("the file shows %q, %v, want 1a", got, err)
			}
		}
		left := last(b.d).Image(keep())
		outcomes[string(left.Files["a"])] = true
		b.write(f, "1", 0)
		b.must(f.Sync())
		wantImage(t, last(b.d), keep(), map[string]string{"a": "1a"})
	}
	if !outcomes["aa"] || !outcomes["1a"] || len(outcomes) != 2 {
		t.Errorf("outcomes %v, want aa and 1a", outcomes)
	}
}

// Random outcomes reach all kinds of outcome, and the same seed the same one.
func TestRandom(t *testing.T) {
	b := newBench(t, map[string]string{"a": strings.Repeat("o", 16*SectorBytes)})
	f := b.open("a")
	b.write(f, strings.Repeat("1", 16*SectorBytes), 0)
	b.write(f, strings.Repeat("2", 8*SectorBytes), 4*SectorBytes)
	c := last(b.d)
	kinds := map[string]bool{}
	for seed := range uint64(200) {
		data := c.Image(Random(seed)).Files["a"]
		if again := c.Image(Random(seed)).Files["a"]; !bytes.Equal(data, again) {
			t.Fatal("one seed, two outcomes")
		}
		whole := true
		for s := 0; s < len(data); s += SectorBytes {
			if !bytes.Equal(data[s:s+SectorBytes], bytes.Repeat(data[s:s+1], SectorBytes)) {
				t.Fatal("a sector is a mixture")
			}
			whole = whole && data[s] == data[0]
		}
		if whole {
			kinds["whole "+string(data[:1])] = true
		} else {
			kinds["torn"] = true
		}
	}
	for _, kind := range []string{"whole o", "whole 1", "torn"} {
		if !kinds[kind] {
			t.Errorf("no outcome is %q", kind)
		}
	}
}
