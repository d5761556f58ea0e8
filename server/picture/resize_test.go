package picture

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"example.org/avatard/storage"
)

// largeStored are stored pictures of the largest size.
func largeStored(t testing.TB) map[string]Encoded {
	stored := make(map[string]Encoded)
	for about, data := range map[string][]byte{
		"photograph": jpegOf(t, photo(MaxStoredPixelsPerSide, MaxStoredPixelsPerSide)),
		"drawing":    pngOf(t, photo(MaxStoredPixelsPerSide, MaxStoredPixelsPerSide)),
		"noise":      pngOf(t, noise(MaxStoredPixelsPerSide, MaxStoredPixelsPerSide, false)),
		"palette":    Sample(1, MaxSampleBytes),
	} {
		encoded, err := New(Config{MaxUploadBytes: MostUploadBytes}).Normalize(t.Context(), data)
		if err != nil {
			t.Fatal(about, err)
		}
		stored[about] = encoded
	}
	return stored
}

// A stored picture is made smaller in bounded memory, to the same bytes each time.
func TestResize(t *testing.T) {
	for about, picture := range largeStored(t) {
		side := max(picture.Width, picture.Height)
		var first []byte
		for range 2 {
			var small Encoded
			took := allocated(func() {
				stored, err := OpenStored(picture.Data)
				if err != nil || stored.Side() != side {
					t.Fatal(about, stored.Side(), err)
				}
				small, err = stored.Resize(t.Context(), 512)
				if err != nil {
					t.Fatal(about, err)
				}
			})
			same := first == nil || bytes.Equal(first, small.Data)
			if max(small.Width, small.Height) != 512 || took > ResizeBytes || !same {
				t.Errorf("%s: %d × %d, %d bytes of memory, the same as before: %v", about, small.Width, small.Height, took, same)
			}
			first = small.Data
		}
	}
	if _, err := OpenStored(make([]byte, storage.MaxPictureBytes+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v, want ErrTooLarge", err)
	}
}

func BenchmarkResize(b *testing.B) {
	for about, picture := range largeStored(b) {
		for _, side := range []int{16, 64, 256, 512} {
			b.Run(fmt.Sprint(about, "/", side), func(b *testing.B) {
				for b.Loop() {
					stored, err := OpenStored(picture.Data)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := stored.Resize(b.Context(), side); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
