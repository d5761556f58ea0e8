package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestMain makes the test program play the attack that a run starts of itself.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == roleAttack {
		main()
		return
	}
	os.Exit(m.Run())
}

// Each attack gets into place against a server that grants everything, and ends when it is told to.
func TestAttacksBeginAndEnd(t *testing.T) {
	if err := checkSystem(t.Context()); err != nil {
		t.Skip(err)
	}
	var calls atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()
	for _, name := range []string{"windows", "reflection", "uploads", "refused"} {
		t.Run(name, func(t *testing.T) {
			before := calls.Load()
			f, err := startForce(t.Context(), order{Attack: name, Server: strings.TrimPrefix(server.URL, "http://"), Picture: "/", Users: []string{"1"},
				Accounts: []string{"a", "b", "c", "d"}}, os.Stderr)
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.end()
			if err != nil || got.Tries == 0 || got.Sent == 0 {
				t.Errorf("the toll is %+v, %v", got, err)
			}
			if calls.Load() == before {
				t.Error("the server was not called")
			}
		})
	}
}

// A victim's calls come at their times, and one that is answered otherwise than it should be counts as none.
func TestVictim(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	v := victim{client: server.Client(), statuses: []int{200}, request: func(ctx context.Context) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	}}
	s := v.pace(t.Context(), 100, 200*time.Millisecond, 99)
	if s.due != 21 || int64(s.due) != calls.Load() || s.done != 11 || s.tail < callLimit {
		t.Errorf("%+v of %d calls, want 11 of 21 done and a 99th percentile that counts the others as %v", s, calls.Load(), callLimit)
	}
}

// good is a round in which everything holds.
func good() round {
	var r round
	for range victimNames {
		r.quiet = append(r.quiet, slice{due: 100, done: 100, tail: 20 * time.Millisecond})
		r.siege = append(r.siege, slice{due: 100, done: 80, tail: 60 * time.Millisecond})
	}
	for range bystanderCount {
		r.quiet, r.siege = append(r.quiet, slice{}), append(r.siege, slice{})
	}
	r.memory, r.quietRate, r.siegeRate = maxMemoryMiB<<20, rates{1000, 0.25}, rates{1000 + maxLogBytes, 0.25 + maxProcessors}
	r.quietDisk, r.siegeDisk = 1<<20, 1<<20+maxDiskBytes
	return r
}

// Each thing that must hold is missed by a round in which it does not.
func TestVerdict(t *testing.T) {
	o := options{memory: maxMemoryMiB, least: leastTime}
	if err := report(new(bytes.Buffer), o, []result{{attack: attacks()[0], rounds: []round{good()}}}); err != nil {
		t.Errorf("a round in which everything holds: %v", err)
	}
	for _, row := range []struct {
		want  string
		spoil func(*round)
	}{
		{"the server ended", func(r *round) { r.ended = true }},
		{"MiB of memory", func(r *round) { r.memory++ }},
		{"0.75 processors", func(r *round) { r.siegeRate.cpu += 0.25 }},
		{"of log", func(r *round) { r.siegeRate.log++ }},
		{"on disk", func(r *round) { r.siegeDisk++ }},
		{"health kept 0.79", func(r *round) { r.siege[0].done-- }},
		{"upload kept 0.00", func(r *round) { r.quiet[3].done = 0 }},
		{"read took 3.1 times", func(r *round) { r.siege[2].tail = 62 * time.Millisecond }},
		{"delete took 3.3 times", func(r *round) { r.quiet[1].tail, r.siege[1].tail = time.Millisecond, 50*time.Millisecond }},
	} {
		r := good()
		row.spoil(&r)
		err := report(new(bytes.Buffer), o, []result{{attack: attacks()[0], rounds: []round{r}}})
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("report = %v, want %q", err, row.want)
		}
	}
	busy := good()
	busy.siege[1].tail, busy.siege[len(victimNames)+1].tail = 300*time.Millisecond, 100*time.Millisecond
	if err := report(new(bytes.Buffer), o, []result{{rounds: []round{busy}}}); err != nil {
		t.Errorf("a delete that is three times as slow as the bystander: %v", err)
	}
	busy.siege[2].tail = 300 * time.Millisecond
	if err := report(new(bytes.Buffer), o, []result{{rounds: []round{busy}}}); err == nil {
		t.Error("a read that is slow beside a bystander that is slow to sync passed")
	}
	quick := good()
	quick.quiet[1].tail, quick.siege[1].tail = time.Millisecond, 3*leastTime
	if err := report(new(bytes.Buffer), o, []result{{rounds: []round{quick}}}); err != nil {
		t.Errorf("what is three times as slow as the least time that counts: %v", err)
	}
}

// One bad round of three is the machine's fault for what has a median, and the server's for what has not.
func TestMedian(t *testing.T) {
	o := options{memory: maxMemoryMiB, least: leastTime}
	slow, large := good(), good()
	slow.siege[0].done, slow.siege[0].tail = 0, callLimit
	large.memory++
	if err := report(new(bytes.Buffer), o, []result{{rounds: []round{good(), slow, good()}}}); err != nil {
		t.Errorf("one slow round: %v", err)
	}
	if err := report(new(bytes.Buffer), o, []result{{rounds: []round{good(), large, good()}}}); err == nil {
		t.Error("one round with too much memory passed")
	}
}

func TestOptions(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-for", "1ms"}, {"x"}, {"-attacks", "held"}, {"-rate", "0"}, {"-memory", "-1"}} {
		if _, err := parseOptions(args, new(bytes.Buffer)); err == nil {
			t.Errorf("parseOptions(%q) succeeded", args)
		}
	}
	o, err := parseOptions([]string{"-attacks", "windows,trailers", "-short"}, new(bytes.Buffer))
	if err != nil || len(o.attacks) != 2 || o.attacks[0].name != "windows" || o.rounds != 1 {
		t.Errorf("parseOptions = %+v, %v", o, err)
	}
}
