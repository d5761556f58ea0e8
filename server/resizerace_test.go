package server

import (
	"context"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Uploads and deletes of one user take turns while others read the picture in several sizes. Once a delete is answered, no read that begins
// gets a byte of that picture, in whatever size.
func TestSizesAndDeletesOfOneUser(t *testing.T) {
	const pictures = 10
	f := start(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var gone atomic.Int64 // number of the newest picture whose delete was answered
	seen := make(chan struct{})
	var readers sync.WaitGroup
	for _, query := range []string{"", "?size=16", "?size=16", "?size=32", "?size=512"} {
		readers.Go(func() {
			for ctx.Err() == nil {
				before := gone.Load()
				number, ok := f.readNumber(ctx, t, publicBob+query)
				if ok && number <= before {
					t.Errorf("%q: picture %d, and the delete of picture %d had been answered before the read began", query, number, before)
					stop()
				}
				if ok {
					select {
					case seen <- struct{}{}:
					default:
					}
				}
			}
		})
	}
	for i := range pictures {
		number := int64(i + 1)
		f.giveBob(t, plainPNG(t, 128, 128, color.NRGBA{R: byte(number), A: 255}))
		for range 5 {
			select {
			case <-seen:
			case <-ctx.Done():
			}
		}
		if res, body := f.do(t, http.MethodDelete, managedBob, nil, bearer("admin-token-1")...); res.StatusCode != http.StatusOK {
			t.Errorf("delete: %d %s", res.StatusCode, body)
			break
		}
		gone.Store(number)
	}
	stop()
	readers.Wait()
	if st := f.server.renditions.stats(); st.Hits == 0 || st.Misses == 0 {
		t.Errorf("%+v: want reads from memory and others", st)
	}
}

// readNumber reads a picture of one colour and returns its number; ok is false when there is none.
func (f *fixture) readNumber(ctx context.Context, t *testing.T, path string) (number int64, ok bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+path, nil)
	if err != nil {
		t.Error(err)
		return 0, false
	}
	res, err := f.http1.Do(req)
	if err != nil {
		return 0, false // the test has ended
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode == http.StatusNotFound {
		return 0, false
	}
	img, err := png.Decode(strings.NewReader(string(data)))
	if res.StatusCode != http.StatusOK || err != nil {
		t.Errorf("%s: %d, %v", path, res.StatusCode, err)
		return 0, false
	}
	return int64(color.NRGBAModel.Convert(img.At(0, 0)).(color.NRGBA).R), true
}
