package testbed

import (
	"errors"
	"os"
	"path/filepath"

	"example.org/avatard/storage/cluster"
	"example.org/avatard/storage/cluster/clustertest"
)

// ClusterSettings returns the environment of a server on a database and a bucket of package clustertest's servers. It makes the files that
// it names in dir.
func ClusterSettings(dir, database, endpoint, bucket string) (environ []string, err error) {
	keys, secret := filepath.Join(dir, "keys"), filepath.Join(dir, "secret")
	err = errors.Join(cluster.NewKeyFile(keys), os.WriteFile(secret, []byte(clustertest.SecretKey), 0o600))
	return []string{
		"AVATARD_DATABASE=" + database,
		"AVATARD_BUCKET_ENDPOINT=" + endpoint,
		"AVATARD_BUCKET_REGION=" + clustertest.Region,
		"AVATARD_BUCKET_NAME=" + bucket,
		"AVATARD_BUCKET_ACCESS_KEY=" + clustertest.AccessKey,
		"AVATARD_BUCKET_SECRET_KEY_FILE=" + secret,
		"AVATARD_BUCKET_KEY_FILE=" + keys,
	}, err
}
