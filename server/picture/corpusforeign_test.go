package picture

import (
	"encoding/binary"
	"strings"
)

// foreignSpecimens are formats that are not taken. The message names those that are.
func foreignSpecimens() []specimen {
	var all []specimen
	add := func(name, data, chromium string) {
		all = append(all, specimen{name: name, data: []byte(data), refused: "accepted are PNG, JPEG, GIF and WebP", chromium: chromium})
	}
	short := binary.LittleEndian.AppendUint16
	bmp := []byte("BM\x3a\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x18\x00")
	bmp = append(bmp, make([]byte, 24)...)
	add("BMP", string(bmp)+"\x10\x20\x30\x00", "")
	icon := short(short(short(nil, 0), 1), 1)
	icon = append(icon, "\x01\x01\x00\x00\x01\x00\x18\x00\x30\x00\x00\x00\x16\x00\x00\x00"...)
	icon = append(icon, "\x28\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x01\x00\x18\x00"...)
	add("ICO", string(icon)+strings.Repeat("\x00", 24)+"\x10\x20\x30\x00\x00\x00\x00\x00", "")
	add("SVG", `<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8" fill="red"/></svg>`, "")
	add("TIFF", "II*\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00", "hidden")
	for _, brand := range []string{"avif", "avis", "heic", "mif1"} {
		add("ISO media of brand "+brand, "\x00\x00\x00\x18ftyp"+brand+"\x00\x00\x00\x00"+brand+"mif1", "hidden")
	}
	add("JPEG XL", "\xff\x0a\x00\x00", "hidden")
	add("JPEG 2000", "\x00\x00\x00\x0cjP  \x0d\x0a\x87\x0a", "hidden")
	add("PDF", "%PDF-1.7\n", "hidden")
	add("HTML", "<!doctype html><img src=x>", "hidden")
	add("Photoshop", "8BPS\x00\x01", "hidden")
	add("MNG", "\x8aMNG\r\n\x1a\n", "hidden")
	add("nothing", "", "hidden")
	return all
}
