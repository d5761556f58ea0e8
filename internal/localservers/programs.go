package localservers

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// ErrMissing: a program that is needed is not installed.
var ErrMissing = errors.New("not installed")

type programs struct{ initdb, postgres, gateway string }

// findPrograms finds all that are needed, or names all that are missing.
func findPrograms() (p programs, err error) {
	var errs [2]error
	if p.initdb, errs[0] = postgresProgram("initdb"); errs[0] == nil {
		p.postgres, errs[0] = postgresProgram("postgres")
	}
	p.gateway, errs[1] = gatewayProgram()
	return p, errors.Join(errs[:]...)
}

// postgresProgram finds a program of PostgreSQL, also where Debian puts it, of the newest version.
func postgresProgram(name string) (string, error) {
	if found, err := exec.LookPath(name); err == nil {
		return found, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	slices.SortFunc(found, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	if len(found) == 0 {
		return "", fmt.Errorf("PostgreSQL's %s is %w: it comes with Debian's package postgresql", name, ErrMissing)
	}
	return found[len(found)-1], nil
}

// gatewayProgram finds the S3 server, also in a folder bin of the working directory, or above it.
func gatewayProgram() (string, error) {
	const name = "versitygw"
	if found, err := exec.LookPath(name); err == nil {
		return found, nil
	}
	at, err := os.Getwd()
	for err == nil {
		found := filepath.Join(at, "bin", name)
		if info, err := os.Stat(found); err == nil && info.Mode().IsRegular() {
			return found, nil
		}
		up := filepath.Dir(at)
		if up == at {
			break
		}
		at = up
	}
	return "", fmt.Errorf("the S3 server %s is %w: \"go install github.com/versity/versitygw/cmd/%s@latest\" builds it, and in avatard's repository .tools/install.sh %s does", name, ErrMissing, name, name)
}
