// Command manifests checks files for Kubernetes and Docker Compose as their own programs read them: every field is one that there is,
// and of its type. For Kubernetes it also checks what ties the objects of a file together, and that pods keep the profile "restricted".
//
//	go -C .tools/manifests run . kubernetes FILE | compose FILE
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 {
		switch args[0] {
		case "kubernetes":
			return kubernetes(args[1])
		case "compose":
			return compose(args[1])
		}
	}
	return errors.New("usage: manifests kubernetes FILE | compose FILE")
}

// compose reads a file as Docker Compose does.
func compose(file string) error {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithWorkingDirectory(filepath.Dir(file)), cli.WithResolvedPaths(true))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	for _, s := range project.Services {
		if len(s.CapDrop) == 0 || !s.ReadOnly && s.Name != "database" {
			err = errors.Join(err, fmt.Errorf("service %s: root is not read-only, or capabilities are kept", s.Name))
		}
		for _, secret := range s.Secrets {
			if _, ok := project.Secrets[secret.Source]; !ok {
				err = errors.Join(err, fmt.Errorf("service %s: no secret %s", s.Name, secret.Source))
			}
		}
	}
	return err
}
