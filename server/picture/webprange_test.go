package picture

import (
	"encoding/base64"
	"image/color"
	"testing"
)

// flatWebP are lossy pictures of 16 × 16 pixels in one colour, with the colour that a decoder shows by the specification.
// The tests cannot write lossy WebP, so they are kept as they are.
var flatWebP = []struct {
	about string
	data  string // base64
	want  color.NRGBA
}{
	{"black", "UklGRiYAAABXRUJQVlA4IBoAAAAwAQCdASoQABAAAAAAJaQAA3AA/v/fbtQAAA==", color.NRGBA{0, 0, 0, 255}},
	{"white", "UklGRiYAAABXRUJQVlA4IBoAAAAwAQCdASoQABAAAAAAJaQAA3AA/v/e3PAAAA==", color.NRGBA{255, 255, 255, 255}},
	{"white, 64 × 64", "UklGRjgAAABXRUJQVlA4ICwAAABwAwCdASpAAEAAPjEYi0QiIaERBAAgAwS0gAAIG6moArxC3IAA/v5V0AAAAA==", color.NRGBA{255, 255, 255, 255}},
	{"grey", "UklGRiQAAABXRUJQVlA4IBgAAABQAQCdASoQABAAAAAAJaQABHQAAP7D4AA=", color.NRGBA{128, 128, 128, 255}},
	{"red", "UklGRkQAAABXRUJQVlA4IDgAAABQAgCdASoQABAAAAAAJaACdLoB+AH6AfwAB5AA/v9vVv/8sPx/Unn/yxD//xPTm8RU8r/+JkAAAA==", color.NRGBA{255, 0, 0, 255}},
	{"green", "UklGRkQAAABXRUJQVlA4IDgAAABQAgCdASoQABAAAAAAJaACdLoB+AH6AfwAB5AA/vsPi//ulCXJmm5/+6UP/+nqk2fJMZf/p3EAAA==", color.NRGBA{0, 255, 0, 255}},
	{"blue", "UklGRkIAAABXRUJQVlA4IDYAAAAQAgCdASoQABAAAAAAJaACdLoB+AH6AAPIAP7/2qUF//xPTm8RU8r/+J6f/w4+owoP/C/gAAA=", color.NRGBA{0, 0, 255, 255}},
	{"skin", "UklGRkAAAABXRUJQVlA4IDQAAAAQAgCdASoQABAAAAAAJaACdLoB+AH6AAPIAP7/QqV/+SD15PPz/yQj/9qVWVbK//aYgAAA", color.NRGBA{224, 172, 105, 255}},
	{"dark", "UklGRkAAAABXRUJQVlA4IDQAAADQAQCdASoQABAAAAAAJQBOl0A/AAB2AAD+/7wEv/8Ka+FNfCmv+FNf++BPvAn3gT/bYAAA", color.NRGBA{30, 60, 90, 255}},
	{"white, half transparent", "UklGRkoAAABXRUJQVlA4WAoAAAAQAAAADwAADwAAQUxQSAoAAAABB1DAiAhERP8DVlA4IBoAAAAwAQCdASoQABAAAAAAJaQAA3AA/v/e3PAAAA==", color.NRGBA{255, 255, 255, 128}},
	{"skin, transparent", "UklGRmQAAABXRUJQVlA4WAoAAAAQAAAADwAADwAAQUxQSAoAAAABB1DkiAhERP8DVlA4IDQAAAAQAgCdASoQABAAAAAAJaACdLoB+AH6AAPIAP7/QqV/+SD15PPz/yQj/9qVWVbK//aYgAAA", color.NRGBA{224, 172, 105, 200}},
	{"black, transparent", "UklGRkoAAABXRUJQVlA4WAoAAAAQAAAADwAADwAAQUxQSAoAAAABB1CtiAhERP8DVlA4IBoAAAAwAQCdASoQABAAAAAAJaQAA3AA/v/fbtQAAA==", color.NRGBA{0, 0, 0, 90}},
}

// Lossy WebP keeps its contrast: white stays white and black stays black.
func TestLossyWebPIsLimitedRange(t *testing.T) {
	for _, row := range flatWebP {
		data, err := base64.StdEncoding.DecodeString(row.data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := New(Config{}).Normalize(t.Context(), data)
		if err != nil {
			t.Errorf("%s: %v", row.about, err)
			continue
		}
		if c := decoded(t, got).At(8, 8); !near(c, row.want, 3) {
			t.Errorf("%s: stored as %v, want %v", row.about, c, row.want)
		}
	}
}

// Every luma and chroma that a decoder can return is mapped as BT.601 says, and stays a byte.
func TestStretched(t *testing.T) {
	for _, row := range []struct {
		in, luma, chroma int
	}{{0, 0, 0}, {16, 0, 1}, {17, 1, 2}, {128, 130, 128}, {129, 132, 129}, {235, 255, 250}, {240, 255, 255}, {255, 255, 255}} {
		if luma, chroma := stretched(row.in-16, 219, 0), stretched(row.in-128, 224, 128); int(luma) != row.luma || int(chroma) != row.chroma {
			t.Errorf("%d becomes luma %d and chroma %d, want %d and %d", row.in, luma, chroma, row.luma, row.chroma)
		}
	}
}
