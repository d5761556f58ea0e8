//go:build !failpoints

package embedded

import "example.org/avatard/storage/embedded/internal/slab"

// These functions leave every step where it is. With the tag failpoints those of wrongorder_on.go stand in their place.

type stepOrder struct{}

func (*stepOrder) apply(*Store, applied) (done applied, ok bool) { return applied{}, false }

func freedOnRecord(freed []erasure) []erasure { return freed }

func freeEarly(*Store, erasure) error { return nil }

func cutEarly(*slab.Slab, slab.Region) error { return nil }

func (*database) allowEarlyReuse() error { return nil }
