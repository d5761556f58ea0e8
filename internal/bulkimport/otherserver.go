package bulkimport

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
)

// OtherServer looks for a journal in a directory that is about the same import at another address, and returns that address; "" where there is
// none. Files that are no journals do not count.
func OtherServer(dir string, subject Subject) string {
	names, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		return ""
	}
	for _, name := range names {
		found, ok := subjectOf(name)
		if ok && found.Organization == subject.Organization && found.From == subject.From && found.Server != subject.Server {
			return found.Server
		}
	}
	return ""
}

// subjectOf reads the first line of a journal that has more than one: an import that met nobody at its address left nothing to look after.
func subjectOf(name string) (s Subject, ok bool) {
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return s, false
	}
	f, err := os.Open(name)
	if err != nil {
		return s, false
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, 2*longestLine))
	ok = lines.Scan() && json.Unmarshal(lines.Bytes(), &s) == nil
	return s, ok && lines.Scan() // something was imported
}
