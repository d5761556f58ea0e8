package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"example.org/avatard/internal/bulkimport"
	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

const (
	lookEvery   = 2 * time.Millisecond
	importLimit = 30 * time.Minute
	refusedCode = 7 // the exit code when some files are refused
)

// told is what the last run printed.
type told struct {
	refusals []bulkimport.Refusal
	summary  *bulkimport.Summary
}

func (p *proof) journal() string { return filepath.Join(p.o.dir, "journal") }

// importAll runs the import until it has ended by itself, and kills it on the way.
func (p *proof) importAll(ctx context.Context) (told, error) {
	ctx, cancel := context.WithTimeout(ctx, importLimit)
	defer cancel()
	token := filepath.Join(p.o.dir, "token")
	if err := os.WriteFile(token, []byte(p.testbed.Manager()+"\n"), 0o600); err != nil {
		return told{}, err
	}
	began := time.Now()
	random := rand.New(rand.NewPCG(p.o.seed, 7))
	for kill := range p.o.kills {
		// Somewhere within its share of the whole.
		after := (2*kill+1)*p.o.files/(2*p.o.kills) + random.IntN(p.o.files/(2*p.o.kills)+1) - p.o.files/(4*p.o.kills)
		if err := p.importAndKill(ctx, token, after, random); err != nil {
			return told{}, err
		}
		if err := p.deleteSome(ctx); err != nil {
			return told{}, err
		}
	}
	if p.o.forget {
		if err := os.Remove(p.journal()); err != nil {
			return told{}, err
		}
	}
	cmd, out := p.command(ctx, token)
	err := cmd.Run()
	p.figures.took = time.Since(began)
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != refusedCode {
		return told{}, fmt.Errorf("the last run ended with %w, want exit code %d:\n%s", err, refusedCode, cmd.Stderr)
	}
	return read(out)
}

// command returns a run of the import that has not begun.
func (p *proof) command(ctx context.Context, token string) (*exec.Cmd, *bytes.Buffer) {
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, p.binary, "import", p.pictures(), "--org", testbed.Organization, "--url", p.server.URL, //nolint:gosec // the program, from Build
		"--token-file", token, "--journal", p.journal(), "--json")
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{}, &out, &errOut
	return cmd, &out
}

// importAndKill kills a run after so many uploads in all were acknowledged to it, and a little later than that.
func (p *proof) importAndKill(ctx context.Context, token string, after int, random *rand.Rand) error {
	cmd, out := p.command(ctx, token)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		lines, err := p.acknowledged()
		if err != nil {
			return err
		}
		if lines >= after {
			break
		}
		select {
		case err := <-ended:
			return fmt.Errorf("a run ended before it was killed, after %d uploads: %w\n%s%s", lines, err, cmd.Stderr, out)
		case <-time.After(lookEvery):
		}
	}
	select {
	case err := <-ended:
		return fmt.Errorf("a run ended before it was killed: %w", err)
	case <-time.After(time.Duration(random.IntN(20)) * time.Millisecond):
	}
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	if err := <-ended; err == nil {
		return errors.New("a run ended well at the moment at which it was killed")
	}
	lines, err := p.acknowledged()
	p.figures.killedAt = append(p.figures.killedAt, lines)
	return err
}

// acknowledged counts the uploads that the journal has.
func (p *proof) acknowledged() (int, error) {
	text, err := os.ReadFile(p.journal())
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return max(0, bytes.Count(text, []byte{'\n'})-1), err // the first line is about the import
}

// deletedEach is how many users delete their picture between two runs.
const deletedEach = 5

// deleteSome deletes pictures of users whose upload was acknowledged.
func (p *proof) deleteSome(ctx context.Context) error {
	text, err := os.ReadFile(p.journal())
	if err != nil {
		return err
	}
	imported := map[string]bool{}
	for line := range bytes.Lines(text) {
		var e struct{ User string }
		if json.Unmarshal(line, &e) == nil && bytes.HasSuffix(line, []byte{'\n'}) {
			imported[e.User] = true
		}
	}
	calls := testbed.NewClient(p.server.URL)
	defer calls.Close()
	left := deletedEach
	for _, f := range p.files {
		if left == 0 || f.reason != "" || f.deleted || !imported[f.user] {
			continue
		}
		if a := calls.Remove(ctx, client.REST, client.Bearer(p.testbed.Manager()), f.user); !a.Acknowledged() {
			return fmt.Errorf("delete of %s: %v", f.user, a)
		}
		f.deleted = true
		p.figures.deleted++
		left--
	}
	return nil
}

// read reads what a run printed.
func read(out *bytes.Buffer) (t told, err error) {
	for line := range bytes.Lines(out.Bytes()) {
		var said struct {
			bulkimport.Refusal
			Summary *bulkimport.Summary
		}
		if err := json.Unmarshal(line, &said); err != nil {
			return t, fmt.Errorf("%w: %s", err, line)
		}
		if said.Summary != nil {
			t.summary = said.Summary
		} else {
			t.refusals = append(t.refusals, said.Refusal)
		}
	}
	if t.summary == nil {
		return t, errors.New("the last run printed no summary")
	}
	return t, nil
}
