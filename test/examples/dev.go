package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"example.org/avatard/test/client"
)

// startLimit is how long the server may take to be ready.
const startLimit = 30 * time.Second

// dev is a running "avatard dev".
type dev struct {
	dir       string            // for what a check writes
	variables map[string]string // of its environment file
	picture   []byte            // to upload
	calls     *client.Client
	cmd       *exec.Cmd
}

// startDev starts binary, whose files are in dir, and returns when it is ready.
func startDev(ctx context.Context, binary, dir string) (*dev, error) {
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "dev.env")
	log, err := os.Create(filepath.Join(dir, "dev.log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), binary, "dev", "--listen", "127.0.0.1:0", "--env-file", file) //nolint:gosec // the program that was built
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, dir
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	d := &dev{dir: dir, picture: picture.Bytes(), cmd: cmd}
	// The file is written when the server is ready, and put in place as a whole.
	limit, tick := time.NewTimer(startLimit), time.NewTicker(20*time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	for {
		text, err := os.ReadFile(file)
		if err == nil {
			d.variables = variablesIn(string(text))
			d.calls = client.New(client.Config{URL: d.variables["AVATARD_URL"], Timeout: startLimit})
			return d, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			d.stop()
			return nil, ctx.Err()
		case <-limit.C:
			d.stop()
			said, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("dev was not ready within %v:\n%s", startLimit, said)
		}
	}
}

// stop ends the server.
func (d *dev) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	_ = d.cmd.Wait()
}

// variablesIn reads lines of NAME='value'.
func variablesIn(text string) map[string]string {
	variables := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if value, quoted := strings.CutPrefix(value, "'"); ok && quoted {
			variables[name] = strings.TrimSuffix(value, "'")
		}
	}
	return variables
}

// of returns the variable of a name, such as USER_ALICE.
func (d *dev) of(name string) string { return d.variables[name] }

// give makes sure that Acme's Alice and Bob have a picture.
func (d *dev) give(ctx context.Context) error {
	header := client.Bearer(d.of("TOKEN_MANAGER"))
	for _, user := range []string{"USER_ALICE", "USER_BOB"} {
		if answer := d.calls.Upload(ctx, header, d.of(user), d.picture); !answer.Acknowledged() {
			return fmt.Errorf("upload for %s: %v", user, answer)
		}
	}
	return nil
}

// wantGone checks who of them has none any more.
func (d *dev) wantGone(ctx context.Context, gone ...string) error {
	for _, user := range []string{"USER_ALICE", "USER_BOB"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.of("AVATARD_URL")+client.PicturePath(d.of("ORG_ACME"), d.of(user)), nil)
		if err != nil {
			return err
		}
		res, err := (&http.Client{Timeout: startLimit}).Do(req)
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		want := http.StatusOK
		for _, name := range gone {
			if name == user {
				want = http.StatusNotFound
			}
		}
		if res.StatusCode != want {
			return fmt.Errorf("the picture of %s answers %d, want %d", user, res.StatusCode, want)
		}
	}
	return nil
}

// run runs a command in a folder with the variables of dev and more of them, and returns what it prints, both streams together, and its
// exit code.
func (d *dev) run(ctx context.Context, folder, stdin string, more map[string]string, name string, args ...string) (output string, code int, err error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // what this program and the READMEs say
	cmd.Dir, cmd.Stdin = folder, strings.NewReader(stdin)
	cmd.Env = append(cmd.Environ(), "NO_COLOR=1")
	all := maps.Clone(d.variables)
	maps.Copy(all, more)
	for name, value := range all {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Writer(&out), &out
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), exit.ExitCode(), nil
	}
	return out.String(), 0, err
}

// failure is why a command is no success: it could not be run, or its exit code.
func failure(code int, err error) error {
	return cmp.Or(err, fmt.Errorf("exit code %d", code))
}

// try runs a command and checks its exit code, and that every word stands in what it prints; a token must not.
func (d *dev) try(ctx context.Context, folder, stdin string, more map[string]string, code int, words []string, name string, args ...string) error {
	output, got, err := d.run(ctx, folder, stdin, more, name, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if got != code {
		return fmt.Errorf("%s %s: exit code %d, want %d:\n%s", name, strings.Join(args, " "), got, code, output)
	}
	for _, word := range words {
		if !strings.Contains(output, word) {
			return fmt.Errorf("%s %s: no %q in:\n%s", name, strings.Join(args, " "), word, output)
		}
	}
	for name, value := range d.variables {
		if strings.HasPrefix(name, "TOKEN_") && strings.Contains(output, value) {
			return fmt.Errorf("the output has the token %s", name)
		}
	}
	return nil
}
