package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// goGet writes the newest commit into a folder that is a module proxy, installs the program from it and builds the Go example with it
// instead of the folder next door.
func goGet(ctx context.Context, d *dev) error {
	proxy := filepath.Join(d.dir, "proxy")
	said, code, err := d.run(ctx, ".", "", nil, "go", "-C", ".tools", "run", "./modproxy", "-out", proxy)
	if err != nil || code != 0 {
		return fmt.Errorf("modproxy: %w:\n%s", failure(code, err), said)
	}
	module, version, _ := strings.Cut(strings.TrimSpace(said), "@")
	asked, _, err := d.run(ctx, ".", "", nil, "go", "env", "GOMODCACHE", "GOPROXY")
	if err != nil {
		return err
	}
	cache, upstream, _ := strings.Cut(strings.TrimSpace(asked), "\n")
	// A cache of its own, as the machine's must not keep this version, filled from the machine's. What is in that was checked when it came.
	with := map[string]string{
		"GOPROXY":    "file://" + proxy + ",file://" + cache + "/cache/download," + upstream,
		"GOMODCACHE": filepath.Join(d.dir, "cache"),
		"GOBIN":      filepath.Join(d.dir, "bin"),
		"GOFLAGS":    "-modcacherw -trimpath -mod=mod", "GONOSUMDB": module, "GOSUMDB": "off", "GOWORK": "off", "CGO_ENABLED": "0",
	}
	theirs := filepath.Join(d.dir, "theirs")
	if err := os.Mkdir(theirs, 0o700); err != nil {
		return err
	}
	text, err := os.ReadFile("examples/go/main.go")
	if err == nil {
		err = os.WriteFile(filepath.Join(theirs, "main.go"), text, 0o600)
	}
	if err != nil {
		return err
	}
	with["TOKEN"] = d.of("TOKEN_MANAGER")
	for _, args := range [][]string{
		{"mod", "init", "example.com/theirs"},
		{"get", module + "@" + version},
		{"run", ".", d.of("USER_ALICE")},
		{"install", module + "@" + version},
	} {
		if err := d.try(ctx, theirs, "", with, 0, nil, "go", args...); err != nil {
			return err
		}
	}
	return d.try(ctx, theirs, "", nil, 0, []string{version}, "go", "version", "-m", filepath.Join(d.dir, "bin", "avatard"))
}
