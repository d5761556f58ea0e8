package picture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"strings"

	"avatard/storage"
)

// jpegOddSpecimens are JPEGs with what cameras, editors and transfers do to them.
func jpegOddSpecimens() []specimen {
	var all []specimen
	add := func(name string, data []byte, change ...func(*specimen)) {
		s := specimen{name: "JPEG " + name, data: data, size: image.Pt(96, 64), quarters: vivid, format: storage.JPEG}
		for _, c := range change {
			c(&s)
		}
		all = append(all, s)
	}
	refused := func(says string) func(*specimen) { return func(s *specimen) { s.refused = says } }
	chromium := func(does string) func(*specimen) { return func(s *specimen) { s.chromium = does } }
	plain := jpegOfColours(vivid, 0x22, 0x11, 0x11)
	with := func(change func(*jpegPicture)) []byte {
		j := plain
		change(&j)
		return j.encode()
	}
	progressive := func(j *jpegPicture) { j.sof, j.scans = 0xc2, progression(3) }
	odd := jpegOfColours(vivid, 0x14, 0x11, 0x11).encode()
	whole := plain.encode()
	noEnd := whole[:len(whole)-2]

	// Chromium leaves out the last rows of what does not end; other browsers do not.
	add("without EOI", noEnd, chromium("other"))
	add("with half of EOI", whole[:len(whole)-1], chromium("other"))
	add("progressive without EOI", cut(with(progressive), 2))
	add("of rare sampling without EOI", cut(odd, 2), chromium("other"))
	add("cut in its pixels", whole[:len(whole)*3/4], refused("incomplete"), chromium("blank"))
	add("of rare sampling cut in its pixels", odd[:len(odd)*3/4], refused("incomplete"), chromium("blank"))
	add("with bytes behind it", append(bytes.Clone(whole), strings.Repeat("trailing", 99)...))
	add("with a second picture behind it", append(with(func(j *jpegPicture) {
		j.segments = segment(0xe2, "MPF\x00II*\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	}), jpegOfColours(greys, 0x11).encode()...))
	add("with bytes between scan and EOI", append(bytes.Clone(noEnd), "\x00\x12\xff\x00\x34\xff\xd9"...))
	add("with a restart marker at its end", append(bytes.Clone(noEnd), "\xff\xd0\xff\xd9"...))
	add("with fill bytes", with(func(j *jpegPicture) { j.marker = "\xff\xff" }))
	add("with bytes between segments", with(func(j *jpegPicture) { j.segments, j.marker = jfif, "\x00\x01" }))
	add("of rare sampling with fill bytes", func() []byte {
		j := jpegOfColours(vivid, 0x14, 0x11, 0x11)
		j.marker = "\xff\xff"
		return j.encode()
	}())
	add("with a thumbnail", with(func(j *jpegPicture) {
		j.segments = segment(0xe1, "Exif\x00\x00"+exif(binary.BigEndian, 1)+string(jpegOfColours(greys, 0x11).encode()))
	}))
	add("with JFIF and comments", with(func(j *jpegPicture) { j.segments = jfif + segment(0xfe, "made by a test") }))
	add("with JFIF and Adobe's marker", with(func(j *jpegPicture) { j.segments = jfif + adobe(1) }))
	add("with restarts, progressive", with(func(j *jpegPicture) { progressive(j); j.restart = 3 }))
	add("with many restarts", with(func(j *jpegPicture) { j.restart = 1 }))
	add("whose scan tells its height", with(func(j *jpegPicture) { j.lines = true }), refused("height"), chromium("hidden"))
	// DNL behind a scan, though the header tells the height.
	add("whose scan tells its height too", bytes.Replace(whole, []byte("\xff\xd9"), []byte("\xff\xdc\x00\x04\x00\x40\xff\xd9"), 1))
	add("with a comment of no length", with(func(j *jpegPicture) { j.segments = jfif + "\xff\xfe\x00\x00" }))
	add("whose components have one name", with(func(j *jpegPicture) { j.ids = []byte{1, 1, 1} }))
	add("without a scan of a colour", with(func(j *jpegPicture) { j.scans = separate(3)[:2] }), refused("incomplete"))
	add("progressive without its first scan", with(func(j *jpegPicture) { progressive(j); j.scans = j.scans[1:] }), refused("incomplete"))
	add("without Huffman tables", withoutTables())
	for orientation := 1; orientation <= 8; orientation++ {
		size := image.Pt(96, 64)
		if orientation >= 5 {
			size = image.Pt(64, 96)
		}
		for _, sampling := range []byte{0x22, 0x14} {
			j := jpegOfColours(vivid, sampling, 0x11, 0x11)
			j.segments = segment(0xe1, "Exif\x00\x00"+exif(binary.LittleEndian, orientation))
			add(fmt.Sprintf("sampled %x of orientation %d", sampling, orientation), j.encode(), func(s *specimen) {
				s.size, s.quarters = size, turned(vivid, orientation)
			})
		}
	}
	for sof, name := range []string{0xc3: "lossless", 0xc5: "hierarchical", 0xc9: "with arithmetic coding", 0xca: "progressive with arithmetic coding", 0xcb: "lossless with arithmetic coding"} {
		if name == "" {
			continue
		}
		does := "hidden"
		switch sof { // some builds of Chromium try, others and other browsers do not
		case 0xc9:
			does = ""
		case 0xca:
			does = "blank"
		}
		add(name, with(func(j *jpegPicture) { j.sof = byte(sof) }), refused(name), chromium(does))
	}
	twelve := bytes.Replace(with(func(j *jpegPicture) { j.sof = 0xc1 }), []byte("\xff\xc1\x00\x11\x08"), []byte("\xff\xc1\x00\x11\x0c"), 1)
	add("of 12 bits", twelve, refused("8 bits"), chromium("hidden"))
	two := jpegOfColours(vivid, 0x11, 0x11)
	for i := range two.values {
		two.values[i] = two.values[i][:2]
	}
	add("of two components", two.encode(), refused("components"), chromium("hidden"))
	return all
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
