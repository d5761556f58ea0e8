package picture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"strings"

	"example.org/avatard/storage"
)

// jpegOddSpecimens are JPEGs with what cameras, editors and transfers do to them.
func jpegOddSpecimens() []specimen {
	c := &collection{base: specimen{name: "JPEG ", size: image.Pt(96, 64), quarters: vivid, format: storage.JPEG}}
	addJPEGEnds(c)
	addJPEGSegments(c)
	addOddScans(c)
	for _, sampling := range []byte{0x22, 0x14} {
		c.addOrientations(fmt.Sprintf("sampled %x ", sampling), func(orientation int) []byte {
			j := jpegOfColours(vivid, sampling, 0x11, 0x11)
			j.segments = segment(0xe1, "Exif\x00\x00"+exif(binary.LittleEndian, orientation))
			return j.encode()
		})
	}
	addForeignJPEGs(c)
	return c.all
}

// plainJPEG returns a JPEG of the usual quarters with changes.
func plainJPEG(changes ...func(*jpegPicture)) []byte {
	j := jpegOfColours(vivid, 0x22, 0x11, 0x11)
	for _, change := range changes {
		change(&j)
	}
	return j.encode()
}

func progressive(j *jpegPicture) { j.sof, j.scans = 0xc2, progression(3) }

// addJPEGEnds adds pictures whose end is missing, or followed by something. Without an end Chromium leaves out the last rows; other
// browsers do not.
func addJPEGEnds(c *collection) {
	odd := jpegOfColours(vivid, 0x14, 0x11, 0x11).encode()
	whole := plainJPEG()
	noEnd := whole[:len(whole)-2]
	c.add("without EOI", noEnd, chromium("other"))
	c.add("with half of EOI", whole[:len(whole)-1], chromium("other"))
	c.add("progressive without EOI", cut(plainJPEG(progressive), 2))
	c.add("of rare sampling without EOI", cut(odd, 2), chromium("other"))
	c.add("cut in its pixels", whole[:len(whole)*3/4], refused("incomplete"), chromium("blank"))
	c.add("of rare sampling cut in its pixels", odd[:len(odd)*3/4], refused("incomplete"), chromium("blank"))
	c.add("with bytes behind it", append(bytes.Clone(whole), strings.Repeat("trailing", 99)...))
	c.add("with a second picture behind it", append(plainJPEG(func(j *jpegPicture) {
		j.segments = segment(0xe2, "MPF\x00II*\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	}), jpegOfColours(greys, 0x11).encode()...))
	c.add("with bytes between scan and EOI", append(bytes.Clone(noEnd), "\x00\x12\xff\x00\x34\xff\xd9"...))
	c.add("with a restart marker at its end", append(bytes.Clone(noEnd), "\xff\xd0\xff\xd9"...))
}

// addJPEGSegments adds pictures with fill bytes, metadata and comments.
func addJPEGSegments(c *collection) {
	c.add("with fill bytes", plainJPEG(func(j *jpegPicture) { j.marker = "\xff\xff" }))
	c.add("with bytes between segments", plainJPEG(func(j *jpegPicture) { j.segments, j.marker = jfif, "\x00\x01" }))
	rare := jpegOfColours(vivid, 0x14, 0x11, 0x11)
	rare.marker = "\xff\xff"
	c.add("of rare sampling with fill bytes", rare.encode())
	c.add("with a thumbnail", plainJPEG(func(j *jpegPicture) {
		j.segments = segment(0xe1, "Exif\x00\x00"+exif(binary.BigEndian, 1)+string(jpegOfColours(greys, 0x11).encode()))
	}))
	c.add("with JFIF and comments", plainJPEG(func(j *jpegPicture) { j.segments = jfif + segment(0xfe, "made by a test") }))
	c.add("with JFIF and Adobe's marker", plainJPEG(func(j *jpegPicture) { j.segments = jfif + adobe(1) }))
	c.add("with a comment of no length", plainJPEG(func(j *jpegPicture) { j.segments = jfif + "\xff\xfe\x00\x00" }))
	c.add("without Huffman tables", withoutTables())
}

// addOddScans adds pictures with restarts, with missing scans, and with heights and components named in unusual ways.
func addOddScans(c *collection) {
	c.add("with restarts, progressive", plainJPEG(progressive, func(j *jpegPicture) { j.restart = 3 }))
	c.add("with many restarts", plainJPEG(func(j *jpegPicture) { j.restart = 1 }))
	c.add("whose scan tells its height", plainJPEG(func(j *jpegPicture) { j.lines = true }), refused("height"), chromium("hidden"))
	// DNL behind a scan, though the header tells the height.
	c.add("whose scan tells its height too", bytes.Replace(plainJPEG(), []byte("\xff\xd9"), []byte("\xff\xdc\x00\x04\x00\x40\xff\xd9"), 1))
	c.add("whose components have one name", plainJPEG(func(j *jpegPicture) { j.ids = []byte{1, 1, 1} }))
	c.add("without a scan of a colour", plainJPEG(func(j *jpegPicture) { j.scans = separate(3)[:2] }), refused("incomplete"))
	c.add("progressive without its first scan", plainJPEG(progressive, func(j *jpegPicture) { j.scans = j.scans[1:] }), refused("incomplete"))
}

// addForeignJPEGs adds kinds of JPEG that browsers do not show. Some builds of Chromium decode arithmetic coding, others and other
// browsers do not.
func addForeignJPEGs(c *collection) {
	for _, kind := range []struct {
		sof      byte
		name     string
		chromium string
	}{
		{0xc3, "lossless", "hidden"},
		{0xc5, "hierarchical", "hidden"},
		{0xc9, "with arithmetic coding", ""},
		{0xca, "progressive with arithmetic coding", "blank"},
		{0xcb, "lossless with arithmetic coding", "hidden"},
	} {
		c.add(kind.name, plainJPEG(func(j *jpegPicture) { j.sof = kind.sof }), refused(kind.name), chromium(kind.chromium))
	}
	twelve := bytes.Replace(plainJPEG(func(j *jpegPicture) { j.sof = 0xc1 }), []byte("\xff\xc1\x00\x11\x08"), []byte("\xff\xc1\x00\x11\x0c"), 1)
	c.add("of 12 bits", twelve, refused("8 bits"), chromium("hidden"))
	two := jpegOfColours(vivid, 0x11, 0x11)
	for i := range two.values {
		two.values[i] = two.values[i][:2]
	}
	c.add("of two components", two.encode(), refused("components"), chromium("hidden"))
}

// withoutTables returns a frame of Motion JPEG: the Huffman tables are the usual ones, and not in it.
func withoutTables() []byte {
	img := image.NewRGBA(image.Rect(0, 0, 96, 64))
	for y := range 64 {
		for x := range 96 {
			img.Set(x, y, vivid[quarter(x, y, img.Rect.Max)])
		}
	}
	var buf bytes.Buffer
	_ = jpeg.Encode(&buf, img, &jpeg.Options{Quality: 95}) // into memory
	tables := usualTables()
	return bytes.Replace(buf.Bytes(), tables, nil, 1)
}

// cut leaves the last bytes out.
func cut(data []byte, n int) []byte { return data[:len(data)-n] }
