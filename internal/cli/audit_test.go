package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.org/avatard/internal/admin"
	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest/memory"
)

// counted demands that each page was printed before the next one is asked for.
type counted struct {
	storage.Place
	t              *testing.T
	pages, records int
	printed        func() int
}

type countedStore struct {
	storage.Engine
	of *counted
}

func (p *counted) Open(ctx context.Context, o storage.OpenOptions) (storage.Engine, error) {
	s, err := p.Place.Open(ctx, o)
	return countedStore{s, p}, err
}

func (p *counted) page(records int) {
	if printed := p.printed(); printed != p.records {
		p.t.Errorf("page %d is asked for when %d records of %d are printed", p.pages+1, printed, p.records)
	}
	p.pages++
	p.records += records
}

func (s countedStore) ListAudit(ctx context.Context, q storage.AuditQuery) (storage.AuditPage, error) {
	page, err := s.Engine.ListAudit(ctx, q)
	s.of.page(len(page.Records))
	return page, err
}

func (s countedStore) ListReceipts(ctx context.Context, q storage.ReceiptQuery) (storage.ReceiptPage, error) {
	page, err := s.Engine.ListReceipts(ctx, q)
	s.of.page(len(page.Receipts))
	return page, err
}

// Ten thousand records and receipts are printed page by page, all of them, and no more than a page is held.
func TestLongListsArePrintedPageByPage(t *testing.T) {
	const records = 10_000
	e := &elsewhere{t: t, stores: memory.New("")}
	store := e.open("one")
	user := storage.UserKey{Issuer: "https://id.example", ID: "alice"}
	for n := range records {
		store.RecordRefusal(storage.Refusal{By: storage.Origin{Caller: "stranger"}, Action: fmt.Sprint("call ", n), Reason: "no"})
		up := storage.Upload{User: user, Organization: "acme", Register: true, Picture: storage.Picture{Format: storage.PNG, Data: []byte("x")}}
		if _, err := store.Put(t.Context(), up); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Remove(t.Context(), storage.Removal{User: user, Organization: "acme"}); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"audit", "--kind=refusals"}, {"receipts", "list"}, {"receipts", "list", "--json"}, {"receipts", "export", "-"}} {
		var out, problems bytes.Buffer
		place := &counted{t: t, printed: func() int { return bytes.Count(out.Bytes(), []byte("\n")) }}
		e.wrap = func(p storage.Place) storage.Place {
			place.Place = p
			return place
		}
		p := &Program{Stdout: &out, Stderr: &problems, Place: e.place}
		if code := Report(&problems, p.Run(t.Context(), append(args, "--data=one"))); code != ExitOK || place.printed() != records || place.pages < records/storage.MaxPage {
			t.Errorf("%v = exit code %d, %d records in %d pages, %s", args, code, place.printed(), place.pages, &problems)
		}
	}
}

// What is new is printed as it comes, once, until the command is interrupted, which is how it is to end.
func TestAuditFollows(t *testing.T) {
	e := &elsewhere{t: t, stores: memory.New("")}
	store := e.open("one")
	refuse := func(action string) {
		store.RecordRefusal(storage.Refusal{By: storage.Origin{Caller: "stranger"}, Action: action, Reason: "no"})
	}
	refuse("first")
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	waits := 0
	p := &Program{Stdout: &out, Place: e.place, Pause: func(ctx context.Context, d time.Duration) error {
		if lines := bytes.Count(out.Bytes(), []byte("\n")); lines != min(waits, 2)+1 || d != followEvery {
			t.Errorf("before pause %d of %v there are %d lines:\n%s", waits, d, lines, &out)
		}
		switch waits++; waits {
		case 1:
			refuse("second")
		case 2:
			refuse("third")
		case 4:
			cancel()
		}
		return ctx.Err()
	}}
	if err := p.Run(ctx, []string{"audit", "--follow", "--data=one"}); err != nil || waits != 4 {
		t.Errorf("audit --follow = %v behind %d pauses", err, waits)
	}
	for i, action := range []string{"first", "second", "third"} {
		if line := strings.Split(out.String(), "\n")[i]; !strings.HasSuffix(line, "  refused  "+action+"  by stranger  code no") {
			t.Errorf("line %d is %q", i, line)
		}
	}
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(cut, []string{"audit", "--data=one"}); err == nil {
		t.Error("audit that was interrupted = nil, want an error: it does not have everything")
	}
	dir := "--data=" + t.TempDir() + "/directory"
	e.want(ExitOK, "added", "org", "add", "acme", dir)
	e.want(ExitFailed, "none runs on this data directory", "audit", "--follow", dir)
	e.want(ExitOK, "  register  by \"command line\"  organisation acme\n", "audit", dir)
}

