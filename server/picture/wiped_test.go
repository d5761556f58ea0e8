package picture

import (
	"bytes"
	"context"
	"errors"
	"image"
	"io"
	"math/rand/v2"
	"testing"
)

// handedOut remembers the files that decoders read, and the slices into which they read more than a few kilobytes.
type handedOut struct{ files, reads [][]byte }

func (h *handedOut) limited(r io.Reader) io.Reader {
	_, _ = r.(*bytes.Reader).WriteTo(h) // gives the slice itself
	_, _ = r.(*bytes.Reader).Seek(0, io.SeekStart)
	return &handedOutReader{h, r}
}

func (h *handedOut) Write(file []byte) (int, error) {
	h.files = append(h.files, file)
	return len(file), nil
}

type handedOutReader struct {
	to *handedOut
	r  io.Reader
}

func (h *handedOutReader) Read(p []byte) (int, error) {
	if len(p) > 16<<10 {
		h.to.reads = append(h.to.reads, p)
	}
	return h.r.Read(p)
}

// noisyLossy is a frame of lossy WebP with two partitions of noise. Its size becomes 256 × 256.
func noisyLossy(t *testing.T) string {
	const headBytes, first, second = 10, 20 << 10, 100 << 10
	frame, _ := webpChunk(webpFile(t, "lossy")[riffHeaderBytes:], "VP8 ")
	start := bytes.Clone(frame[:headBytes+30])
	putUint24(start, first<<5|uint24(start)&31) // RFC 6386 section 9.1
	copy(start[6:], "\x00\x01\x00\x01")
	noise := make([]byte, headBytes+first+second-len(start))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	return riffChunk("VP8 ", string(start)+string(noise))
}

// Nothing of a WebP is left in the memory into which its decoder reads it, nor in the file that is made of a frame, and its transparency,
// for which the decoder reads as well, is not lost.
func TestWebPIsOverwritten(t *testing.T) {
	size := image.Pt(256, 256)
	random, alpha := rand.New(rand.NewPCG(3, 4)), make([]byte, size.X*size.Y)
	for i := range alpha {
		alpha[i] = byte(random.Uint32())
	}
	lossy := noisyLossy(t)
	transparent := riffChunk("ALPH", "\x00"+string(alpha)) + lossy
	for _, row := range []struct {
		about    string
		data     []byte
		animated bool
		alpha    bool
		reads    int // of which one is of the alpha
	}{
		{"still", webpOf(lossy), false, false, 2},
		{"still, transparent", webpOf(vp8x(webpAlpha, size), transparent), false, true, 3},
		{"animation", webpOf(vp8x(webpAnimation, size), webpFrame(image.Point{}, size, lossy)), true, false, 2},
		{"animation, transparent", webpOf(vp8x(webpAnimation|webpAlpha, size), webpFrame(image.Point{}, size, transparent)), true, true, 3},
	} {
		var h handedOut
		img, err := decodeWebP(row.data, h.limited)
		if err != nil || len(h.files) != 1 || len(h.reads) != row.reads {
			t.Errorf("%s: %v, %d files, %d reads", row.about, err, len(h.files), len(h.reads))
			continue
		}
		if row.animated && !isZero(h.files[0]) {
			t.Errorf("%s: the file of the frame is left", row.about)
		}
		if row.alpha {
			if !bytes.Equal(img.(*image.NYCbCrA).A, alpha) {
				t.Errorf("%s: the transparency is lost", row.about)
			}
			h.reads = h.reads[1:]
		}
		for i, p := range h.reads {
			if !isZero(p) {
				t.Errorf("%s: partition %d is left", row.about, i)
			}
		}
	}
}

// givenUp is an upload of one row, whose caller gives up once it has been read.
type givenUp struct {
	upload
	giveUp context.CancelFunc
	row    []byte
}

func (g *givenUp) decode(context.Context, *colours) (rows, error) { return g, nil }
func (g *givenUp) size() image.Point                              { return image.Pt(8, 1) }
func (g *givenUp) wipe()                                          {}

func (g *givenUp) next(row []byte) error {
	for i := range row {
		row[i] = 0xff
	}
	g.row = row
	g.giveUp()
	return nil
}

// The pixels of an upload that was given up just behind its last row are overwritten.
func TestPixelsOfAnUploadGivenUpAreOverwritten(t *testing.T) {
	opened, err := New(Config{}).Open(pngOf(t, redAboveBlue()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	g := &givenUp{upload: opened.upload, giveUp: cancel}
	_, err = (&Upload{upload: g}).Normalize(ctx)
	if !errors.Is(err, context.Canceled) || len(g.row) != 4*8 || !isZero(g.row) {
		t.Errorf("%v, %x is left", err, g.row)
	}
}

func isZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }
