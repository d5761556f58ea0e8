package picture

import (
	"bytes"
	"compress/zlib"
	"io"
)

// profileFor parses the profile of a picture. A profile for grey does not fit a picture with colours.
func profileFor(data []byte, greyPicture bool) (colourSpace, bool) {
	space, grey, ok := parseProfile(data)
	return space, ok && (greyPicture || !grey)
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
