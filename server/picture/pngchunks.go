package picture

import (
	"encoding/binary"
	"slices"
)

// pngChunk returns the content of the first chunk of a type, nil if there is none.
func pngChunk(data []byte, name string) []byte { return pngChunkBefore(data, name, "IEND") }

// pngChunkBefore does not look beyond the first chunk of one of the types in ends.
func pngChunkBefore(data []byte, name string, ends ...string) []byte {
	rest := data[len(pngSignature):]
	for len(rest) >= 12 {
		size := uint64(binary.BigEndian.Uint32(rest))
		if uint64(len(rest)) < 12+size {
			return nil
		}
		kind := string(rest[4:8])
		if kind == name {
			return rest[8 : 8+size]
		}
		if slices.Contains(ends, kind) {
			return nil
		}
		rest = rest[12+size:]
	}
	return nil
}
