package picture

import (
	"image"
	"io"
)

// largeBuffer is more than bufio and io.Discard take, in bytes. Smaller buffers may be in use by somebody else by the time of a wipe.
const largeBuffer = 16 << 10

// readBuffers remembers the large slices into which a decoder reads. That of lossy WebP reads the whole upload into its own memory, which
// nothing else gives access to.
type readBuffers struct {
	from  io.Reader
	large [][]byte
}

func (b *readBuffers) Read(p []byte) (int, error) {
	if len(p) > largeBuffer {
		b.large = append(b.large, p)
	}
	return b.from.Read(p)
}

// wipe overwrites the slices once the decoder is done, but for one that became the transparency of its picture.
func (b *readBuffers) wipe(img image.Image) {
	alpha := []byte(nil)
	if m, ok := img.(*image.NYCbCrA); ok {
		alpha = m.A
	}
	for _, p := range b.large {
		if len(alpha) == 0 || &alpha[0] != &p[0] {
			clear(p)
		}
	}
}
