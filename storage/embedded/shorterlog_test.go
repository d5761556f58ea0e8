package embedded

import (
	"context"
	"fmt"
	"testing"
)

// Frames that a failed group commit has left in the log, behind the shorter one that took its place, are not damage.
func TestShorterLogAfterFailedCommit(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := &faults{}
	s, err := Open(ctx, Config{Dir: dir, WrapFile: f.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustPut(t, s, 1, 1000)
	f.set(func(_ int, name, op string) bool { return name == logName && op == "sync" })
	batch := make([]*request, 200)
	for i := range batch {
		key := testKey(100 + i)
		key.ID += fmt.Sprintf("%0700d", i)
		batch[i] = &request{op: &addUser{user: key, org: testOrg, by: testBy}}
	}
	onCommitter(s, func() { s.commitBatch(batch) })
	if s.Ready(ctx) == nil {
		t.Fatal("ready after a group commit that failed")
	}
	f.set(nil)
	mustRemove(t, s, 1)
	again, err := Open(ctx, Config{Dir: copyDir(t, dir)})
	if err != nil {
		t.Fatalf("Open after a crash = %v", err)
	}
	defer again.Close()
	if _, err := again.Get(ctx, testKey(1), testOrg); err == nil {
		t.Error("a picture that was deleted is back")
	}
	wantClean(t, again)
}
