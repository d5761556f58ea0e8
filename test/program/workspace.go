package program

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Workspace makes a directory of its own for one run: what an earlier run has left must not be found. It is below parent, which is made if need be;
// "" stands for the system's place for temporary files. end is to be deferred with the run's error. It removes the directory after a success,
// and after a failure tells out where what is left of the run is.
func Workspace(parent, name string, out io.Writer) (dir string, end func(*error), err error) {
	if parent != "" {
		if err := os.MkdirAll(parent, 0o700); err != nil {
			return "", nil, err
		}
	}
	if dir, err = os.MkdirTemp(parent, "avatard-"+name+"-"); err != nil {
		return "", nil, err
	}
	return dir, func(failed *error) {
		if *failed == nil {
			*failed = os.RemoveAll(dir)
			return
		}
		_, err := fmt.Fprintln(out, "what is left of the run is in", dir)
		*failed = errors.Join(*failed, err)
	}, nil
}
