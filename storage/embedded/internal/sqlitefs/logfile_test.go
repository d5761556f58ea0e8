package sqlitefs

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"example.org/avatard/storage/embedded/internal/datadir"
)

// memoryFile is a File in memory that counts writes and fails them when it is told to.
type memoryFile struct {
	datadir.File
	data   []byte
	writes int
	fail   error
}

func (m *memoryFile) WriteAt(p []byte, off int64) (int, error) {
	m.writes++
	if m.fail != nil {
		return 0, m.fail
	}
	if missing := int(off) + len(p) - len(m.data); missing > 0 {
		m.data = append(m.data, make([]byte, missing)...)
	}
	return copy(m.data[off:], p), nil
}

func (m *memoryFile) ReadAt(p []byte, off int64) (int, error) { return copy(p, m.data[off:]), nil }
func (m *memoryFile) Truncate(size int64) error               { m.data = m.data[:size]; return nil }
func (m *memoryFile) Sync() error                             { return nil }
func (m *memoryFile) Close() error                            { return nil }

// Adjacent writes become one, and reads, cuts and syncs find them in the file.
func TestLogFile(t *testing.T) {
	piece := func(c byte) []byte { return bytes.Repeat([]byte{c}, 100) }
	want := slices.Concat(piece('a'), piece('b'), piece('c'))
	for _, test := range []struct {
		title string
		then  func(l *logFile) error
		want  []byte
	}{
		{"sync", func(l *logFile) error { return l.Sync() }, want},
		{"close", func(l *logFile) error { return l.Close() }, want},
		{"truncate", func(l *logFile) error { return l.Truncate(150) }, want[:150]},
		{"read", func(l *logFile) error {
			got := make([]byte, 300)
			_, err := l.ReadAt(got, 0)
			if !bytes.Equal(got, want) {
				t.Errorf("read: %.20q, want what was written", got)
			}
			return err
		}, want},
		{"a write elsewhere", func(l *logFile) error {
			_, err := l.WriteAt(piece('d'), 0)
			return err
		}, want},
	} {
		file := &memoryFile{}
		l := &logFile{File: file, gauge: &LogGauge{}, pages: &Pages{}}
		for i, c := range []byte("abc") {
			if n, err := l.WriteAt(piece(c), int64(i*100)); n != 100 || err != nil {
				t.Fatalf("WriteAt = %d, %v", n, err)
			}
		}
		if file.writes != 0 {
			t.Errorf("%s: %d writes before it, want 0", test.title, file.writes)
		}
		if err := test.then(l); err != nil || file.writes != 1 || !bytes.Equal(file.data, test.want) {
			t.Errorf("%s: %v, %d writes, %d bytes; want one write of %d bytes", test.title, err, file.writes, len(file.data), len(test.want))
		}
	}
}

// The pending writes are bounded.
func TestLogFileBound(t *testing.T) {
	file := &memoryFile{}
	l := &logFile{File: file, gauge: &LogGauge{}, pages: &Pages{}}
	const pages = 1000
	for i := range pages {
		if _, err := l.WriteAt(make([]byte, PageBytes), int64(i*PageBytes)); err != nil {
			t.Fatal(err)
		}
		if cap(l.pending) > 2*maxLogBuffer {
			t.Fatalf("%d bytes are kept after %d pages", cap(l.pending), i+1)
		}
	}
	if err := l.Sync(); err != nil || len(file.data) != pages*PageBytes {
		t.Errorf("Sync = %v, %d bytes in the file, want %d", err, len(file.data), pages*PageBytes)
	}
}

// A gathered write that fails is reported once, and never comes back later.
func TestLogFileFailure(t *testing.T) {
	file := &memoryFile{fail: errors.New("no room")}
	l := &logFile{File: file, gauge: &LogGauge{}, pages: &Pages{}}
	if _, err := l.WriteAt([]byte("lost"), 0); err != nil {
		t.Fatal(err)
	}
	if err := l.Sync(); !errors.Is(err, file.fail) {
		t.Errorf("Sync = %v, want the failure of the write", err)
	}
	file.fail = nil
	if err := l.Sync(); err != nil || len(file.data) != 0 {
		t.Errorf("the next Sync = %v and wrote %q, want nothing", err, file.data)
	}
}