// Texts that strangers have chosen are no formulas in a spreadsheet, no commands to a terminal, and no other part of a line.
func TestTextsOfStrangersInTheTrail(t *testing.T) {
	e := &elsewhere{t: t, stores: memory.New("")}
	store := e.open("one")
	texts := []string{"=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", `a"b,c`, "\x1b[2J\u009b2J", "x  code fine", "\u202eabc", "plain"}
	for _, text := range texts {
		store.RecordRefusal(storage.Refusal{By: storage.Origin{Caller: text}, Organization: text, Target: text, Action: text, Reason: text, Dropped: 3})
	}
	formula := []string{"=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1"}
	table, stderr, code := e.run(nil, "audit", "--format=csv", "--data=one")
	if code != ExitOK || !bytes.HasPrefix(table, []byte(`"time","kind","action",`)) || bytes.Count(table, []byte("\"\r\n")) != len(texts)+1 {
		t.Fatalf("audit --format=csv = exit code %d, %q, %q", code, table, stderr)
	}
	rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil || len(rows) != len(texts)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, text := range texts {
		want := strings.ReplaceAll(text, "\r\n", "\n")
		if slices.Contains(formula, text) {
			want = "'" + want
		}
		for _, cell := range []int{2, 3, 5, 6, 8} {
			if got := rows[i+1][cell]; got != want {
				t.Errorf("%s of %q is %q, want %q", rows[0][cell], text, got, want)
			}
		}
		if rows[i+1][10] != "3" || rows[i+1][1] != admin.KindRefusal {
			t.Errorf("row %q", rows[i+1])
		}
	}
	lines, _, _ := e.run(nil, "audit", "--json", "--data=one")
	for i, line := range strings.Split(strings.TrimSpace(string(lines)), "\n") {
		var r admin.AuditRecord
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Caller != texts[i] || r.User != texts[i] || r.Refused != texts[i] || r.More != 3 {
			t.Errorf("line %d is %s, %v, want %q", i, line, err, texts[i])
		}
	}
	shown, _, _ := e.run(nil, "audit", "--data=one")
	if strings.Count(string(shown), "\n") != len(texts) || !strings.Contains(string(shown), `  by "x  code fine"  user`) || !strings.Contains(string(shown), "  by plain  user plain  organisation plain  code plain  and 3 more\n") {
		t.Errorf("audit prints\n%s", shown)
	}
	for _, out := range []string{string(lines), string(shown), csvRow(texts, true)} {
		if strings.ContainsAny(out, "\x1b\u009b\u202e\t") {
			t.Errorf("what is not printable is printed: %q", out)
		}
	}
}

// The filters choose, and what is no id, time, kind or format is told before anything is opened.
func TestAuditFilters(t *testing.T) {
	e := &elsewhere{t: t, stores: memory.New("")}
	for _, args := range []string{"--user=a\x01", "--org=\xff", "--caller=a\x01", "--action=\xff", "--kind=all", "--format=xml", "--json --format=csv", "--since=yesterday", "--since=-1h",
		"--until=40000d", "--since=2026-03-02", "--since=1h --until=2h", "--follow --until=1h", "--since=" + strings.Repeat("9", 30) + "d"} {
		e.want(ExitUsage, "usage: avatard audit", append([]string{"audit", "--data=none"}, strings.Split(args, " ")...)...)
	}
	issuer := "--issuer=https://id.example"
	e.want(ExitOK, "added", "user", "add", "alice", "--org=acme", "--new-org", issuer, "--data=one")
	e.want(ExitOK, "added", "user", "add", "bob", "--org=globex", "--new-org", issuer, "--data=one")
	e.want(ExitOK, "moved", "issuer", "move", "https://id.example", "https://new.example", "--data=one")
	e.open("one").RecordRefusal(storage.Refusal{By: storage.Origin{Caller: "eve"}, Target: "bob", Organization: "globex", Action: "DELETE /x", Reason: "no"})
	for args, want := range map[string]int{"": 5, "--user=alice": 1, "--org=globex": 2, "--caller=eve": 1, "--caller=command line": 4, "--action=register": 2, "--kind=changes": 4,
		"--kind=refusals": 1, "--since=1h": 5, "--since=0s": 0, "--until=2020-01-01T00:00:00+01:00": 0, "--since=7d --until=0h": 5, "--action=issuer-move-to": 1} {
		words := append([]string{"audit", "--json", "--data=one"}, strings.Split(args, " --")...)
		words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
		for i, w := range words[3:] {
			words[3+i] = "--" + strings.TrimPrefix(w, "--")
		}
		out, stderr, code := e.run(nil, words...)
		if n := bytes.Count(out, []byte("\n")); code != ExitOK || n != want {
			t.Errorf("audit %s = exit code %d, %d records, want %d: %s%s", args, code, n, want, out, stderr)
		}
	}
	e.want(ExitOK, `"action":"issuer-move-to","caller":"command line","issuer":"https://new.example"}`, "audit", "--json", "--data=one")
}
