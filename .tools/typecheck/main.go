// Command typecheck says whether the program would compile for other systems, without compiling: it reads the sources of the
// program and of all that it imports as they are for a system, and checks the types in those of this module, of others their
// declarations. That takes seconds, where six compilers take minutes.
//
//	go run .tools/typecheck/main.go linux/arm64 windows/amd64
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// listed is a package as `go list` tells of it.
type listed struct {
	Dir, ImportPath string
	GoFiles         []string
	ImportMap       map[string]string
	Module          *struct{ Main bool }
}

func main() {
	failed := false
	for _, system := range os.Args[1:] {
		if err := check(system); err != nil {
			fmt.Fprintf(os.Stderr, "typecheck: %s: %v\n", system, err)
			failed = true
			continue
		}
		fmt.Printf("%s: types are right\n", system)
	}
	if failed || len(os.Args) < 2 {
		os.Exit(1)
	}
}

// check reads all packages of the program, each behind those that it imports.
func check(system string) error {
	goos, goarch, _ := strings.Cut(system, "/")
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,ImportPath,GoFiles,ImportMap,Module", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	cmd.Stderr = os.Stderr
	list, err := cmd.Output()
	if err != nil {
		return err
	}
	c := &checker{files: token.NewFileSet(), known: map[string]*types.Package{"unsafe": types.Unsafe}, sizes: types.SizesFor("gc", goarch)}
	if c.sizes == nil {
		return errors.New("no such system")
	}
	for packages := json.NewDecoder(bytes.NewReader(list)); ; {
		var p listed
		if err := packages.Decode(&p); err == io.EOF {
			return errors.Join(c.faults...)
		} else if err != nil {
			return err
		}
		if err := c.add(p); err != nil {
			return err
		}
	}
}

type checker struct {
	files  *token.FileSet
	known  map[string]*types.Package
	sizes  types.Sizes
	faults []error
}

// imports finds what a package imports by the path in its source.
type imports struct {
	*checker
	of map[string]string
}

func (i imports) Import(path string) (*types.Package, error) {
	if vendored, ok := i.of[path]; ok {
		path = vendored
	}
	if p := i.known[path]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%s is not there for this system", path)
}

func (c *checker) add(p listed) error {
	if p.ImportPath == "unsafe" {
		return nil
	}
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(c.files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	own := p.Module != nil && p.Module.Main
	config := types.Config{Importer: imports{c, p.ImportMap}, Sizes: c.sizes, IgnoreFuncBodies: !own, FakeImportC: true, Error: func(err error) {
		if own {
			c.faults = append(c.faults, err)
		}
	}}
	checked, _ := config.Check(p.ImportPath, c.files, files, nil) // faults of ours were counted; others' have been compiled by others
	c.known[p.ImportPath] = checked
	return nil
}
