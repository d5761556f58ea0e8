package picturetest

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
)

// InPNG returns a PNG with a chunk more, behind IHDR. The one given must be whole.
func InPNG(png []byte, name string, body []byte) []byte {
	const behind = 8 + 25 // signature, IHDR
	out := bytes.Clone(png[:behind])
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
	out = append(append(out, name...), body...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[behind+4:]))
	return append(out, png[behind:]...)
}

// ICCP is the content of a PNG chunk iCCP: PNG specification, third edition, section 11.3.2.3.
func ICCP(profile []byte) []byte {
	var body bytes.Buffer
	body.WriteString("test\x00\x00") // name and compression method
	z := zlib.NewWriter(&body)
	_, _ = z.Write(profile) // into memory
	_ = z.Close()
	return body.Bytes()
}

// GAMA is the content of a PNG chunk gAMA for pixels that are light to the power of gamma, such as 1/2.2.
func GAMA(gamma float64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(gamma*100000+0.5)) }

// CHRM is the content of a PNG chunk cHRM.
func CHRM(p Primaries) []byte {
	var body []byte
	for _, c := range [][2]float64{p.White, p.Red, p.Green, p.Blue} {
		for _, v := range c {
			body = binary.BigEndian.AppendUint32(body, uint32(v*100000+0.5))
		}
	}
	return body
}

// CICP is the content of a PNG chunk cICP, in full range: numbers of ITU-T H.273.
func CICP(primaries, transfer byte) []byte { return []byte{primaries, transfer, 0, 1} }

// InJPEG returns a JPEG with a profile behind SOI, in segments of at most so many bytes of it: ICC.1:2022 annex B.4.
func InJPEG(jpeg, profile []byte, segmentBytes int) []byte {
	out := bytes.Clone(jpeg[:2])
	count := (len(profile) + segmentBytes - 1) / segmentBytes
	for i := range count {
		part := profile[i*segmentBytes : min(len(profile), (i+1)*segmentBytes)]
		out = append(out, 0xff, 0xe2)
		out = binary.BigEndian.AppendUint16(out, uint16(2+12+2+len(part)))
		out = append(append(out, "ICC_PROFILE\x00"...), byte(i+1), byte(count))
		out = append(out, part...)
	}
	return append(out, jpeg[2:]...)
}

// InWebP returns a WebP with a profile: RFC 9649 section 2.7.1.4. The size is that of the picture, the file may be a
// simple or an extended one.
func InWebP(webp, profile []byte, width, height int) []byte {
	const riff, chunk, extended = 12, 8, 10 // bytes of the headers, and of the content of VP8X
	body := webp[riff:]
	head := append([]byte("VP8X"), extended, 0, 0, 0)
	if string(body[:4]) == "VP8X" {
		head = append(head, body[chunk:chunk+extended]...)
		body = body[chunk+extended:]
	} else {
		size := func(n int) []byte { return []byte{byte(n - 1), byte((n - 1) >> 8), byte((n - 1) >> 16)} }
		head = append(append(append(head, 0, 0, 0, 0), size(width)...), size(height)...)
	}
	const profileFlag = 1 << 5
	head[chunk] |= profileFlag
	out := append([]byte("RIFF\x00\x00\x00\x00WEBP"), head...)
	out = append(out, "ICCP"...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(profile)))
	out = append(out, profile...)
	if len(profile)%2 != 0 {
		out = append(out, 0)
	}
	out = append(out, body...)
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}
