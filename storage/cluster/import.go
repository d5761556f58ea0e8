package cluster

import (
	"context"
	"errors"

	"avatard/storage"
)

// Import implements [storage.Place].
func (p *Place) Import(context.Context, storage.ImportOptions) (storage.ImportSummary, error) {
	return storage.ImportSummary{}, errors.New("not built yet")
}
