package picture

import (
	"bytes"
	"compress/zlib"
	"io"
	"iter"
)

// colours returns what makes sRGB of the decoded pixels; nil where they are sRGB already, or nothing that is understood
// says otherwise. Like browsers it does not mind broken profiles. A picture of four inks is converted by the plain formula
// for want of a profile that would be understood.
func (s source) colours() *colours {
	var space colourSpace
	var grey, deep, ok bool
	switch s.kind {
	case kindPNG:
		grey, deep = pngGrey(s.data), pngDeep(s.data)
		space, ok = pngColours(s.data, grey)
	case kindJPEG:
		var components int
		var data []byte
		components, data = jpegProfile(s.data)
		grey = components == 1
		space, ok = profileFor(data, grey)
		ok = ok && components <= 3
	case kindWebP:
		space, ok = profileFor(webpProfile(s.data), false)
	}
	if !ok {
		return nil
	}
	return newColours(space, grey, deep)
}

// profileFor parses the profile of a picture. A profile for grey does not fit one with colours.
func profileFor(data []byte, greyPicture bool) (colourSpace, bool) {
	space, grey, ok := parseProfile(data)
	return space, ok && (greyPicture || !grey)
}

// jpegSegments yields marker and content of the segments before the first scan: ITU-T T.81 section B.1.1.4.
func jpegSegments(data []byte) iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		for w := (jpegWalker{rest: data[2:]}); w.next() && w.kind != jpegSOS && yield(w.kind, w.body); {
			continue
		}
	}
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

// webpProfile returns the content of the chunk ICCP, nil if there is none or the header does not announce it.
func webpProfile(data []byte) []byte {
	const profileFlag = 1 << 5
	chunks := data[riffHeaderBytes:]
	if head, _ := webpChunk(chunks, "VP8X"); len(head) == 0 || head[0]&profileFlag == 0 {
		return nil
	}
	profile, _ := webpChunk(chunks, "ICCP")
	return profile
}

// pngProfile returns the profile in the content of a chunk iCCP, nil if it is broken or too long: PNG specification,
// third edition, section 11.3.2.3.
func pngProfile(chunk []byte) []byte {
	_, rest, ok := bytes.Cut(chunk, []byte{0}) // behind the name
	if !ok || len(rest) < 1 || rest[0] != 0 {  // compression method
		return nil
	}
	z, err := zlib.NewReader(bytes.NewReader(rest[1:]))
	if err != nil {
		return nil
	}
	profile, err := io.ReadAll(io.LimitReader(z, maxProfileBytes+1))
	if err != nil {
		return nil
	}
	return profile // one that is too long is refused when it is read
}
