package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"example.org/avatard/storage/powercut"
)

// The power is cut at every place of a migration. What is there is one whole version, not older than one that was
// reported, with its data, and the next try reaches the newest.
func TestMigrateEveryCut(t *testing.T) {
	for _, c := range migrationCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			migrateEveryCut(t, c.data(t), c.list, c.proof)
		})
	}
}

func migrateEveryCut(t *testing.T, data string, list []string, proof string) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(dir, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	disk, err := powercut.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Dir: dir, WrapFile: func(name string, f File) File { return disk.Wrap(name, f) }}
	if _, err := migrateTo(t.Context(), cfg, list, func(version int) { disk.Mark(version) }); err != nil {
		t.Fatal(err)
	}
	found, versions := map[uint64]int{}, map[int]int{} // by outcome, and how many of each
	image := filepath.Join(t.TempDir(), "image")
	for cut := range disk.Trace().Cuts() {
		outcomes := []powercut.Outcome{powercut.Random(uint64(cut.At))}
		for outcome := range cut.Simple() {
			outcomes = append(outcomes, outcome)
		}
		for _, outcome := range outcomes {
			left := cut.Image(outcome)
			hash := left.Hash()
			from, seen := found[hash]
			if !seen {
				from = migrateImage(t, left, image, list, proof)
				found[hash] = from
				versions[from]++
			}
			reported := 1
			if n := len(cut.Marks); n > 0 {
				reported = cut.Marks[n-1].(int)
			}
			if from < reported {
				t.Errorf("cut before operation %d, %s: version %d, want %d or later", cut.At, outcome.Name, from, reported)
			}
		}
	}
	t.Logf("%d different outcomes, by version found %v", len(found), versions)
	for version := 1; version <= len(list); version++ {
		if versions[version] == 0 {
			t.Errorf("no cut left version %d: the files are not watched", version)
		}
	}
}

// cutAfter puts a picture into a store that is opened on a disk, cuts the power when that was answered, with nothing kept
// that was not synced, and demands the picture of a store on what is left.
func cutAfter(t *testing.T, dir string, disk *powercut.Disk) {
	t.Helper()
	s, err := Open(t.Context(), Config{Dir: dir, WrapFile: func(name string, f File) File { return disk.Wrap(name, f) }})
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, 1, 5000)
	trace := disk.Trace()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "image")
	for cut := range trace.Cuts() {
		if cut.Last {
			left := cut.Image(powercut.Outcome{Part: func(int, powercut.Change) powercut.Part { return powercut.Part{} }})
			if err := left.Write(image); err != nil {
				t.Fatal(err)
			}
		}
	}
	s = openTest(t, image)
	if got, err := s.Get(t.Context(), testKey(1), testOrg); err != nil || len(got.Data) != 5000 {
		t.Errorf("Get = %d bytes, %v after the cut, want the picture", len(got.Data), err)
	}
}

// The directory was made by a process that did not make its name durable, such as one that was killed between the two.
func TestDirectoryNameDurable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	disk, err := powercut.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cutAfter(t, dir, disk)
}

// The sync of the slab's first page fails and loses it, which the next start cannot see: the page is in memory.
func TestFirstPageLost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	disk, err := powercut.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	failed := false
	disk.Fail(func(name string) (lot uint64, fails bool) {
		fails = name == slabName && !failed
		failed = failed || fails
		return 1, fails // a lot that keeps nothing
	})
	cfg := Config{Dir: dir, WrapFile: func(name string, f File) File { return disk.Wrap(name, f) }}
	if _, err := Open(t.Context(), cfg); !errors.Is(err, powercut.ErrSync) {
		t.Fatalf("Open = %v, want %v", err, powercut.ErrSync)
	}
	cutAfter(t, dir, disk)
}

// migrateImage migrates what a cut left and returns the version that it found; 0 when that fails.
func migrateImage(t *testing.T, left powercut.Image, dir string, list []string, proof string) (from int) {
	t.Helper()
	if err := left.Write(dir); err != nil {
		t.Fatal(err)
	}
	disk, err := powercut.New(dir) // whose syncs cost nothing
	if err != nil {
		t.Fatal(err)
	}
	_, from, err = migrateSteps(Config{Dir: dir, WrapFile: func(name string, f File) File { return disk.Wrap(name, f) }}, list)
	if err != nil {
		t.Error(err)
		return 0
	}
	editData(t, dir, `CREATE TABLE proof (rows INTEGER CHECK (rows = 1)); INSERT INTO proof `+proof)
	return from
}
