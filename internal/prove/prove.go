// Package prove shows somebody who doubts it that deletes are real. It runs the program as a server of its own, in a process that it
// kills, calls it as any caller does, and searches every file that the server has written.
//
//	prove.go     the order of the proof
//	process.go   the server's process: start, kill
//	provider.go  the identity provider whose tokens the server believes
//	pictures.go  the pictures, what is known of each, and calls on them
//	kill.go      a kill among deletes, and what the next start makes of it
//	search.go    what a search finds, and what it must not find
//	report.go    what was seen, as JSON and in sentences
//
// It knows no engine and reads no metadata: the API on one side, files on the other. What it cannot see is in the report; the proofs below
// test/proof are the long ones, which also cut the power.
package prove

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// How many pictures there are.
const (
	kept    = 12 // to the end
	deleted = 24 // while the server runs
	perKill = 20 // are being deleted when a kill comes
	kills   = 3

	total = kept + deleted + kills*perKill
)

// Config says how a proof is made.
type Config struct {
	// Program is the file to run as the server.
	Program string
	// Environ is added to the environment of the server, which takes no settings from it.
	Environ []string
	// Version names the caller in the server's log.
	Version string
	// Dir is a directory for everything that is written, and for nothing else. It is removed at the end.
	Dir string
	// Keep leaves it when all went well, too, and the pictures beside the server's files. Where a piece was found it stays in any case.
	Keep bool
	// Tell is called with each step of the proof in a sentence, as soon as it was seen.
	Tell func(sentence string)
}

// errSeen ends a proof that has seen what must not be; the report says what.
var errSeen = errors.New("the deletes are not what they are said to be")

// Run makes the proof, in a few seconds. It ends at the first thing that must not be, which is in the report and no error. An error is what
// kept the proof from being made; then the report says how far it came.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Tell == nil {
		cfg.Tell = func(string) {}
	}
	report := newReport()
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return report, err
	}
	p := &proof{cfg: cfg, dir: dir, report: report}
	err = p.make(ctx)
	p.end()
	seen := errors.Is(err, errSeen)
	report.Gone = err == nil
	if !seen && !cfg.Keep {
		return report, errors.Join(err, os.RemoveAll(dir))
	}
	if seen {
		err = nil
	}
	report.Directory = dir
	return report, errors.Join(err, p.writePictures(filepath.Join(dir, "pictures")))
}

// proof is one run.
type proof struct {
	cfg      Config
	dir      string // of everything that is written
	report   *Report
	provider *provider
	server   *process // nil while none runs
	album
}

// make makes the proof. errSeen when it has seen what must not be.
func (p *proof) make(ctx context.Context) (err error) {
	if p.provider, err = startProvider(); err != nil {
		return fmt.Errorf("start the identity provider: %w", err)
	}
	steps := []func(context.Context) error{p.start, p.fill, p.control, p.deleteSome}
	for range kills {
		steps = append(steps, p.killAmid)
	}
	for _, step := range append(steps, p.checkKept, p.lastLook) {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// start starts the server on the directory.
func (p *proof) start(ctx context.Context) (err error) {
	p.server, err = startProcess(ctx, p.cfg, p.dir, p.provider)
	if err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	p.connect(p.server.url, p.provider.token, p.cfg.Version)
	return nil
}

// deleteSome deletes pictures while the server runs on.
func (p *proof) deleteSome(ctx context.Context) error {
	began := time.Now()
	if err := p.deleteAll(ctx, 0, deleted); err != nil {
		return p.problem("a delete failed while nothing was wrong: %v", err)
	}
	p.deleteTime = time.Since(began) * callers / deleted
	if err := p.wantGone(ctx, 0, deleted); err != nil {
		return err
	}
	found, err := p.search("after deletes that were answered with 200, while the server runs")
	if err != nil {
		return err
	}
	p.report.Deletes = &Deletes{Answered: deleted, Others: total - deleted, OthersFound: found.pictures}
	p.cfg.Tell(p.report.Deletes.String())
	return nil
}

// checkKept reads the pictures that nobody has deleted.
func (p *proof) checkKept(ctx context.Context) error {
	for i := total - kept; i < total; i++ {
		there, err := p.read(ctx, i)
		if err != nil {
			return p.problem("picture %d, which nobody has deleted, cannot be read: %v", i, err)
		}
		if !there {
			return p.problem("picture %d, which nobody has deleted, is gone", i)
		}
	}
	return nil
}

// lastLook kills the server once more, when everything is answered, and searches what it left for good.
func (p *proof) lastLook(context.Context) error {
	p.server.kill()
	p.server = nil
	found, err := p.search("at the end, with no server running")
	if err != nil {
		return err
	}
	if found.pictures != kept {
		return p.problem("of the %d pictures that can be read the search finds %d: it is blind, and what it did not find means nothing", kept, found.pictures)
	}
	files, bytes, err := measure(p.dir)
	if err != nil {
		return err
	}
	p.report.End = &End{Deleted: total - kept, Kept: kept, Files: files, Bytes: bytes}
	p.cfg.Tell(p.report.End.String())
	return nil
}

// problem puts on record what must not be, and ends the proof.
func (p *proof) problem(format string, args ...any) error {
	p.report.Problems = append(p.report.Problems, fmt.Sprintf(format, args...))
	return errSeen
}

// end ends what was started.
func (p *proof) end() {
	p.disconnect()
	if p.server != nil {
		p.server.kill()
	}
	if p.provider != nil {
		p.provider.stop()
	}
}
