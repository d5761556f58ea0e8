package faulty

import (
	"context"

	"example.org/avatard/storage"
)

// Engine is an open store whose checks and exports do what a test says. Store is its store, with or without faults; Keeper has the
// methods that are not overridden here. A test leaves out what it does not call.
type Engine struct {
	storage.Store
	storage.Keeper
	// OnCheck is called by Check, which returns an empty summary.
	OnCheck func(ctx context.Context, found func(storage.Finding) error) error
	// OnExport is called by Export.
	OnExport func(ctx context.Context, to func(storage.Record) error) error
}

var _ storage.Engine = Engine{}

// Check implements [storage.Keeper].
func (e Engine) Check(ctx context.Context, _ storage.CheckOptions, found func(storage.Finding) error) (storage.CheckSummary, error) {
	return storage.CheckSummary{}, e.OnCheck(ctx, found)
}

// Export implements [storage.Keeper].
func (e Engine) Export(ctx context.Context, _ storage.ExportOptions, to func(storage.Record) error) error {
	return e.OnExport(ctx, to)
}
