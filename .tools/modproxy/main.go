// Command modproxy writes a commit of this repository into a folder that is a module proxy (https://go.dev/ref/mod#goproxy-protocol): any
// web server that has the folder is one, and so is GOPROXY=file:///…. It prints MODULE@VERSION.
//
//	go -C .tools run ./modproxy -out /srv/modules -revision v1.2.3 -version v1.2.3
//
// What is not committed is not in it. A folder may hold many versions; one that is there already is not written again.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/zip"
)

func main() {
	out := flag.String("out", "", "folder of the proxy")
	revision := flag.String("revision", "HEAD", "commit to write, by any name that git knows")
	version := flag.String("version", "", "its version, such as v1.2.3; without it the pseudo-version of the commit")
	flag.Parse()
	written, err := write(*out, *revision, *version)
	if err != nil {
		fmt.Fprintln(os.Stderr, "modproxy:", err)
		os.Exit(1)
	}
	fmt.Println(written)
}

// write makes the files of one version and returns which it is.
func write(out, revision, version string) (module.Version, error) {
	var m module.Version
	if out == "" || flag.NArg() > 0 {
		return m, errors.New("usage: modproxy -out DIR [-revision REVISION] [-version VERSION]")
	}
	root, err := git(".", "rev-parse", "--show-toplevel")
	if err != nil {
		return m, err
	}
	root = strings.TrimSpace(root)
	commit, err := git(root, "log", "-1", "--format=%H %ct", revision)
	if err != nil {
		return m, err
	}
	hash, seconds, _ := strings.Cut(strings.TrimSpace(commit), " ")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return m, err
	}
	at := time.Unix(unix, 0).UTC()
	mod, err := git(root, "show", hash+":go.mod")
	if err != nil {
		return m, err
	}
	if version == "" {
		version = module.PseudoVersion("", "", at, hash[:12])
	}
	m = module.Version{Path: modfile.ModulePath([]byte(mod)), Version: version}
	if err := module.Check(m.Path, m.Version); err != nil {
		return m, err
	}
	packed, err := pack(m, root, hash)
	if err != nil {
		return m, err
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{version, at})
	if err != nil {
		return m, err
	}
	return m, store(out, m, []file{{".mod", []byte(mod)}, {".zip", packed}, {".info", info}})
}

// pack returns a commit as the zip of a module, without the modules inside it. (zip.CreateFromVCS does not know worktrees of git.)
func pack(m module.Version, root, hash string) (packed []byte, err error) {
	dir, err := os.MkdirTemp("", "modproxy-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	archive := filepath.Join(dir, "archive.tar")
	if _, err := git(root, "archive", "--format=tar", "-o", archive, hash); err != nil {
		return nil, err
	}
	tree := filepath.Join(dir, "tree")
	if err := os.Mkdir(tree, 0o700); err != nil {
		return nil, err
	}
	if said, err := exec.Command("tar", "-xf", archive, "-C", tree).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("tar: %w: %s", err, said)
	}
	var out bytes.Buffer
	err = zip.CreateFromDir(&out, m, tree)
	return out.Bytes(), err
}

// file is one of a version, by how its name ends.
type file struct {
	suffix  string
	content []byte
}

// store writes the files of a version, the last of which describes it, and the list of versions.
func store(out string, m module.Version, files []file) error {
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return err
	}
	dir := filepath.Join(out, filepath.FromSlash(path), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		name := filepath.Join(dir, m.Version+f.suffix)
		// Whoever has fetched a version knows its checksum: it must stay as it is.
		if before, err := os.ReadFile(name); err == nil && !bytes.Equal(before, f.content) {
			return fmt.Errorf("%s is there and holds something else", name)
		}
		if err := os.WriteFile(name, f.content, 0o644); err != nil {
			return err
		}
	}
	list := filepath.Join(dir, "list")
	text, err := os.ReadFile(list)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	versions := strings.Fields(string(text))
	if module.IsPseudoVersion(m.Version) {
		// Lists have released versions only; without one this is what "latest" means.
		if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "@latest"), files[len(files)-1].content, 0o644); err != nil {
			return err
		}
	} else if !slices.Contains(versions, m.Version) {
		versions = append(versions, m.Version)
		semver.Sort(versions)
	}
	return os.WriteFile(list, []byte(strings.Join(append(versions, ""), "\n")), 0o644)
}

func git(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	output, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, said.Bytes())
	}
	return string(output), nil
}
