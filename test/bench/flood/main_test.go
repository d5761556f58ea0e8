package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain makes the test program play the server that a run starts of itself.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == roleServe {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestShort runs everything once, for a moment. Results that depend on the speed of the machine are not checked.
func TestShort(t *testing.T) {
	o, err := parseOptions([]string{"-for", "400ms", "-quiet", "200ms", "-garbage", "1500", "-calls", "50", "-provider", "5ms"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	res, err := measure(t.Context(), o, &log)
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	for name, p := range map[string]phase{"without a flood": res.quiet, "during it": res.known} {
		if p.statuses[200] == 0 || p.statuses[200]+p.late != p.due || len(p.statuses) != 1 {
			t.Errorf("known tokens %s: %d due, %d late, answered %v, want each that was sent to be let in", name, p.due, p.late, p.statuses)
		}
	}
	sent := res.flood.due - res.flood.late
	if res.flood.statuses[401] == 0 || res.flood.statuses[503] == 0 || res.flood.statuses[401]+res.flood.statuses[503] != sent {
		t.Errorf("invented tokens: %d sent, answered %v, want some refused and the rest told to come back", sent, res.flood.statuses)
	}
	if res.most < 1 || res.most > maxAtOnce || res.asked < int64(res.flood.statuses[401]) {
		t.Errorf("the provider was asked %d times, %d at once, about %d tokens that were refused", res.asked, res.most, res.flood.statuses[401])
	}
	var out bytes.Buffer
	_ = res.report(&out, o) // whether it holds says something about the machine here
	if !strings.Contains(out.String(), "known tokens kept") {
		t.Errorf("the report is\n%s", &out)
	}
}

// Each thing that must hold is missed by a run in which it does not.
func TestVerdict(t *testing.T) {
	o := options{garbage: 1000}
	good := func() result {
		return result{
			quiet: phase{due: 100, statuses: map[int]int{200: 100}, took: time.Second},
			known: phase{due: 100, statuses: map[int]int{200: 95}, took: time.Second},
			flood: phase{due: 1000, statuses: map[int]int{401: 300, 503: 700}, took: time.Second},
			asked: 300, most: 64, memoryBefore: 20 << 20, memoryEarly: 30 << 20, memoryAfter: 38 << 20,
		}
	}
	if err := good().report(new(bytes.Buffer), o); err != nil {
		t.Errorf("a run in which everything holds: %v", err)
	}
	for _, row := range []struct {
		want  string
		spoil func(*result)
	}{
		{"of their rate", func(r *result) { r.known.statuses[200] = 89 }},
		{"of their rate", func(r *result) { r.quiet.statuses = nil }},
		{"at once", func(r *result) { r.most = 65 }},
		{"memory grew", func(r *result) { r.memoryAfter = 39 << 20 }},
		{"let in", func(r *result) { r.flood.statuses[200] = 1 }},
		{"met a limit", func(r *result) { delete(r.flood.statuses, 503) }},
		{"was refused", func(r *result) { r.known.statuses[401] = 1 }},
		{"of the flood was sent", func(r *result) { r.flood.late = 60 }},
	} {
		r := good()
		row.spoil(&r)
		if err := r.report(new(bytes.Buffer), o); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("report = %v, want %q", err, row.want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, args := range [][]string{{"-garbage", "0"}, {"-for", "1ms"}, {"-provider", "-1s"}, {"x"}, {"-tokens", "0"}} {
		if _, err := parseOptions(args, new(bytes.Buffer)); err == nil {
			t.Errorf("parseOptions(%q) succeeded", args)
		}
	}
}
