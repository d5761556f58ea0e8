package picture

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"testing"

	"example.org/avatard/storage"
)

func TestSampleSize(t *testing.T) {
	for want := 600; want <= 300_000; want += want/7 + 1 {
		got := Sample(uint64(want), want)
		if d := len(got) - want; d*100 > want*15 || -d*100 > want*15 {
			t.Errorf("Sample(_, %d) has %d bytes, want within 15 %%", want, len(got))
		}
		if cap(got) > len(got)+len(got)/8+16 {
			t.Errorf("Sample(_, %d) holds %d bytes for %d", want, cap(got), len(got))
		}
	}
	for _, odd := range []int{-1, 0, 1, MinSampleBytes, MaxSampleBytes, 1 << 40} {
		got := Sample(1, odd)
		if len(got) < MinSampleBytes*4/5 || len(got) > MaxSampleBytes {
			t.Errorf("Sample(_, %d) has %d bytes, want %d to %d", odd, len(got), MinSampleBytes, MaxSampleBytes)
		}
		storable(t, got)
	}
}

func TestSampleIsStorable(t *testing.T) {
	for _, size := range []int{600, 4096, 65_535, 70_000, 300_000} {
		storable(t, Sample(7, size))
	}
}

// storable checks that a made-up picture could be the result of a Normalizer.
func storable(t *testing.T, data []byte) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("made-up picture of %d bytes: %v", len(data), err)
	}
	size := img.Bounds().Size()
	decoded(t, Encoded{Format: storage.PNG, Data: data, Width: size.X, Height: size.Y})
	if len(data) > DefaultUploadBytes {
		t.Errorf("made-up picture has %d bytes, could not be uploaded", len(data))
		return
	}
	got, err := New(Config{}).Normalize(t.Context(), data)
	if err != nil || image.Pt(got.Width, got.Height) != size {
		t.Errorf("made-up picture of %v: %d × %d, %v", size, got.Width, got.Height, err)
	}
}

func TestSampleIsUniqueToItsSeed(t *testing.T) {
	if !bytes.Equal(Sample(3, 5000), Sample(3, 5000)) {
		t.Error("the same seed made two pictures")
	}
	seen := map[[32]byte]string{}
	for seed := range uint64(40) {
		for _, size := range []int{600, 4096} {
			if size == 4096 && seed%4 != 0 {
				continue
			}
			// A seed makes the same noise for every size, so one size is enough.
			data := Sample(seed+uint64(size), size)
			pixels := data[bytes.Index(data, []byte("IDAT"))+4+2+5:]
			pixels = pixels[:len(pixels)-4-4-12] // sums, IEND
			name := fmt.Sprintf("seed %d", seed+uint64(size))
			for i := range len(pixels) - 31 {
				piece := [32]byte(pixels[i:])
				if other, ok := seen[piece]; ok {
					t.Fatalf("32 bytes of %s at %d are in %s too", name, i, other)
				}
				seen[piece] = name
			}
		}
	}
}

func TestInitials(t *testing.T) {
	plain := Initials("", 1)
	for _, row := range []struct{ name, want string }{
		{"Alice", "A"},
		{"alice of wonderland", "AW"},
		{"élodie über", "ÉÜ"},
		{"  ", ""},
		{"...", ""},
		{"bob-42", "B4"},
		{"\xff", ""},
	} {
		if got := Monogram(row.name); got != row.want {
			t.Errorf("Monogram(%q) = %q, want %q", row.name, got, row.want)
		}
		got := Initials(row.name, 1)
		storable(t, got)
		if same := bytes.Equal(got, plain); same != (row.want == "") {
			t.Errorf("Initials(%q) is the bare pattern: %t, want %t", row.name, same, row.want == "")
		}
		if len(got) > 8000 {
			t.Errorf("Initials(%q) has %d bytes, want a few thousand", row.name, len(got))
		}
		if bytes.Equal(got, Initials(row.name, 2)) {
			t.Errorf("Initials(%q) does not depend on the seed", row.name)
		}
	}
	if !bytes.Equal(Initials("李雷", 1), plain) {
		t.Error("letters that the font does not have left a mark")
	}
}

func BenchmarkSample(b *testing.B) {
	for seed := uint64(0); b.Loop(); seed++ {
		Sample(seed, 4096)
	}
}

func BenchmarkNormalize(b *testing.B) {
	n := New(Config{})
	for _, row := range []struct {
		about string
		data  []byte
	}{
		{"jpeg-512", jpegOf(b, photo(512, 512))},
		{"jpeg-2048", jpegOf(b, photo(2048, 2048))},
		{"png-512", pngOf(b, photo(512, 512))},
		{"sample-4096", Sample(1, 4096)},
		{"most-scans", flatJPEG(0xc2, 256, []byte{1}, maxScans(8*256*8*256)-1)},
	} {
		b.Run(row.about, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := n.Normalize(b.Context(), row.data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
