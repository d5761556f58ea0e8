package embedded

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// fewRows are those of every run. Its memory says nothing: the process begins with what the one of the tests has.
const fewRows = 20_000

var largeRows = flag.Int("rows", fewRows, "with TestMigrateLarge: how many receipts and records there are")

// TestMigrateLarge is what "task migrate:large" runs: a process of its own brings a large database forward, and its memory is
// looked at when the database is a large one. It fails over 100 MB.
func TestMigrateLarge(t *testing.T) {
	if dir := os.Getenv("AVATARD_TEST_MIGRATE"); dir != "" {
		if _, err := migrateTo(context.Background(), Config{Dir: dir}, migrations, nil); err != nil {
			t.Fatal(err)
		}
		return
	}
	dir := oldData(t)
	fillOld(t, dir, *largeRows)
	info, err := os.Stat(filepath.Join(dir, databaseName))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMigrateLarge$")
	cmd.Env = append(os.Environ(), "AVATARD_TEST_MIGRATE="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("no usage of memory here")
	}
	resident := usage.Maxrss >> 10
	t.Logf("%d receipts and as many records, a database of %d MB: %d MB resident, %v of CPU time", *largeRows, info.Size()>>20, resident,
		cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	if *largeRows > fewRows && resident > 100 {
		t.Errorf("%d MB resident, limit 100", resident)
	}
	if v := versionIn(t, dir); v != len(migrations) {
		t.Errorf("version %d", v)
	}
}
