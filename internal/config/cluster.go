package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Bucket is where a cluster keeps pictures: a bucket of an S3 server, and the keys that pictures are encrypted with.
type Bucket struct {
	Endpoint      string
	Region        string
	Name          string
	AccessKey     string
	SecretKey     string // from its file, once Read has returned
	SecretKeyFile string
	KeyFile       string
	AcceptUnknown bool
}

// IsCluster reports whether the data is in a database and a bucket, and not in a directory.
func (c Config) IsCluster() bool { return c.Database != "" || c.DatabaseFile != "" }

// databaseKeys are the settings of which one says that the store is a cluster.
var databaseKeys = []string{"database", "database_file"}

// bucketNeeds are the settings that a cluster cannot do without, beside the database.
var bucketNeeds = []string{"bucket.endpoint", "bucket.name", "bucket.access_key", "bucket.secret_key_file", "bucket.key_file"}

// maxKeyFileBytes is the most that the engine reads of the file of keys.
const maxKeyFileBytes = 1 << 20

// finishCluster looks at what only shows when all settings of the store are read.
func (r *reader) finishCluster(opens bool) {
	c := r.cfg
	if r.given["database"] && r.given["database_file"] {
		r.fault("database", "is set beside database_file; expected only one of them")
	}
	isCluster := r.given["database"] || r.given["database_file"]
	for _, s := range Settings() {
		switch {
		case isCluster && !r.given[s.Key] && slices.Contains(bucketNeeds, s.Key):
			r.fault(s.Key, "is not set, and the database is of no use without it; expected in the file, as --%s or as %s: %s", s.FlagName(), s.Variable(), s.About)
		case !isCluster && r.given[s.Key] && strings.HasPrefix(s.Key, "bucket."):
			r.fault(s.Key, "counts for nothing without database; expected both or neither")
		}
	}
	if !isCluster || !opens {
		return
	}
	if c.DatabaseFile != "" && !r.given["database"] {
		address := r.readSecret("database_file", c.DatabaseFile)
		if address != "" {
			r.faultsOf("database_file", parseDatabase(&c.Database, address))
		}
	}
	if c.Bucket.SecretKeyFile != "" {
		c.Bucket.SecretKey = r.readSecret("bucket.secret_key_file", c.Bucket.SecretKeyFile)
	}
	if c.Bucket.KeyFile != "" {
		if _, err := ReadBounded(c.Bucket.KeyFile, maxKeyFileBytes); err != nil {
			r.fault("bucket.key_file", "%v; expected a readable file of keys", err)
		}
	}
}

// parseDatabase accepts an address of PostgreSQL in either of its forms. Its faults do not quote it, as it may hold a password.
func parseDatabase(to *string, s string) error {
	const expected = "expected postgres://user:password@host/database or host=… user=… dbname=…"
	switch u, err := url.Parse(s); {
	case strings.ContainsAny(s, "\x00\r\n"):
		return errors.New("has more than one line; " + expected)
	case strings.Contains(s, "://"):
		if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
			return errors.New("is no address of PostgreSQL; " + expected)
		}
	case !strings.Contains(s, "="):
		return errors.New("is no address of PostgreSQL; " + expected)
	}
	*to = s
	return nil
}

// holdsPassword reports whether an address of a database has a password in it.
func holdsPassword(address string) bool {
	if u, err := url.Parse(address); err == nil {
		if _, ok := u.User.Password(); ok {
			return true
		}
	}
	return strings.Contains(address, "password")
}

// parseEndpointOfBucket accepts the address of an S3 server, without the bucket's name: that is in the path of requests.
func parseEndpointOfBucket(to *string, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return errors.New("is no address of an S3 server; expected scheme and host, with the port if it has one: https://s3.example.com")
	}
	*to = strings.TrimSuffix(s, "/")
	return nil
}

// bucketName has every name that an S3 server may have given.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$`)

func parseBucketName(to *string, s string) error {
	if !bucketName.MatchString(s) {
		return fmt.Errorf("%q is no name of a bucket; expected 3 to 63 letters, digits, dots and hyphens", s)
	}
	*to = s
	return nil
}
