package picture

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// orientationTag is the tag Orientation of TIFF 6.0 section 8, which EXIF (CIPA DC-008) took over.
const orientationTag = 0x0112

// orientation returns how the stored rows and columns of the picture are meant to be seen: 1 to 8 by EXIF, 1 (as
// they are) where nothing readable says otherwise. It never fails: broken metadata is no reason to refuse pixels.
func (s source) orientation() int {
	var exif []byte
	switch s.kind {
	case kindPNG:
		exif = pngChunk(s.data, "eXIf")
	case kindJPEG:
		exif = jpegEXIF(s.data)
	case kindWebP:
		exif = webpEXIF(s.data)
	}
	return tiffOrientation(exif)
}

// jpegEXIF returns the TIFF part of the first EXIF segment before the first scan, nil if there is none.
func jpegEXIF(data []byte) []byte {
	const app1 = 0xe1
	for marker, body := range jpegSegments(data) {
		if exif, ok := bytes.CutPrefix(body, []byte("Exif\x00\x00")); ok && marker == app1 {
			return exif
		}
	}
	return nil
}

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

// tiffOrientation looks the orientation up in the first directory of a TIFF structure.
func tiffOrientation(tiff []byte) int {
	const upright, short = 1, 3
	if len(tiff) < 8 {
		return upright
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return upright
	}
	start := uint64(order.Uint32(tiff[4:]))
	if start+2 > uint64(len(tiff)) {
		return upright
	}
	entries := tiff[start+2:]
	for range order.Uint16(tiff[start:]) {
		if len(entries) < 12 {
			return upright
		}
		if order.Uint16(entries) == orientationTag {
			value := int(order.Uint16(entries[8:]))
			if order.Uint16(entries[2:]) != short || order.Uint32(entries[4:]) != 1 || value < 1 || value > 8 {
				return upright
			}
			return value
		}
		entries = entries[12:]
	}
	return upright
}
