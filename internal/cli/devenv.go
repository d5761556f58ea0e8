package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// variable is one line of the environment file.
type variable struct{ name, value string }

// shellText writes variables so that a POSIX shell reads them: assignments first, one export of all of them last.
// Programs that only look for NAME='value' lines can read it too.
func shellText(vars []variable) string {
	var b strings.Builder
	names := make([]string, len(vars))
	for i, v := range vars {
		names[i] = v.name
		fmt.Fprintf(&b, "%s='%s'\n", v.name, strings.ReplaceAll(v.value, "'", `'\''`))
	}
	fmt.Fprintf(&b, "export %s\n", strings.Join(names, " "))
	return b.String()
}

// writeEnvFile puts the variables in place in one step, readable by its owner only. Readers see the whole file or
// none.
func writeEnvFile(file string, vars []variable) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err := tmp.WriteString(shellText(vars)); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

// removeEnvFile takes away what an earlier start left, so that a file that is there means a server that answers.
func removeEnvFile(file string) error {
	info, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is in the way: it is no regular file", file)
	}
	return os.Remove(file)
}

// forgetEnvFile takes the file away when its server stops, unless another one has put its own there since.
func forgetEnvFile(file string, vars []variable) {
	if text, err := os.ReadFile(file); err == nil && string(text) == shellText(vars) {
		_ = os.Remove(file)
	}
}
