package authz

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// An answer over the bounds is read no further than to the bound, in whatever pieces it comes: what it costs does not
// depend on how much more there is.
func TestAnswersAreReadToTheBound(t *testing.T) {
	for _, row := range []struct {
		why, text string
		want      error
		most      int // bytes read
	}{
		{"as many members as there may be", "[" + strings.Repeat("1,", maxResponseMembers-1) + "1]", nil, 2*maxResponseMembers + 1},
		{"one more", "[" + strings.Repeat("1,", maxResponseMembers) + "1]", errTooManyMembers, 2*maxResponseMembers + 1},
		{"a hundred times as many", "[" + strings.Repeat("1,", 100*maxResponseMembers) + "1]", errTooManyMembers, 2*maxResponseMembers + 1},
		{"many in objects", strings.Repeat(`{"a":1,"b":[2,`, maxResponseDepth/2) + strings.Repeat("3,", 100*maxResponseMembers), errTooManyMembers, 3 * maxResponseMembers},
		{"as deep as it may be", strings.Repeat("[", maxResponseDepth) + strings.Repeat("]", maxResponseDepth), nil, 2 * maxResponseDepth},
		{"one deeper", strings.Repeat(`{"a":`, maxResponseDepth+1), errTooDeep, 5*maxResponseDepth + 1},
		{"deep and back", strings.Repeat("[{}],", maxResponseMembers-1), nil, 5 * maxResponseMembers},
		{"a text that looks like members", `{"a":"` + strings.Repeat(`,[{\"`, 9000) + `"}`, nil, 9000*6 + 10},
		{"a backslash before the end of a text", `{"a":"\\","b":[` + strings.Repeat("1,", maxResponseMembers), errTooManyMembers, 2*maxResponseMembers + 20},
		{"spaces", strings.Repeat(" ", maxResponseBytes+1), errResponseTooLarge, maxResponseBytes + 1},
	} {
		for way, source := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "by bytes": iotest.OneByteReader, "by halves": iotest.HalfReader,
		} {
			text := &countedReader{Reader: source(strings.NewReader(row.text))}
			body := &boundedBody{ReadCloser: io.NopCloser(text), left: maxResponseBytes}
			buffer := make([]byte, 1)
			var err error
			for err == nil {
				_, err = body.Read(buffer)
			}
			if errors.Is(err, io.EOF) {
				err = nil
			}
			if !errors.Is(err, row.want) || text.n > row.most {
				t.Errorf("%s, %s: %v after %d bytes, want %v after %d at most", row.why, way, err, text.n, row.want, row.most)
			}
			if _, again := body.Read(buffer); row.want != nil && !errors.Is(again, row.want) {
				t.Errorf("%s, %s: reading on = %v", row.why, way, again)
			}
		}
	}
}

type countedReader struct {
	io.Reader
	n int
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// Roles in many organisations are within the bounds.
func TestCallersWithManyRoles(t *testing.T) {
	p := startProvider(t)
	in := p.introspector(t, nil)
	good := claims(map[string]any{"iss": p.issuer(), "sub": "alice"})
	p.misbehave(atIntrospect, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, manyMembers(good, 2000)) })
	if id, err := in.Authenticate(t.Context(), bearer(testToken)); err != nil || id.Subject != "alice" {
		t.Errorf("Authenticate = %+v, %v, want alice", id.Subject, err)
	}
	p.misbehave(atIntrospect, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.example+json; charset=UTF-8")
		io.WriteString(w, good)
	})
	if id, err := in.Authenticate(t.Context(), bearer("another")); err != nil || id.Subject != "alice" {
		t.Errorf("another JSON type: Authenticate = %+v, %v, want alice", id.Subject, err)
	}
}

func BenchmarkManyMembers(b *testing.B) {
	for name, n := range map[string]int{"most": maxResponseMembers - 20, "60000": 60_000} {
		b.Run(name, func(b *testing.B) {
			text := manyMembers(claims(nil), n)
			in, err := NewIntrospector(IntrospectionConfig{Issuer: "https://id.example", ClientID: "client", ClientSecret: "secret",
				Audience: "avatars", UnknownPerSecond: -1, Now: func() time.Time { return time.Unix(testNow, 0) },
				HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					if r.Method == http.MethodGet {
						return respond(bubbleDiscovery)
					}
					return respond(text)
				})}})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ { // a token that has failed is not asked about again at once
				_, _ = in.Authenticate(b.Context(), bearer("token-"+strconv.Itoa(i)))
			}
		})
	}
}
