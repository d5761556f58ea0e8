package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"

	"example.org/avatard/storage"
)

// tiles is a drawing with 300 colours: 120 × 120 pixels in tiles of 6 × 8.
func tiles() *image.NRGBA {
	random := rand.New(rand.NewPCG(5, 6))
	var colours [300]color.NRGBA
	for i := range colours {
		n := random.Uint32()
		colours[i] = color.NRGBA{R: byte(n), G: byte(n >> 8), B: byte(n >> 16), A: 255}
	}
	img := image.NewNRGBA(image.Rect(0, 0, 120, 120))
	for y := range 120 {
		for x := range 120 {
			img.SetNRGBA(x, y, colours[x/6+y/8*20])
		}
	}
	return img
}

// thinLines are thin red lines on blue, which JPEG with colour at half the resolution blurs, over grain that makes a PNG large.
func thinLines() *image.NRGBA {
	random := rand.New(rand.NewPCG(7, 8))
	img := image.NewNRGBA(image.Rect(0, 0, 128, 128))
	for y := range 128 {
		for x := range 128 {
			n := random.Uint32()
			c := color.NRGBA{R: byte(n & 31), G: byte(n >> 8 & 31), B: 160 + byte(n>>16&31), A: 255}
			if x%4 == 0 {
				c.R, c.B = c.B, c.R
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

// psnr compares colours: 10 log₁₀ of 255² by the mean square of the differences.
func psnr(a, b image.Image) float64 {
	var sum, count float64
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			c, d := color.NRGBAModel.Convert(a.At(x, y)).(color.NRGBA), color.NRGBAModel.Convert(b.At(x, y)).(color.NRGBA)
			for _, delta := range [...]int{int(c.R) - int(d.R), int(c.G) - int(d.G), int(c.B) - int(d.B)} {
				sum += float64(delta * delta)
				count++
			}
		}
	}
	return 10 * math.Log10(255*255*count/sum)
}

// A lossless upload becomes a PNG where that takes no more bytes than a JPEG.
func TestLosslessStaysLossless(t *testing.T) {
	for about, img := range map[string]*image.NRGBA{"tiles of 300 colours": tiles(), "a gradient": (*image.NRGBA)(photo(120, 120))} {
		upload := pngOf(t, img)
		got, err := New(Config{}).Normalize(t.Context(), upload)
		if err != nil {
			t.Fatal(err)
		}
		if got.Format != storage.PNG || len(got.Data) > len(upload) {
			t.Errorf("%s: format %d, %d bytes; want a PNG of at most %d", about, got.Format, len(got.Data), len(upload))
		}
		if db := psnr(decoded(t, got), img); !math.IsInf(db, 1) {
			t.Errorf("%s: %.1f dB, want the same pixels", about, db)
		}
	}
}

// Colour that was uploaded at its full resolution is stored so: thin lines are as clear in it as in grey.
func TestFineColourStaysFine(t *testing.T) {
	img := thinLines()
	var fine encoder
	fine.ctx, fine.limit = t.Context(), storage.MaxPictureBytes
	jpeg444, err := fine.fineJPEG(&image.RGBA{Pix: img.Pix, Stride: img.Stride, Rect: img.Rect})
	if err != nil {
		t.Fatal(err)
	}
	coarse, err := jpeg.Decode(bytes.NewReader(jpegOf(t, img)))
	if err != nil {
		t.Fatal(err)
	}
	for about, data := range map[string][]byte{"PNG that would be larger": pngOf(t, img), "JPEG 4:4:4": jpeg444} {
		got, err := New(Config{}).Normalize(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := jpeg.Decode(bytes.NewReader(got.Data))
		if err != nil {
			t.Fatalf("%s: format %d, %v; want a JPEG", about, got.Format, err)
		}
		if ratio := stored.(*image.YCbCr).SubsampleRatio; ratio != image.YCbCrSubsampleRatio444 {
			t.Errorf("%s: stored with colour %v, want 4:4:4", about, ratio)
		}
		if db := psnr(stored, img); db < 30 {
			t.Errorf("%s: %.1f dB, want 30 or more; with less colour it would be %.1f", about, db, psnr(coarse, img))
		}
	}
	// An upload with colour at half the resolution is stored so.
	got, err := New(Config{}).Normalize(t.Context(), jpegOf(t, img))
	if err != nil {
		t.Fatal(err)
	}
	if stored := decoded(t, got).(*image.YCbCr); stored.SubsampleRatio != image.YCbCrSubsampleRatio420 {
		t.Errorf("JPEG 4:2:0: stored with colour %v", stored.SubsampleRatio)
	}
}
