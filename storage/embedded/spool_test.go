package embedded

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"avatard/storage"
	"avatard/storage/embedded/internal/datadir"
)

// keptWrites remembers what is written to files.
type keptWrites struct {
	File
	written *bytes.Buffer
}

func (f keptWrites) WriteAt(p []byte, off int64) (int, error) {
	f.written.Write(p)
	return f.File.WriteAt(p, off)
}

// What a spool is given comes back, from wherever it is read, and is nowhere on the disk.
func TestSpool(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	data := make([]byte, 600_001)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	dir := t.TempDir()
	var disk bytes.Buffer
	s, err := newSpool(t.Context(), datadir.Dir{Path: dir, Wrap: func(_ string, f File) File { return keptWrites{f, &disk} }},
		io.MultiReader(bytes.NewReader(data[:7]), bytes.NewReader(data[7:])))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if names, _ := os.ReadDir(dir); len(names) > 0 {
		t.Errorf("the directory holds %v", names)
	}
	if s.size != int64(len(data)) || disk.Len() != len(data) {
		t.Fatalf("%d bytes of %d are kept, %d on the disk", s.size, len(data), disk.Len())
	}
	for range 200 {
		from := random.IntN(len(data))
		p := make([]byte, random.IntN(min(70_000, len(data)-from)+1))
		if _, err := s.ReadAt(p, int64(from)); err != nil || !bytes.Equal(p, data[from:from+len(p)]) {
			t.Fatalf("%d bytes at %d: %v", len(p), from, err)
		}
	}
	for from := 0; from+16 <= len(data); from += 1000 {
		if bytes.Contains(disk.Bytes(), data[from:from+16]) {
			t.Fatalf("bytes %d to %d are on the disk as they are", from, from+16)
		}
	}
}

// A stream that nobody ends keeps nobody who has been told to stop.
func TestSpoolOfAStreamWithoutEnd(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newSpool(ctx, datadir.At(t.TempDir()), r); !errors.Is(err, context.Canceled) {
		t.Errorf("newSpool = %v", err)
	}
}

// writeThen calls a function behind the first write that holds some bytes.
type writeThen struct {
	io.Writer
	bytes []byte
	then  func()
}

func (w *writeThen) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if w.then != nil && bytes.Contains(p, w.bytes) {
		w.then()
		w.then = nil
	}
	return n, err
}

// What is erased once its bytes are on their way is said to be, and no restore brings it back.
func TestCopyBackup(t *testing.T) {
	s := openTest(t, t.TempDir())
	for i := range 8 {
		mustPut(t, s, i, 200_000)
	}
	first, err := s.Get(t.Context(), testKey(0), testOrg)
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	go func() {
		_, err := s.Backup(context.Background(), &writeThen{w, first.Data[100_000:100_100], func() { mustRemove(t, s, 0) }}, storage.ExportOptions{})
		w.CloseWithError(err)
	}()
	var out bytes.Buffer
	sum, late, err := CopyBackup(&out, r, nil)
	if err != nil || !late || sum.Bytes != int64(out.Len()) {
		t.Fatalf("CopyBackup = %+v, late %v, %v", sum, late, err)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	got, err := Restore(t.Context(), Config{Dir: dir}, RestoreOptions{Backup: StreamName, Stream: bytes.NewReader(out.Bytes())})
	if err != nil || got.Pictures != 7 {
		t.Errorf("Restore = %+v, %v, want 7 pictures", got, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, slabName))
	if err != nil || bytes.Contains(data, first.Data[100_000:100_100]) {
		t.Errorf("the picture was written (%v)", err)
	}
	if _, late, err := CopyBackup(io.Discard, bytes.NewReader(backupBytes(t, s, storage.ExportOptions{})), nil); err != nil || late {
		t.Errorf("CopyBackup of a store that stands still = late %v, %v", late, err)
	}
}

// A writer who takes nothing, and a stream with a fault, are errors; what was written then is no backup.
func TestCopyBackupFails(t *testing.T) {
	s := openTest(t, t.TempDir())
	for i := range 8 {
		mustPut(t, s, i, 200_000)
	}
	whole := backupBytes(t, s, storage.ExportOptions{})
	errFull := errors.New("full")
	if _, _, err := CopyBackup(writerFunc(func([]byte) (int, error) { return 0, errFull }), bytes.NewReader(whole), nil); !errors.Is(err, errFull) {
		t.Errorf("CopyBackup to a writer that fails = %v", err)
	}
	for _, cut := range []int{1, len(whole) / 2, len(whole) - 1} {
		var out bytes.Buffer
		if _, _, err := CopyBackup(&out, bytes.NewReader(whole[:cut]), nil); !isBackupError(err) {
			t.Errorf("CopyBackup of %d bytes = %v", cut, err)
		}
		if _, err := CheckBackup(&out); err == nil {
			t.Errorf("of %d bytes a backup came out", cut)
		}
	}
}
