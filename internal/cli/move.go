package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"example.org/avatard/internal/config"
	"example.org/avatard/server"
	"example.org/avatard/storage"
	"example.org/avatard/storage/move"
)

// moveCommand is "move".
type moveCommand struct {
	settingFlags
	From  string `placeholder:"DIR|FILE" help:"data directory to move away from, or the configuration file of a server whose data moves"`
	Serve bool   `help:"answer calls meanwhile, as serve does, but for uploads; and afterwards, until it is ended"`
}

// Run moves data to where the settings say.
func (flags *moveCommand) Run(ctx context.Context, inv *Program) error {
	if flags.From == "" {
		return usagef("move takes --from, a data directory or a configuration file")
	}
	from, err := flags.source(inv)
	if err != nil {
		return err
	}
	if flags.Serve {
		return flags.serve(ctx, inv, from)
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	if cfg.Data, err = filepath.Abs(cfg.Data); err != nil { // the source has it on record
		return err
	}
	if away, err := filepath.Abs(flags.From); err != nil || cfg.Database == "" && away == cfg.Data {
		return errors.Join(err, usagef("move: the data is in %s already", flags.From))
	}
	to := inv.placeOf(cfg)
	bars := &moveProgress{w: inv.Stderr}
	sum, err := move.Run(ctx, move.Options{From: from, To: to, Progress: bars.set})
	bars.finish()
	switch {
	case errors.Is(err, storage.ErrInUse):
		return fmt.Errorf("move: %w: stop the server; from a directory, move --serve can take its place", err)
	case isFinal(err):
		return fmt.Errorf("move: %w", err)
	case err != nil:
		return fmt.Errorf("move: %w; the same command goes on from here", err)
	}
	return printMove(inv.Stdout, from, to, sum)
}

// isFinal reports whether a move that failed would fail again.
func isFinal(err error) bool {
	for _, final := range [...]error{storage.ErrMoved, storage.ErrNoStore, storage.ErrStoreExists} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// source returns where the data is.
func (flags *moveCommand) source(inv *Program) (storage.Movable, error) {
	cfg := config.Default()
	cfg.Data = flags.From
	if info, err := os.Stat(flags.From); err == nil && info.Mode().IsRegular() {
		if cfg, err = config.Read(nil, &config.Flags{File: flags.From}, "data"); err != nil {
			return nil, err
		}
	}
	from, ok := inv.placeOf(cfg).(storage.Movable)
	if !ok {
		return nil, fmt.Errorf("move: data in %s cannot be moved; see backup and restore", flags.From)
	}
	return from, nil
}

// serve serves what is moved, and then goes on as serve does.
func (flags *moveCommand) serve(ctx context.Context, inv *Program, from storage.Movable) error {
	cfg, err := readServeConfig(inv, flags.Flags)
	if err != nil {
		return err
	}
	log := server.NewLogWriter(inv.Stderr)
	defer log.Close()
	to := inv.placeOf(cfg)
	place := move.Place(move.Options{From: from, To: to, Organizations: cfg.StartOrganizations(), Registrar: registrar}, func(sum move.Summary) {
		_ = printMove(inv.Stdout, from, to, sum) // it is in the log, too
	})
	moving := *inv
	moving.Place = func(config.Config) storage.Place { return place }
	return moving.serve(ctx, cfg, func() (config.Config, error) { return readServeConfig(inv, flags.Flags) }, log)
}

func printMove(w io.Writer, from, to storage.Place, sum move.Summary) (err error) {
	if sum == (move.Summary{}) {
		_, err = fmt.Fprintf(w, "nothing to move: everything of %s is in %s\n", from, to)
		return err
	}
	_, err = fmt.Fprintf(w, "moved: %s and %s are in %s, compared byte by byte; %s erased from %s\n",
		countOf(sum.Users, "user"), countOf(sum.Pictures, "picture"), to, countOf(sum.Erased, "picture"), from)
	return err
}

// moveProgress shows one step of a move after the other.
type moveProgress struct {
	w    io.Writer
	step string
	bar  *progress
}

func (m *moveProgress) set(step string, done, total int64) {
	if m.step != step {
		m.finish()
		m.step, m.bar = step, startProgress(m.w, step, int(total))
	}
	m.bar.set(done, total)
}

func (m *moveProgress) finish() {
	if m.bar != nil {
		m.bar.finish()
		m.bar = nil
	}
}
