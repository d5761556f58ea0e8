package server

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// split sends a header block in frames of the announced size (RFC 9113 section 4.3).
func (c *frameClient) split(stream uint32, block []byte, end bool) error {
	const size = 16 << 10
	first := block[:min(size, len(block))]
	block = block[len(first):]
	err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndStream: true, EndHeaders: end && len(block) == 0})
	for err == nil && len(block) > 0 {
		next := block[:min(size, len(block))]
		block = block[len(next):]
		err = c.WriteContinuation(stream, end && len(block) == 0, next)
	}
	return err
}

// fieldsOf returns header fields that count for about size bytes in the list, 32 of each for the field as such.
func fieldsOf(size, each int) []string {
	var fields []string
	for i := 0; size > 0; i++ {
		name := "x-filler-" + strconv.Itoa(100+i)
		fields = append(fields, name, strings.Repeat("~", min(each, size)-len(name)-32))
		size -= each
	}
	return fields
}

func TestHeaderListLimit(t *testing.T) {
	const (
		ours  = 175            // the size of :method, :scheme, :path and :authority in the list
		limit = 64<<10 + 10*32 // as announced
	)
	rows := []struct {
		title  string
		fields []string
		status string        // of the answer, "" = none
		away   http2.ErrCode // of a GOAWAY
	}{
		{"a token of 48 KiB", []string{"authorization", "Bearer " + strings.Repeat("~", 48<<10)}, "204", 0},
		{"just under 64 KiB, in many fields", fieldsOf(64<<10-ours-1, 1<<10), "204", 0},
		{"the longest", fieldsOf(limit-ours, 1<<10), "204", 0},
		{"a byte more", fieldsOf(limit-ours+1, 1<<10), "431", 0},
		{"over it in one field", []string{"authorization", "Bearer " + strings.Repeat("~", 65<<10)}, "", http2.ErrCodeCompression},
		{"far over it", fieldsOf(200<<10, 1<<10), "", http2.ErrCodeProtocol},
	}
	for _, row := range rows {
		for _, secure := range []bool{false, true} {
			t.Run(row.title, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					handlers := &crowd{wait: func(*http.Request) {}}
					s := serveFrames(t, handlers.serve, secure)
					c := s.open(t)
					_ = c.split(1, c.headers(row.fields...), true) // fails where the server hangs up on it
					got := c.take()
					if answer := status(got, 1); answer != row.status {
						t.Errorf("status %q, want %q", answer, row.status)
					}
					away := only(got, http2.FrameGoAway)
					if (row.away != 0) != (len(away) == 1) || len(away) == 1 && away[0].code != row.away {
						t.Errorf("GOAWAY %+v, want %v", away, row.away)
					}
					if ran := handlers.begun.Load() == 1; ran != (row.status == "204") {
						t.Errorf("the handler ran: %v", ran)
					}
					if row.away == 0 {
						c.request(3, true)
					} else {
						time.Sleep(2 * time.Second)
						if c.over() == 0 {
							t.Error("the connection stays open")
						}
						c = s.open(t)
						c.request(3, true)
					}
					if answer := status(c.take(), 3); answer != "204" {
						t.Errorf("the next call gets %q, want 204", answer)
					}
				})
			})
		}
	}
}

func TestEndlessHeaderBlock(t *testing.T) {
	rows := []struct {
		title string
		goOn  func(*frameClient) error // one more piece
		every time.Duration
		by    time.Duration // when the connection is over
		most  int           // pieces that are taken
	}{
		// Neither answers the PING that falls due: nothing else may come within a header block.
		{"that stops", func(*frameClient) error { return nil }, time.Second, 25 * time.Second, 100},
		{"that trickles", func(c *frameClient) error { return c.WriteContinuation(1, false, c.headers()[:1]) }, time.Second, 25 * time.Second, 100},
		{"of empty frames", func(c *frameClient) error { return c.WriteContinuation(1, false, nil) }, time.Millisecond, 25 * time.Second, 25_001},
		{"that floods", func(c *frameClient) error { return c.WriteContinuation(1, false, c.headers(fieldsOf(8<<10, 1<<10)...)) }, time.Millisecond, 2 * time.Second, 20},
		{"of fields without a name", func(c *frameClient) error { return c.WriteContinuation(1, false, make([]byte, 1<<10)) }, time.Millisecond, 2 * time.Second, 200},
	}
	for _, row := range rows {
		t.Run(row.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				handlers := &crowd{wait: func(*http.Request) {}}
				c := serveFrames(t, handlers.serve, false).open(t)
				c.must(c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.headers(), EndStream: true}))
				taken := 0
				for c.over() == 0 && time.Since(c.began) < time.Minute {
					if row.goOn(c) == nil && len(only(c.take(), http2.FrameGoAway)) == 0 {
						taken++
					} else {
						time.Sleep(time.Second) // it has hung up, and closes soon
					}
					time.Sleep(row.every)
				}
				if c.over() == 0 || c.over() > row.by {
					t.Errorf("the connection ended after %v, want at most %v", c.over(), row.by)
				}
				if taken > row.most {
					t.Errorf("%d pieces were taken, want at most %d", taken, row.most)
				}
				if handlers.begun.Load() != 0 {
					t.Error("a handler ran for an unfinished request")
				}
			})
		})
	}
}
