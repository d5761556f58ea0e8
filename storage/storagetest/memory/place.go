package memory

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"example.org/avatard/storage"
)

// Place returns where the store of a name is kept.
func (m *Memory) Place(name string) storage.Place { return &place{m, name} }

type place struct {
	memory *Memory
	name   string
}

func (p *place) Open(ctx context.Context, o storage.OpenOptions) (storage.Engine, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	return p.memory.Open(ctx, p.name, o.Now)
}

func (p *place) Exists(context.Context) error {
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	if p.memory.states[p.name] == nil {
		return fmt.Errorf("%w in %s", storage.ErrNoStore, p.name)
	}
	return nil
}

func (p *place) Vacant(ctx context.Context) error {
	if p.Exists(ctx) == nil {
		return fmt.Errorf("%w in %s", storage.ErrStoreExists, p.name)
	}
	return nil
}

func (p *place) Schema(ctx context.Context) (version, newest int, err error) {
	return 1, 1, p.Exists(ctx)
}

func (p *place) Migrate(ctx context.Context, _ func(int)) (from int, err error) {
	return 1, p.Exists(ctx)
}

func (p *place) Inspect(ctx context.Context, o storage.CheckOptions, found func(storage.Finding) error) (storage.CheckSummary, error) {
	if err := p.Exists(ctx); err != nil {
		return storage.CheckSummary{}, err
	}
	s, err := p.Open(ctx, storage.OpenOptions{})
	if err != nil {
		return storage.CheckSummary{}, err
	}
	defer s.Close()
	return s.Check(ctx, o, found)
}

func (p *place) ControlDir() string { return "" }
func (p *place) String() string     { return p.name }

func (p *place) Scratch() (storage.ScratchFile, error) { return new(scratch), nil }

// scratch is a file in memory.
type scratch struct {
	mu   sync.Mutex
	data []byte
}

func (f *scratch) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if end := off + int64(len(p)); end > int64(len(f.data)) {
		f.data = append(f.data, make([]byte, end-int64(len(f.data)))...)
	}
	return copy(f.data[off:], p), nil
}

func (f *scratch) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if off >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *scratch) Close() error { return nil }
func (f *scratch) Name() string { return "memory" }
