package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"example.org/avatard/storage/embedded"
)

// keptWrites remembers what is written to files.
type keptWrites struct {
	embedded.File
	written *bytes.Buffer
}

func (f keptWrites) WriteAt(p []byte, off int64) (int, error) {
	f.written.Write(p)
	return f.File.WriteAt(p, off)
}

// The bytes of a spool come back, from whatever offset they are read, and are nowhere on the disk as they are.
func TestSpool(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	data := make([]byte, 600_001)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	dir := t.TempDir()
	var disk bytes.Buffer
	place := embedded.At(embedded.Config{Dir: dir, WrapFile: func(_ string, f embedded.File) embedded.File { return keptWrites{f, &disk} }})
	scratch, err := place.Scratch()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSpool(t.Context(), scratch, io.MultiReader(bytes.NewReader(data[:7]), bytes.NewReader(data[7:])), readSome)
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

// A stream without an end does not hold up a caller whose context has ended.
func TestSpoolOfAStreamWithoutEnd(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	scratch, err := embedded.At(embedded.Config{Dir: t.TempDir()}).Scratch()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newSpool(ctx, scratch, r, readSome); !errors.Is(err, context.Canceled) {
		t.Errorf("newSpool = %v", err)
	}
}

// readSome reads the beginning of a stream.
func readSome(stream io.Reader) error {
	_, err := io.ReadFull(stream, make([]byte, 100))
	return err
}
