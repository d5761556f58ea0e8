package bucket

import (
	"context"
	"io"
	"iter"
	"net/http"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/lifecycle"
	"github.com/minio/minio-go/v7/pkg/replication"
)

// calls are those of the library that a bucket makes. Its client has some two hundred, and a program in which a value is of that type links all
// of them (700 kB), because they might be called by their names.
type calls struct {
	put         func(ctx context.Context, bucket, name string, data io.Reader, size int64, o minio.PutObjectOptions) (minio.UploadInfo, error)
	get         func(ctx context.Context, bucket, name string, o minio.GetObjectOptions) (io.ReadCloser, minio.ObjectInfo, http.Header, error)
	remove      func(ctx context.Context, bucket, name string, o minio.RemoveObjectOptions) error
	list        func(ctx context.Context, bucket string, o minio.ListObjectsOptions) iter.Seq[minio.ObjectInfo]
	versioning  func(ctx context.Context, bucket string) (minio.BucketVersioningConfiguration, error)
	lock        func(ctx context.Context, bucket string) (string, *minio.RetentionMode, *uint, *minio.ValidityUnit, error)
	replication func(ctx context.Context, bucket string) (replication.Config, error)
	lifecycle   func(ctx context.Context, bucket string) (*lifecycle.Configuration, error)
}

func callsOf(client *minio.Client) calls {
	return calls{
		put: client.PutObject, get: minio.Core{Client: client}.GetObject, remove: client.RemoveObject, list: client.ListObjectsIter,
		versioning: client.GetBucketVersioning, lock: client.GetObjectLockConfig,
		replication: client.GetBucketReplication, lifecycle: client.GetBucketLifecycle,
	}
}
