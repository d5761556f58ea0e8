package receiptlog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// HashReader reads the hashes that Frontier.Append gave an engine to store.
type HashReader interface {
	// Hashes returns the hashes of these numbers, in their order: as many as were asked for, else an error. Up to 512 are asked for at once,
	// in no order, and none twice.
	Hashes(ctx context.Context, indexes []int64) ([]Hash, error)
}

// Errors of proofs.
var (
	// ErrNoProof: there is nothing to prove: the place is not in the log, or the older log is the larger one.
	ErrNoProof = errors.New("there is no such proof")
	// ErrNotProven: the proof does not hold.
	ErrNotProven = errors.New("the proof does not hold")
)

// ProveInclusion proves that the log of the given size has the leaf that it has at index: the hashes beside the path from that leaf to the
// root. The errors are ErrNoProof and those of r.
func ProveInclusion(ctx context.Context, r HashReader, size, index int64) ([]Hash, error) {
	if size > MaxSize || index < 0 || index >= size {
		return nil, fmt.Errorf("%w: leaf %d of %d", ErrNoProof, index, size)
	}
	return tlog.ProveRecord(size, index, reader(ctx, r))
}

// ProveConsistency proves that the log of the given size begins with all leaves of the log of the size older. The errors are ErrNoProof and
// those of r.
func ProveConsistency(ctx context.Context, r HashReader, size, older int64) ([]Hash, error) {
	if size > MaxSize || older < 0 || older > size {
		return nil, fmt.Errorf("%w: a log of %d in one of %d", ErrNoProof, older, size)
	}
	if older == 0 {
		return nil, nil
	}
	return tlog.ProveTree(size, older, reader(ctx, r))
}

// reader lets package tlog read, whose calls have no context.
func reader(ctx context.Context, r HashReader) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]Hash, error) { return r.Hashes(ctx, indexes) })
}

// CheckInclusion returns nil when the proof shows that the log of this head has the leaf at index. The errors are ErrNoProof and
// ErrNotProven.
func CheckInclusion(proof []Hash, head Head, index int64, leaf Leaf) error {
	return checkInclusion(proof, head, index, leaf.Hash())
}

func checkInclusion(proof []Hash, head Head, index int64, leaf Hash) error {
	if head.Size > MaxSize || index < 0 || index >= head.Size {
		return fmt.Errorf("%w: leaf %d of %d", ErrNoProof, index, head.Size)
	}
	if tlog.CheckRecord(proof, head.Size, head.Root, index, leaf) != nil {
		return ErrNotProven
	}
	return nil
}

// CheckConsistency returns nil when the proof shows that the log of the head newer begins with all that the log of the head older has. The
// errors are ErrNoProof, also for heads of different logs, and ErrNotProven: the past was rewritten.
func CheckConsistency(proof []Hash, newer, older Head) error {
	if newer.Origin != older.Origin || newer.Size > MaxSize || older.Size < 0 || older.Size > newer.Size {
		return fmt.Errorf("%w: the log %q of %d in the log %q of %d", ErrNoProof, older.Origin, older.Size, newer.Origin, newer.Size)
	}
	if older.Size == 0 {
		if len(proof) != 0 || older.Root != sha256.Sum256(nil) || newer.Size == 0 && newer.Root != older.Root {
			return ErrNotProven
		}
		return nil
	}
	if tlog.CheckTree(proof, newer.Size, newer.Root, older.Size, older.Root) != nil {
		return ErrNotProven
	}
	return nil
}
