package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// Servers built with Go 1.26.0 to 1.26.5 never close connections that have gone silent.
func TestEveryModuleAsksForAGoWithoutKnownHoles(t *testing.T) {
	t.Parallel()
	const oldest = 8 // of 1.26
	line := regexp.MustCompile(`(?m)^go 1\.26\.(\d+)$`)
	for _, pattern := range []string{"go.mod", ".tools/go.mod", ".tools/*/go.mod", "examples/*/go.mod"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			match := line.FindSubmatch(text)
			if match == nil {
				t.Errorf("%s has no line \"go 1.26.x\"", file)
				continue
			}
			if patch, _ := strconv.Atoi(string(match[1])); patch < oldest {
				t.Errorf("%s takes go 1.26.%d, want 1.26.%d or newer", file, patch, oldest)
			}
		}
	}
}
