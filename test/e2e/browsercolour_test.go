//go:build unix

package e2e

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"testing"

	"example.org/avatard/server/picture"
	"example.org/avatard/server/picture/picturetest"
)

// colouredPicture is an upload whose colours are not those of sRGB.
type colouredPicture struct {
	about string
	Data  []byte `json:"data"`
}

// colouredPictures say in every way that is understood what their colours mean. Chromium manages colours.
func colouredPictures(t *testing.T) []colouredPicture {
	t.Helper()
	ramp := colourRamp()
	plain := asPNG(t, ramp)
	flat := image.NewRGBA(image.Rect(0, 0, 16, 16))
	for i := range flat.Pix {
		flat.Pix[i] = []byte{200, 100, 50, 255}[i%4]
	}
	grey := image.NewGray(image.Rect(0, 0, 256, 1))
	for i := range grey.Pix {
		grey.Pix[i] = byte(i)
	}
	deep := image.NewNRGBA64(ramp.Rect)
	for i, v := range ramp.Pix {
		deep.Pix[2*i], deep.Pix[2*i+1] = v, v
	}
	lossyWebP, err := base64.StdEncoding.DecodeString( // one colour, 16 × 16
		"UklGRkAAAABXRUJQVlA4IDQAAAAQAgCdASoQABAAAAAAJaACdLoB+AH6AAPIAP7/QqV/+SD15PPz/yQj/9qVWVbK//aYgAAA")
	if err != nil {
		t.Fatal(err)
	}
	flatJPEG := asJPEG(t, flat)
	adobe := picturetest.RGBProfile(2, picturetest.AdobeRGB, picturetest.Gamma(563.0/256))
	chunk, profiled := picturetest.InPNG, func(png, profile []byte) []byte { return picturetest.InPNG(png, "iCCP", picturetest.ICCP(profile)) }
	return []colouredPicture{
		{"Adobe RGB", profiled(plain, adobe)},
		{"Display P3", profiled(plain, picturetest.RGBProfile(4, picturetest.DisplayP3, picturetest.SRGBCurve()))},
		{"ProPhoto RGB, 16 bits", profiled(asPNG(t, deep), picturetest.RGBProfile(4, picturetest.ProPhotoRGB, picturetest.Gamma(1.8)))},
		{"a table", profiled(plain, picturetest.RGBProfile(2, picturetest.BT2020, picturetest.Table(1024, picturetest.SRGBCurve().Linear)))},
		{"parametric", profiled(plain, picturetest.RGBProfile(4, picturetest.DisplayP3, picturetest.Parametric(1, 2.2, 1.1, -0.1)))},
		{"grey", profiled(asPNG(t, grey), picturetest.GreyProfile(2, picturetest.Gamma(1.8)))},
		{"a broken profile", profiled(plain, adobe[:200])},
		{"cICP of Display P3", chunk(plain, "cICP", picturetest.CICP(12, 13))},
		{"cICP of BT.2020", chunk(plain, "cICP", picturetest.CICP(9, 14))},
		{"sRGB in effect", chunk(plain, "gAMA", picturetest.GAMA(1/2.2))},
		{"gAMA", chunk(plain, "gAMA", picturetest.GAMA(1))},
		{"gAMA and cHRM", chunk(chunk(plain, "gAMA", picturetest.GAMA(1/1.8)), "cHRM", picturetest.CHRM(picturetest.AdobeRGB))},
		{"JPEG", picturetest.InJPEG(flatJPEG, adobe, 100)},
		{"lossy WebP", lossyWebP},
		{"lossy WebP in Adobe RGB", picturetest.InWebP(lossyWebP, adobe, 16, 16)},
	}
}

// colourRamp has every level of grey and of each channel, and mixed colours. A corner is transparent, so that it is stored as PNG.
func colourRamp() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, 256, 8))
	for x := range 256 {
		v := byte(x)
		for y, c := range []color.NRGBA{{v, v, v, 255}, {R: v, A: 255}, {G: v, A: 255}, {B: v, A: 255},
			{v, 120, 255 - v, 255}, {255 - v, v, 60, 255}, {230, v, 255 - v, 255}, {v, 200, v / 2, 255}} {
			img.SetNRGBA(x, y, c)
		}
	}
	img.SetNRGBA(0, 0, color.NRGBA{})
	return img
}

func asPNG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func asJPEG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, img, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// checkColours compares what is stored of pictures with what the browser shows of them: four numbers a pixel.
func checkColours(t *testing.T, pictures []colouredPicture, shown [][]byte) {
	t.Helper()
	if len(shown) != len(pictures) {
		t.Fatalf("the browser shows %d pictures, want %d", len(shown), len(pictures))
	}
	for i, p := range pictures {
		stored, err := picture.New(picture.Config{}).Normalize(t.Context(), p.Data)
		if err != nil {
			t.Errorf("%s: %v", p.about, err)
			continue
		}
		img, _, err := image.Decode(bytes.NewReader(stored.Data))
		if err != nil || len(shown[i]) != 4*stored.Width*stored.Height {
			t.Errorf("%s: %d × %d, %v; the browser shows %d bytes", p.about, stored.Width, stored.Height, err, len(shown[i]))
			continue
		}
		worst, squares := 0, 0
		for k := 0; k < len(shown[i]); k += 4 {
			c := color.NRGBAModel.Convert(img.At(k/4%stored.Width, k/4/stored.Width)).(color.NRGBA)
			for channel, v := range [4]byte{c.R, c.G, c.B, c.A} {
				d := int(v) - int(shown[i][k+channel])
				worst, squares = max(worst, d, -d), squares+d*d
			}
		}
		if psnr := 10 * math.Log10(255*255*float64(len(shown[i]))/float64(squares)); worst > 3 || psnr < 38 {
			t.Errorf("%s: %d levels and %.1f dB from what Chromium shows, want 3 at most and 38 or more", p.about, worst, psnr)
		}
	}
}
