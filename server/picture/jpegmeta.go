package picture

import (
	"bytes"
	"iter"
)

// jpegSegments yields marker and content of the segments before the first scan: ITU-T T.81 section B.1.1.4.
func jpegSegments(data []byte) iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		for w := (jpegWalker{rest: data[2:]}); w.next() && w.kind != jpegSOS && yield(w.kind, w.body); {
			continue
		}
	}
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

// jpegProfile returns how many components a JPEG has, and its ICC profile, nil if there is none or a part of it is missing.
// It comes in numbered segments, in any order: ICC.1:2022 annex B.4.
func jpegProfile(data []byte) (components int, profile []byte) {
	const app2 = 0xe2
	var parts [256][]byte // from 1
	count, size := 0, 0
	for marker, body := range jpegSegments(data) {
		if isFrame(marker) && len(body) > 5 {
			components = int(body[5])
		}
		part, ok := bytes.CutPrefix(body, []byte("ICC_PROFILE\x00"))
		if marker != app2 || !ok || len(part) < 2 {
			continue
		}
		number, of := part[0], int(part[1])
		if count == 0 {
			count = of
		}
		if of != count || parts[number] != nil || size > maxProfileBytes {
			return components, nil
		}
		parts[number] = part[2:]
		size += len(part) - 2
	}
	for _, part := range parts[1:][:count] {
		if part == nil {
			return components, nil
		}
		profile = append(profile, part...)
	}
	return components, profile
}

// isFrame reports whether a marker begins a frame header: ITU-T T.81 table B.1.
func isFrame(marker byte) bool {
	const sof0, dht, jpg, dac, sof15 = 0xc0, 0xc4, 0xc8, 0xcc, 0xcf
	return marker >= sof0 && marker <= sof15 && marker != dht && marker != jpg && marker != dac
}
