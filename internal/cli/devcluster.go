package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.org/avatard/internal/config"
	"example.org/avatard/internal/localservers"
	"example.org/avatard/storage"
)

// devClusterName is the name of the database and of the bucket of dev, and of the folder of their servers' data.
const devClusterName = "cluster"

// place returns where dev keeps its data below dir, and what ends the servers that this takes. issuer is the URL of its provider.
func (flags *devCommand) place(ctx context.Context, inv *Program, dir, issuer string, logger *slog.Logger) (storage.Place, func(), error) {
	if !flags.Cluster {
		return inv.placeOf(config.Config{Data: dir}), func() {}, nil
	}
	logger.Info("starting PostgreSQL and an S3 server", "directory", dir)
	cfg, stop, err := startDevCluster(ctx, filepath.Join(dir, devClusterName), issuer)
	if err != nil {
		return nil, nil, fmt.Errorf("--cluster: %w", err)
	}
	return inv.placeOf(cfg), stop, nil
}

// startDevCluster starts PostgreSQL and an S3 server on what is in dir, and makes there what they keep a store in, and a configuration file
// with which other commands come to it.
func startDevCluster(ctx context.Context, dir, issuer string) (cfg config.Config, stop func(), err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return cfg, nil, err
	}
	if err := errors.Join(os.MkdirAll(dir, 0o700), localservers.LetThrough(filepath.Dir(dir))); err != nil {
		return cfg, nil, err
	}
	secret := rand.Text()
	servers, err := localservers.Start(localservers.Options{Dir: dir, AccessKey: "avatard", SecretKey: secret})
	if err != nil {
		return cfg, nil, err
	}
	cfg = config.Config{Issuer: issuer, Database: servers.DatabaseAddress(devClusterName), Bucket: config.Bucket{
		Endpoint: servers.Endpoint, Region: localservers.Region, Name: devClusterName, AccessKey: "avatard", SecretKey: secret,
		SecretKeyFile: filepath.Join(dir, "secret"), KeyFile: filepath.Join(dir, "keys"),
	}}
	err = servers.Make(ctx, devClusterName, true)
	if err == nil {
		err = newKeyFile(cfg.Bucket.KeyFile)
	}
	if errors.Is(err, fs.ErrExist) {
		err = nil // of an earlier start
	}
	if err == nil {
		err = errors.Join(os.WriteFile(cfg.Bucket.SecretKeyFile, []byte(secret+"\n"), 0o600), os.WriteFile(devClusterFile(dir), devClusterConfig(cfg), 0o600))
	}
	if err != nil {
		servers.Stop()
		return cfg, nil, err
	}
	return cfg, servers.Stop, nil
}

// devClusterFile is the configuration file for other commands.
func devClusterFile(dir string) string { return filepath.Join(dir, "avatard.yaml") }

// devClusterConfig is what is in it.
func devClusterConfig(cfg config.Config) []byte {
	quoted := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	b := cfg.Bucket
	return fmt.Appendf(nil, "issuer: %s\ndatabase: %s\nbucket:\n  endpoint: %s\n  region: %s\n  name: %s\n  access_key: %s\n  secret_key_file: secret\n  key_file: keys\n",
		quoted(cfg.Issuer), quoted(cfg.Database), quoted(b.Endpoint), quoted(b.Region), quoted(b.Name), quoted(b.AccessKey))
}

// giveToIssuer gives everybody whom an earlier start has registered to the issuer of this one, whose port may be another. On a cluster people
// are on record under the URL of the provider: commands open the store themselves, and know no other name of it.
func giveToIssuer(ctx context.Context, store storage.Engine, issuer string) error {
	known, err := store.Issuers()
	if err != nil || slices.Contains(known, issuer) {
		return err
	}
	for _, earlier := range known {
		if earlier == devIssuerKey || strings.HasPrefix(earlier, "http://") && strings.HasSuffix(earlier, devProviderPath) {
			_, err := store.MoveIssuer(ctx, earlier, issuer, devOrigin)
			return err
		}
	}
	return nil
}
