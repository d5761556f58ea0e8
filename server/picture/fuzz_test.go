package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"testing"

	"example.org/avatard/server/picture/picturetest"
)

// FuzzNormalize checks that Normalize keeps its promises for any upload. The seeds are small: a header may claim four
// million pixels, which makes a run slow and shows nothing more.
func FuzzNormalize(f *testing.F) {
	small := photo(9, 7)
	f.Add(pngOf(f, small))
	f.Add(withChunk(pngOf(f, image.NewGray(small.Rect)), "eXIf", exif(binary.BigEndian, 6)))
	f.Add(adam7(image.NewGray(small.Rect)))
	f.Add(Sample(1, MinSampleBytes))
	f.Add(withSegment(jpegOf(f, small), 0xe1, "Exif\x00\x00"+exif(binary.LittleEndian, 5)))
	f.Add(flatJPEG(0xc2, 1, []byte{9}, 2))
	f.Add(flatJPEG(0xc0, 1, []byte{1, 2, 3, 4}, 0))
	f.Add(gifOf(f, 2))
	f.Add(smallFrameGIF(f))
	for _, name := range []string{"lossless", "lossy-alpha", "animated", "animated-lossy", "turned"} {
		f.Add(webpFile(f, name))
	}
	profile := picturetest.RGBProfile(4, picturetest.AdobeRGB, picturetest.Gamma(2.2))
	f.Add(withICCP(pngOf(f, small), profile))
	f.Add(picturetest.InJPEG(jpegOf(f, small), profile, 100))
	f.Add(picturetest.InWebP(webpFile(f, "lossy-alpha"), profile, 24, 16))
	f.Add(picturetest.InPNG(pngOf(f, small), "cICP", picturetest.CICP(9, 16)))
	f.Add(picturetest.InPNG(picturetest.InPNG(pngOf(f, small), "gAMA", picturetest.GAMA(1)), "cHRM", picturetest.CHRM(picturetest.AdobeRGB)))
	for i, s := range corpus(f) {
		if i%6 == 0 {
			f.Add(s.data)
		}
	}
	n := New(Config{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		data = mended(data)
		got, err := n.Normalize(t.Context(), data)
		if err != nil {
			for _, want := range []error{ErrUnsupported, ErrMalformed, ErrPixels, ErrTooLarge} {
				if errors.Is(err, want) {
					return
				}
			}
			t.Fatalf("an upload was answered with a fault of ours: %v", err)
		}
		decoded(t, got)
		again, err := n.Normalize(t.Context(), got.Data)
		if errors.Is(err, ErrTooLarge) {
			return // a stored picture may be larger than the largest upload
		}
		if err != nil || again.Width != got.Width || again.Height != got.Height {
			t.Fatalf("the result again: %d × %d, %v; want %d × %d",
				again.Width, again.Height, err, got.Width, got.Height)
		}
	})
}

// mended returns a PNG with right checksums, since nothing behind a wrong one is looked at.
func mended(data []byte) []byte {
	if !bytes.HasPrefix(data, []byte(pngSignature)) {
		return data
	}
	data = bytes.Clone(data)
	for rest := data[len(pngSignature):]; len(rest) >= 12; {
		size := uint64(binary.BigEndian.Uint32(rest))
		if 12+size > uint64(len(rest)) {
			break
		}
		binary.BigEndian.PutUint32(rest[8+size:], crc32.ChecksumIEEE(rest[4:8+size]))
		rest = rest[12+size:]
	}
	return data
}

// FuzzOrientation reads metadata that no decoder has looked at.
func FuzzOrientation(f *testing.F) {
	f.Add([]byte(exif(binary.BigEndian, 6)))
	f.Add([]byte(exif(binary.LittleEndian, 8)))
	blank := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	f.Fuzz(func(t *testing.T, tiff []byte) {
		if o := orientation(tiff); o < 1 || o > 8 {
			t.Fatalf("orientation %d", o)
		}
		upright(blank, orientation(tiff))
	})
}
