package cli

import (
	"context"
	"errors"
	"log/slog"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/config"
	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster"
	"example.org/avatard/storage/embedded"
)

// placeOf returns where the data of a configuration is kept. Nothing else in the program names an engine.
func placeOf(cfg config.Config) storage.Place {
	if !cfg.IsCluster() {
		return embedded.At(embedded.Config{Dir: cfg.Data})
	}
	b := cfg.Bucket
	return cluster.At(cluster.Options{
		Database: cfg.Database, KeyFile: b.KeyFile, AcceptUnknown: b.AcceptUnknown,
		Bucket: cluster.BucketOptions{Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Name, AccessKey: b.AccessKey, SecretKey: b.SecretKey},
	})
}

// newKeyFile makes a file of keys for the bucket of a cluster, unless there is one.
func newKeyFile(file string) error { return cluster.NewKeyFile(file) }

// placeOf is what the program uses in place of the function of this name.
func (p *Program) placeOf(cfg config.Config) storage.Place {
	if p.Place != nil {
		return p.Place(cfg)
	}
	return placeOf(cfg)
}

// serverOf returns the client of the server that has a place open. Its calls answer admin.ErrNoServer when there is none.
func serverOf(place storage.Place) admin.Client { return admin.NewClient(place.ControlDir()) }

// withStore opens a store that no one server has for itself, and that is there unless it may be made.
func withStore(ctx context.Context, place storage.Place, mayMake bool, do func(storage.Engine) error) (err error) {
	if !mayMake {
		if err := place.Exists(ctx); err != nil {
			return err
		}
	}
	store, err := place.Open(ctx, storage.OpenOptions{Logger: slog.New(slog.DiscardHandler), AsIs: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return do(store)
}
