package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/internal/cli"
	"example.org/avatard/internal/config"
	"example.org/avatard/internal/prove"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
)

// leakyServer is the variable that makes the server of a proof one that keeps a copy of each picture.
const leakyServer = "LEAKY_SERVER"

// becomeProvedServer makes this process the server of avatard prove, which starts its own program again: this one.
func becomeProvedServer() {
	if len(os.Args) < 2 || os.Args[1] != "serve" {
		return
	}
	p := &cli.Program{Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if os.Getenv(leakyServer) != "" {
		p.Place = func(cfg config.Config) storage.Place {
			return leakyPlace{embedded.At(embedded.Config{Dir: cfg.Data}), cfg.Data}
		}
	}
	err := p.Run(cli.EndOnSignal(context.Background()), os.Args[1:])
	os.Exit(cli.Report(os.Stderr, err)) //nolint:revive // this process is the program, and its exit code is not that of a test
}

// leakyPlace is a store that keeps a copy of each picture which no delete reaches.
type leakyPlace struct {
	storage.Place
	dir string
}

func (p leakyPlace) Open(ctx context.Context, o storage.OpenOptions) (storage.Engine, error) {
	engine, err := p.Place.Open(ctx, o)
	return leakyEngine{engine, p.dir}, err
}

type leakyEngine struct {
	storage.Engine
	dir string
}

func (e leakyEngine) Put(ctx context.Context, up storage.Upload) (storage.Result, error) {
	if err := os.WriteFile(filepath.Join(e.dir, "copy-"+up.User.ID), up.Picture.Data, 0o600); err != nil {
		return storage.Result{}, err
	}
	return e.Engine.Put(ctx, up)
}

// avatard prove finds nothing of what it has deleted, and leaves nothing behind. With a server that keeps copies it says where they are.
func TestProve(t *testing.T) {
	for name, tt := range map[string]struct {
		environ []string
		code    int
	}{
		"deletes are real":         {nil, cli.ExitOK},
		"a server that has copies": {[]string{leakyServer + "=1"}, cli.ExitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var stdout, stderr bytes.Buffer
			err := run(t.Context(), []string{"prove", "--json", "--dir", dir}, append(os.Environ(), tt.environ...), &stdout, &stderr)
			if code := cli.Report(&stderr, err); code != tt.code {
				t.Fatalf("exit code %d, want %d: %s", code, tt.code, stderr.String())
			}
			var report prove.Report
			if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
				t.Fatalf("the report: %v\n%s", err, stdout.String())
			}
			if report.Control == nil || report.Control.Pictures != report.Pictures {
				t.Fatalf("the control has found %+v of %d pictures", report.Control, report.Pictures)
			}
			if tt.code == cli.ExitFailed {
				wantCopiesFound(t, dir, report)
				return
			}
			if !report.Gone || len(report.Kills) != 3 || report.End == nil || len(report.Pieces)+len(report.Problems) > 0 {
				t.Errorf("the report is %s", stdout.String())
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("the proof has left %v, %v", left, err)
			}
		})
	}
}

func wantCopiesFound(t *testing.T, dir string, report prove.Report) {
	t.Helper()
	if report.Gone || len(report.Pieces) == 0 || filepath.Dir(report.Directory) != dir {
		t.Fatalf("the report is %+v", report)
	}
	for _, piece := range report.Pieces {
		if want := filepath.Join("data", "copy-"+piece.User); piece.File != want {
			t.Errorf("a piece is in %s, want %s", piece.File, want)
		}
		if !strings.HasPrefix(piece.When, "after deletes that were answered") {
			t.Errorf("a piece was found %s", piece.When)
		}
	}
	if pictures, err := os.ReadDir(filepath.Join(report.Directory, "pictures")); err != nil || len(pictures) != report.Pictures {
		t.Errorf("beside the server's files are %d pictures, %v, want %d", len(pictures), err, report.Pictures)
	}
}
