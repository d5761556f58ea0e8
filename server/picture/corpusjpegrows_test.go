package picture

import (
	"fmt"
	"image"
	"image/color"
	"strings"

	"example.org/avatard/storage"
)

// adobe makes the segment in which Adobe's programs name the colour transform: 0 none, 1 YCbCr, 2 YCCK.
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

// jpegSpecimens are all sampling factors that programs write, in the three ways of coding, and the colour models.
func jpegSpecimens() []specimen {
	c := &jpegs{collection{base: specimen{name: "JPEG ", format: storage.JPEG}}}
	addSampledJPEGs(c)
	addGreyJPEGs(c)
	addRGBJPEGs(c)
	for _, sampling := range [][]byte{{0x11, 0x11, 0x11, 0x11}, {0x22, 0x11, 0x11, 0x22}, {0x21, 0x11, 0x11, 0x21}, {0x22, 0x11, 0x11, 0x11}} {
		addInkJPEGs(c, sampling)
	}
	one := [4]color.NRGBA{blue, blue, blue, blue}
	for _, size := range []image.Point{{1, 1}, {7, 5}, {3, 40}} {
		for _, sampling := range [][]byte{{0x22, 0x11, 0x11}, {0x14, 0x11, 0x11}} {
			j := jpegOfColours(one, sampling...)
			j.size = size
			c.add(fmt.Sprintf("%d × %d sampled %x", size.X, size.Y, sampling), j, one)
		}
	}
	return c.all
}

// jpegs gathers JPEGs.
type jpegs struct{ collection }

func (c *jpegs) add(name string, j jpegPicture, q [4]color.NRGBA) {
	c.collection.add(name, j.encode(), func(s *specimen) {
		s.size, s.quarters = j.size, q
		if strings.Contains(name, "312111") {
			s.chromium = "other" // it shows nothing where a factor does not divide any other
		}
	})
}

// jpegSamplings are the sampling factors of three components that programs write.
var jpegSamplings = [][]byte{
	{0x11, 0x11, 0x11}, {0x21, 0x11, 0x11}, {0x12, 0x11, 0x11}, {0x22, 0x11, 0x11}, {0x41, 0x11, 0x11}, {0x42, 0x11, 0x11},
	// Go's decoder does not take those below.
	{0x11, 0x22, 0x22}, {0x14, 0x11, 0x11}, {0x24, 0x11, 0x11}, {0x31, 0x11, 0x11}, {0x13, 0x11, 0x11}, {0x32, 0x11, 0x11},
	{0x22, 0x21, 0x11}, {0x22, 0x11, 0x12}, {0x11, 0x21, 0x21}, {0x11, 0x12, 0x12}, {0x12, 0x21, 0x11}, {0x21, 0x12, 0x12},
	{0x31, 0x21, 0x11},
}

// addSampledJPEGs adds pictures in YCbCr, in every way of coding.
func addSampledJPEGs(c *jpegs) {
	for _, sampling := range jpegSamplings {
		name := fmt.Sprintf("sampled %x", sampling)
		j := jpegOfColours(vivid, sampling...)
		c.add(name, j, vivid)
		j.sof, j.scans = 0xc2, progression(3)
		c.add(name+", progressive", j, vivid)
		j.sof, j.scans, j.size = 0xc1, separate(3), image.Pt(101, 67)
		c.add(name+", one scan each", j, vivid)
		j.sof, j.scans, j.restart = 0xc0, nil, 2
		c.add(name+", with restarts", j, vivid)
	}
	for _, sampling := range [][]byte{{0x44, 0x11, 0x11}, {0x22, 0x22, 0x22}, {0x33, 0x11, 0x11}} { // too much for one scan
		j := jpegOfColours(vivid, sampling...)
		j.scans = separate(3)
		c.add(fmt.Sprintf("sampled %x, one scan each", sampling), j, vivid)
	}
}

// addGreyJPEGs adds pictures of one component, whose sampling factors mean nothing.
func addGreyJPEGs(c *jpegs) {
	for _, sampling := range []byte{0x11, 0x22, 0x31} {
		j := jpegOfColours(greys, sampling)
		c.add(fmt.Sprintf("grey sampled %x", sampling), j, greys)
		j.sof, j.scans, j.size = 0xc2, progression(1), image.Pt(35, 27)
		c.add(fmt.Sprintf("grey sampled %x, progressive", sampling), j, greys)
	}
}

// addRGBJPEGs adds pictures whose components are red, green and blue. There are two ways to say so.
func addRGBJPEGs(c *jpegs) {
	for _, sampling := range [][]byte{{0x11, 0x11, 0x11}, {0x22, 0x11, 0x11}, {0x31, 0x11, 0x11}} {
		j := jpegOfColours(vivid, sampling...)
		for i, v := range vivid {
			j.values[i] = []byte{v.R, v.G, v.B}
		}
		j.segments = adobe(0)
		c.add(fmt.Sprintf("RGB by Adobe's marker, sampled %x", sampling), j, vivid)
		j.segments, j.ids = "", []byte("RGB")
		c.add(fmt.Sprintf("RGB by its ids, sampled %x", sampling), j, vivid)
	}
}

// addInkJPEGs adds pictures of four inks. Their values are those of light, not of ink, in every file that programs write.
func addInkJPEGs(c *jpegs, sampling []byte) {
	ycck := jpegOfColours(vivid, sampling...)
	cmyk := jpegOfColours(vivid, sampling...)
	dark := vivid
	for i, v := range vivid {
		black := []byte{255, 255, 255, 128}[i]
		cmyk.values[i] = []byte{v.R, v.G, v.B, black}
		y, cb, cr := color.RGBToYCbCr(255-v.R, 255-v.G, 255-v.B) // of YCCK three are inverted
		ycck.values[i] = []byte{y, cb, cr, black}
		if i == 3 {
			dark[i] = color.NRGBA{byte(int(v.R) * 128 / 255), byte(int(v.G) * 128 / 255), byte(int(v.B) * 128 / 255), 255}
		}
	}
	name := fmt.Sprintf("sampled %x", sampling)
	cmyk.segments = adobe(0)
	c.add("CMYK "+name, cmyk, dark)
	cmyk.segments = ""
	c.add("CMYK without Adobe's marker "+name, cmyk, dark)
	ycck.segments = adobe(2)
	c.add("YCCK "+name, ycck, dark)
	ycck.sof, ycck.scans = 0xc2, progression(4)
	c.add("YCCK progressive "+name, ycck, dark)
}
