package picture

import (
	"context"
	"fmt"

	"example.org/avatard/storage"
)

// ResizeBytes is the memory that making a stored picture smaller takes at most, in bytes, garbage included.
const ResizeBytes = 12 << 20

// Stored is a picture in the form in which it is stored, whose header was read. Smaller ones are made from it.
type Stored struct{ upload *Upload }

// ofStored takes what Normalize makes, whatever the limits of uploads are.
var ofStored = New(Config{MaxUploadBytes: storage.MaxPictureBytes, MaxPixels: MaxStoredPixelsPerSide * MaxStoredPixelsPerSide})

// OpenStored reads the header of a stored picture, with hardly any work. data must not change while the Stored is in use. An error means that
// this is no picture which Normalize made.
func OpenStored(data []byte) (Stored, error) {
	u, err := ofStored.Open(data)
	if err != nil {
		return Stored{}, fmt.Errorf("stored picture: %w", err)
	}
	return Stored{u}, nil
}

// Side is the length of its longest side, in pixels.
func (s Stored) Side() int {
	size := s.upload.dimensions()
	return max(size.X, size.Y)
}

// Resize returns the picture with its longest side at most side pixels, encoded as if it had been uploaded so. The same picture gives the same
// bytes. Its errors are those of this package, the context's, or a fault of this program.
func (s Stored) Resize(ctx context.Context, side int) (Encoded, error) {
	return s.upload.within(ctx, side)
}
