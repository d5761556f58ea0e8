//go:build !failpoints

package cluster

import (
	"context"

	"example.org/avatard/storage"
)

// attached makes a change under its caller's context.
func (*Store) attached(ctx context.Context, change func(context.Context) (storage.Result, error)) (storage.Result, error) {
	return change(ctx)
}

// triesAgain reports whether a first step whose answer was lost is sent again.
func triesAgain(context.Context) bool { return false }

// queueOneStatement queues intent and look as one statement. It reports false, as that is not to be.
func (*Store) queueOneStatement(*attempt, storage.Removal, *bool) bool { return false }
