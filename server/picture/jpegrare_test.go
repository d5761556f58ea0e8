package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
	"testing"
)

// rareJPEG decodes the pictures that image/jpeg takes like that package.
func TestRareJPEGAgrees(t *testing.T) {
	photograph := image.NewRGBA(image.Rect(0, 0, 61, 47))
	for y := range 47 {
		for x := range 61 {
			photograph.SetRGBA(x, y, color.RGBA{byte(4 * x), byte(5 * y), byte(x * y), 255})
		}
	}
	all := []specimen{{name: "photograph", data: jpegOf(t, photograph)}}
	for _, s := range corpus(t) {
		if strings.HasPrefix(s.name, "JPEG") && s.refused == "" {
			all = append(all, s)
		}
	}
	compared := 0
	for _, s := range all {
		frame, err := readJPEGFrame(s.data)
		if err != nil {
			t.Fatal(err)
		}
		want, err := jpeg.Decode(bytes.NewReader(s.data))
		if err != nil {
			continue // this decoder is for those
		}
		compared++
		got, err := (&rareJPEG{jpegFrame: frame, ctx: t.Context()}).decode(s.data)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if worst := difference(got, want); worst > 2 {
			t.Errorf("%s: a sample differs by %d", s.name, worst)
		}
	}
	if compared < 50 {
		t.Errorf("%d pictures compared, want at least 50", compared)
	}
}

// difference returns by how much a sample of two pictures differs at most.
func difference(a, b image.Image) int {
	worst := 0
	bounds := a.Bounds()
	if bounds != b.Bounds() {
		return 999
	}
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			for i, v := range samplesAt(a, x, y) {
				worst = max(worst, int(v)-int(samplesAt(b, x, y)[i]), int(samplesAt(b, x, y)[i])-int(v))
			}
		}
	}
	return worst
}

func samplesAt(img image.Image, x, y int) [4]uint8 {
	switch c := img.At(x, y).(type) {
	case color.YCbCr:
		return [4]uint8{c.Y, c.Cb, c.Cr}
	case color.CMYK:
		return [4]uint8{c.C, c.M, c.Y, c.K}
	case color.Gray:
		return [4]uint8{c.Y}
	default:
		r, g, b, _ := c.RGBA()
		return [4]uint8{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)}
	}
}
