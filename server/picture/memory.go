package picture

// resultBytes are what a picture takes from when it is reduced until it is encoded: the pixels in two positions, planes of colour, the
// encoder and what it writes.
const resultBytes = 24 << 20

// need is what a picture takes at most, in bytes, beside the upload. It follows from the header and from what the decoders make.
type need struct {
	decoding int // until it is decoded
	decoded  int // for what came of it
}

// smallBytes are tables and windows of decoders, and what else has a fixed size.
const smallBytes = 256 << 10

// total is the most at any time.
func (n need) total() int { return max(n.decoding, n.decoded+resultBytes) + smallBytes }
