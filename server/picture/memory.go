package picture

// resultBytes is the memory of a picture from when it is reduced until it is encoded, in bytes: the pixels in two positions, planes of
// colour, the encoder and its output.
const resultBytes = 24 << 20

// need is the most memory that a picture takes, in bytes, beside the upload. It follows from the header and the code of the decoders.
type need struct {
	decoding int // until it is decoded
	decoded  int // for the result, while it is read
}

// smallBytes is the memory for everything of a fixed size, such as tables and windows of decoders.
const smallBytes = 256 << 10

// total is the most at any time.
func (n need) total() int { return max(n.decoding, n.decoded+resultBytes) + smallBytes }
