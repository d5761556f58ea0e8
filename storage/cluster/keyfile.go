package cluster

import "example.org/avatard/storage/cluster/internal/envelope"

// NewKeyFile makes a file with one random key, for [Options]. It never replaces one: the error is fs.ErrExist then.
func NewKeyFile(file string) error { return envelope.Generate(file, "first") }
