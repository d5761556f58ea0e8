package picture

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"slices"
	"strings"
	"testing"
)

// ownJPEG decodes the pictures that image/jpeg takes like that package.
func TestOwnJPEGAgrees(t *testing.T) {
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
		got, err := (&ownJPEG{jpegFrame: frame, ctx: t.Context()}).decode(s.data)
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

// Nothing that the decoder held of a picture is left behind but what became part of it, which is overwritten later.
func TestOwnJPEGOverwrites(t *testing.T) {
	seen := map[string]int{}
	for _, s := range corpus(t) {
		if !strings.HasPrefix(s.name, "JPEG") || s.refused != "" {
			continue
		}
		frame, err := readJPEGFrame(s.data)
		if err != nil || frame.direct() {
			continue
		}
		d := &ownJPEG{jpegFrame: frame, ctx: t.Context()}
		if err := d.read(s.data); err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		held := slices.Clone(d.components)
		img := d.picture()
		d.wipe()
		wipe(img)
		for i, c := range held {
			if !isZero(c.samples) || slices.ContainsFunc(c.amplitudes, func(v int16) bool { return v != 0 }) {
				t.Errorf("%s: component %d is left", s.name, i)
			}
			if len(c.amplitudes) > 0 {
				seen["progressive"]++
			}
		}
		seen[fmt.Sprintf("%T", img)]++
	}
	for _, kind := range []string{"progressive", "*image.Gray", "*image.YCbCr", "*image.RGBA", "*image.CMYK"} {
		if seen[kind] == 0 {
			t.Errorf("no picture is %s: %v", kind, seen)
		}
	}
}

// An upload may be decoded again, with the same result.
func TestJPEGIsDecodedAgain(t *testing.T) {
	opened, err := New(Config{}).Open(wideJPEG(0xc0, image.Pt(80, 60), []byte{0x11, 0x22, 0x22}, 0))
	if err != nil {
		t.Fatal(err)
	}
	first, err := opened.Normalize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := opened.Normalize(t.Context()); err != nil || !bytes.Equal(again.Data, first.Data) {
		t.Errorf("the second time: %v, or another picture", err)
	}
}
