package picture

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"testing"
)

// The encoder of the standard library writes into output byte by byte, without a buffer in between, and what it writes is the same.
func TestOutputIsWrittenWithoutABuffer(t *testing.T) {
	if _, ok := any(new(output)).(interface { // what image/jpeg.Encode asks for
		Flush() error
		io.Writer
		io.ByteWriter
	}); !ok {
		t.Error("image/jpeg would write into a buffer of its own")
	}
	img := image.NewNRGBA(image.Rect(0, 0, 300, 200))
	rand.NewChaCha8([32]byte{1}).Read(img.Pix)
	var want bytes.Buffer
	if err := jpeg.Encode(&want, img, nil); err != nil {
		t.Fatal(err)
	}
	out := &output{ctx: t.Context(), limit: 1 << 20}
	if err := jpeg.Encode(out, img, nil); err != nil || !bytes.Equal(out.bytes, want.Bytes()) {
		t.Errorf("%d bytes were written, %v, want the %d that a buffer gets", len(out.bytes), err, want.Len())
	}
	short := &output{ctx: t.Context(), limit: 5000}
	if err := jpeg.Encode(short, img, nil); !errors.Is(err, errOutput) || len(short.bytes) > 5000 {
		t.Errorf("beyond the limit: %v with %d bytes, want %v", err, len(short.bytes), errOutput)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := jpeg.Encode(&output{ctx: ended, limit: 1 << 20}, img, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v, want %v", err, context.Canceled)
	}
}
