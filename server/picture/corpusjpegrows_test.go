package picture

import (
	"fmt"
	"image"
	"image/color"
	"strings"

	"avatard/storage"
)

// adobe makes the segment by which Adobe's programs tell the colour transform: 0 none, 1 YCbCr, 2 YCCK.
func adobe(transform byte) string {
	return segment(0xee, "Adobe\x00\x64\x00\x00\x00\x00"+string([]byte{transform}))
}

var jfif = segment(0xe0, "JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")

// progression is a usual script of progressive scans: spectral selection and successive approximation (T.81 section G.1.2).
func progression(components int) []jpegScan {
	var all []int
	for i := range components {
		all = append(all, i)
	}
	scans := []jpegScan{{all, 0, 0, 0, 1}}
	for i := range components {
		scans = append(scans, jpegScan{[]int{i}, 1, 5, 0, 2}, jpegScan{[]int{i}, 6, 63, 0, 2})
	}
	for i := range components {
		scans = append(scans, jpegScan{[]int{i}, 1, 63, 2, 1})
	}
	scans = append(scans, jpegScan{all, 0, 0, 1, 0})
	for i := range components {
		scans = append(scans, jpegScan{[]int{i}, 1, 63, 1, 0})
	}
	return scans
}

// separate is a script of one sequential scan for each component.
func separate(components int) []jpegScan {
	var scans []jpegScan
	for i := range components {
		scans = append(scans, jpegScan{components: []int{i}, to: 63})
	}
	return scans
}

// jpegSpecimens are all sampling factors that are met, in the three ways of coding, and the colour models.
func jpegSpecimens() []specimen {
	var all []specimen
	add := func(name string, j jpegPicture, q [4]color.NRGBA) {
		s := specimen{name: "JPEG " + name, data: j.encode(), size: j.size, quarters: q, format: storage.JPEG}
		if strings.Contains(name, "312111") {
			s.chromium = "other" // it shows nothing where a factor divides no other
		}
		all = append(all, s)
	}
	for _, sampling := range [][]byte{
		{0x11, 0x11, 0x11}, {0x21, 0x11, 0x11}, {0x12, 0x11, 0x11}, {0x22, 0x11, 0x11}, {0x41, 0x11, 0x11}, {0x42, 0x11, 0x11},
		// What Go's decoder does not take.
		{0x11, 0x22, 0x22}, {0x14, 0x11, 0x11}, {0x24, 0x11, 0x11}, {0x31, 0x11, 0x11}, {0x13, 0x11, 0x11}, {0x32, 0x11, 0x11},
		{0x22, 0x21, 0x11}, {0x22, 0x11, 0x12}, {0x11, 0x21, 0x21}, {0x11, 0x12, 0x12}, {0x12, 0x21, 0x11}, {0x21, 0x12, 0x12},
		{0x31, 0x21, 0x11},
	} {
		name := fmt.Sprintf("sampled %x", sampling)
		j := jpegOfColours(vivid, sampling...)
		add(name, j, vivid)
		j.sof, j.scans = 0xc2, progression(3)
		add(name+", progressive", j, vivid)
		j.sof, j.scans, j.size = 0xc1, separate(3), image.Pt(101, 67)
		add(name+", one scan each", j, vivid)
		j.sof, j.scans, j.restart = 0xc0, nil, 2
		add(name+", with restarts", j, vivid)
	}
	for _, sampling := range []byte{0x11, 0x22, 0x31} {
		j := jpegOfColours(greys, sampling)
		add(fmt.Sprintf("grey sampled %x", sampling), j, greys)
		j.sof, j.scans, j.size = 0xc2, progression(1), image.Pt(35, 27)
		add(fmt.Sprintf("grey sampled %x, progressive", sampling), j, greys)
	}
	for _, sampling := range [][]byte{{0x44, 0x11, 0x11}, {0x22, 0x22, 0x22}, {0x33, 0x11, 0x11}} { // too much for one scan
		j := jpegOfColours(vivid, sampling...)
		j.scans = separate(3)
		add(fmt.Sprintf("sampled %x, one scan each", sampling), j, vivid)
	}
	for _, sampling := range [][]byte{{0x11, 0x11, 0x11}, {0x22, 0x11, 0x11}, {0x31, 0x11, 0x11}} {
		j := jpegOfColours(vivid, sampling...)
		for i, c := range vivid {
			j.values[i] = []byte{c.R, c.G, c.B}
		}
		j.segments = adobe(0)
		add(fmt.Sprintf("RGB by Adobe's marker, sampled %x", sampling), j, vivid)
		j.segments, j.ids = "", []byte("RGB")
		add(fmt.Sprintf("RGB by its ids, sampled %x", sampling), j, vivid)
	}
	for _, sampling := range [][]byte{{0x11, 0x11, 0x11, 0x11}, {0x22, 0x11, 0x11, 0x22}, {0x21, 0x11, 0x11, 0x21}, {0x22, 0x11, 0x11, 0x11}} {
		j := jpegOfColours(vivid, sampling...)
		ink := jpegOfColours(vivid, sampling...)
		dark := vivid
		for i, c := range vivid { // the values are those of light, not of ink, in every file that is met
			black := []byte{255, 255, 255, 128}[i]
			ink.values[i] = []byte{c.R, c.G, c.B, black}
			y, cb, cr := color.RGBToYCbCr(255-c.R, 255-c.G, 255-c.B) // of YCCK three are inverted
			j.values[i] = []byte{y, cb, cr, black}
			if i == 3 {
				dark[i] = color.NRGBA{byte(int(c.R) * 128 / 255), byte(int(c.G) * 128 / 255), byte(int(c.B) * 128 / 255), 255}
			}
		}
		name := fmt.Sprintf("sampled %x", sampling)
		ink.segments = adobe(0)
		add("CMYK "+name, ink, dark)
		ink.segments = ""
		add("CMYK without Adobe's marker "+name, ink, dark)
		j.segments = adobe(2)
		add("YCCK "+name, j, dark)
		j.sof, j.scans = 0xc2, progression(4)
		add("YCCK progressive "+name, j, dark)
	}
	for _, size := range []image.Point{{1, 1}, {7, 5}, {3, 40}} {
		one := [4]color.NRGBA{blue, blue, blue, blue}
		for _, sampling := range [][]byte{{0x22, 0x11, 0x11}, {0x14, 0x11, 0x11}} {
			j := jpegOfColours(one, sampling...)
			j.size = size
			add(fmt.Sprintf("%d × %d sampled %x", size.X, size.Y, sampling), j, one)
		}
	}
	return all
}
