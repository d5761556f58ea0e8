package picture

import "encoding/binary"

// orientationTag is the tag Orientation of TIFF 6.0 section 8, which EXIF (CIPA DC-008) took over.
const orientationTag = 0x0112

// orientation returns how the stored rows and columns of a picture are meant to be seen, by the TIFF structure of its EXIF metadata: 1 to 8,
// and 1 (as they are) where nothing readable says otherwise.
func orientation(tiff []byte) int {
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
