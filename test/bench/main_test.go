package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain makes the test program play the roles that a run starts of itself.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && (os.Args[1] == roleServe || os.Args[1] == roleLoad) {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestShort runs every phase once. Its figures mean nothing, so it looks only at those that cannot be missing: that
// calls were made, that servers used time and memory, that deletes were synced.
func TestShort(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "report.json")
	var out, progress bytes.Buffer
	args := []string{"-short", "-callers", "1,16", "-targets", "empty,bare,noop,embedded", "-dir", dir, "-json", file}
	if err := run(t.Context(), args, nil, &out, &progress); err != nil {
		t.Fatalf("run(%q) = %v\n%s", args, err, &progress)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rep report
	if err := json.Unmarshal(text, &rep); err != nil {
		t.Fatalf("the JSON file cannot be read: %v\n%s", err, text)
	}
	if got, want := len(rep.Rows), len(allForms())*2*4; got != want {
		t.Errorf("%d rows, want %d", got, want)
	}
	for _, r := range rep.Rows {
		m := r.Median
		if m.Calls == 0 || m.P99 < m.P50 || m.P50 <= 0 || m.CPU <= 0 || m.CallerCPU <= 0 || m.Allocs < 1 {
			t.Errorf("%s, %d callers, %s: %+v, want figures above zero", r.Form, r.Callers, r.Target, m)
		}
		if (m.SyncsPerCall > 0) != (r.Target == targetEmbedded) {
			t.Errorf("%s, %d callers, %s: %v syncs a call", r.Form, r.Callers, r.Target, m.SyncsPerCall)
		}
	}
	if rep.Deletes < 1000 || rep.Resident < 1<<20 || rep.Disk <= 0 {
		t.Errorf("%d deletes, %d bytes resident, %v µs a sync", rep.Deletes, rep.Resident, rep.Disk)
	}
	for _, want := range []string{"deletes/sync", "gRPC, 16 callers", "MB resident"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the printed report lacks %q:\n%s", want, &out)
		}
	}
}

func TestOptions(t *testing.T) {
	for name, args := range map[string][]string{
		"an unknown form":     {"-forms", "rest,soap"},
		"an unknown target":   {"-targets", "bare,"},
		"no callers":          {"-callers", "0"},
		"callers in words":    {"-callers", "1,many"},
		"no rounds":           {"-rounds", "0"},
		"a word beside flags": {"rest"},
	} {
		if _, err := parseOptions(args, new(bytes.Buffer)); err == nil {
			t.Errorf("%s: parseOptions(%q) gave no error", name, args)
		}
	}
	o, err := parseOptions([]string{"-forms", "grpc", "-callers", "16,128"}, new(bytes.Buffer))
	if err != nil || len(o.forms) != 1 || o.forms[0] != formGRPC || len(o.callers) != 2 || o.callers[1] != 128 {
		t.Errorf("parseOptions = %+v, %v", o, err)
	}
}
