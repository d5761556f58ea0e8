package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
)

// contractRow is one situation of a data file, whose note explains the notation.
type contractRow struct {
	ID, Title string
	Token     *string // nil = no token
	User      string
	Own       bool
	Auth      values // instead of the token
	Org       values
	Headers   map[string]values
	REST      *struct {
		Method, Path, Body string
		Headers            map[string]values
	}
	Only []string // families, or names of forms

	Code   int
	Detail string
	HTTP   int
	Allow  string
	Owner  string
	Says   string

	Before string // avatar
	After  string // gone, kept
	Same   bool
}

// values is one text or a list of them.
type values []string

func (v *values) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*v = values{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(v))
}

// replay runs the rows of a data file in their order, in one form after the other.
func (c *contract) replay(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Note  string
		Cases []contractRow
	}
	if err := strictJSON(data, &table); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{} // the message of each row
	inEveryForm(t, wireForms(), func(t *testing.T, f wireForm) {
		var previous verdict
		for _, row := range table.Cases {
			if len(row.Only) > 0 && !slices.Contains(row.Only, f.family) && !slices.Contains(row.Only, f.name) {
				continue
			}
			ok := t.Run(row.ID, func(t *testing.T) {
				v := c.play(t, f, row)
				if row.Same {
					wantSameDetails(t, v, previous)
				}
				if first, again := said[row.ID]; again && first != v.message {
					t.Errorf("message is %q, in another form it is %q", v.message, first)
				}
				said[row.ID], previous = v.message, v
			})
			if !ok {
				t.Logf("%s: %s", row.ID, row.Title)
			}
		}
	})
	for _, row := range table.Cases {
		if _, played := said[row.ID]; !played {
			t.Errorf("row %s applies to no form", row.ID)
		}
	}
}

// play sends one row in a form.
func (c *contract) play(t *testing.T, f wireForm, row contractRow) verdict {
	var seen wireAnswer
	if row.Before == "avatar" {
		seen = c.give(t, row.User)
	}
	req := c.rowRequest(f, row)
	want := wanted{code: row.Code, id: row.Detail, status: row.HTTP, allow: row.Allow, says: row.Says}
	if row.Owner != "" {
		want.owner = c.variable(row.Owner)
	}
	if row.HTTP == http.StatusMethodNotAllowed && want.allow == "" {
		want.allow = "DELETE, POST"
	}
	var v verdict
	if req.method == http.MethodHead {
		v.wireAnswer = c.send(t, f.version, req)
		if v.status != row.HTTP || v.header.Get("Allow") != want.allow || len(v.body) > 0 {
			t.Errorf("HEAD: %d, Allow %q, %d bytes; want %d, %q, none", v.status, v.header.Get("Allow"), len(v.body), row.HTTP, want.allow)
		}
	} else {
		v = c.ask(t, f, req, want)
	}
	switch row.After {
	case "":
	case "gone":
		c.wantGone(t, row.User)
	case "kept":
		c.wantKept(t, row.User, seen)
	default:
		t.Errorf("after %q is unknown", row.After)
	}
	return v
}

// rowRequest puts a row into a form.
func (c *contract) rowRequest(f wireForm, row contractRow) wireRequest {
	var fields []wireField
	add := func(name string, texts values) {
		for _, text := range texts {
			fields = append(fields, wireField{name, c.expand(text)})
		}
	}
	if row.Token != nil {
		fields = append(fields, c.bearer(*row.Token))
	}
	add("Authorization", row.Auth)
	add("X-Zitadel-Orgid", row.Org)
	for name, texts := range row.Headers {
		add(name, texts)
	}
	if f.rest() && row.REST != nil {
		for name, texts := range row.REST.Headers {
			add(name, texts)
		}
	}
	req := f.request(question{own: row.Own, user: c.expand(row.User), fields: fields})
	if f.rest() && row.REST != nil {
		if row.REST.Method != "" {
			req.method = row.REST.Method
		}
		if row.REST.Path != "" {
			req.path = c.expand(row.REST.Path)
		}
		req.body = []byte(row.REST.Body)
	}
	return req
}

var (
	insertion  = regexp.MustCompile(`\{([A-Z_]+)(%|:-[0-9]+)?\}`)
	repetition = regexp.MustCompile(`^(.+)\*([0-9]+)$`)
)

// expand returns what a text of a data file stands for.
func (c *contract) expand(text string) string {
	if value, ok := c.env[text]; ok {
		return value
	}
	if m := repetition.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[2])
		return strings.Repeat(m[1], n)
	}
	return insertion.ReplaceAllStringFunc(text, func(found string) string {
		m := insertion.FindStringSubmatch(found)
		value := c.variable(m[1])
		switch {
		case m[2] == "%":
			return percentEncoded(value)
		case m[2] != "":
			cut, _ := strconv.Atoi(m[2][2:])
			return value[:len(value)-cut]
		}
		return value
	})
}

// percentEncoded encodes every byte.
func percentEncoded(text string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(text) {
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

func wantSameDetails(t *testing.T, now, before verdict) {
	t.Helper()
	if diff := cmp.Diff(before.details, now.details, protocmp.Transform()); diff != "" {
		t.Errorf("details (-before +now):\n%s", diff)
	}
	if before, now := before.fields.Get("X-Avatard-Receipt"), now.fields.Get("X-Avatard-Receipt"); before != now {
		t.Errorf("X-Avatard-Receipt is %q, before it was %q", now, before)
	}
}
