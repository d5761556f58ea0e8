// Package bucket speaks to an S3 server: the five requests that keeping and erasing pictures take, and the look at whether a bucket can
// erase at all.
//
//	Put, Get, Delete of one version, Versions of a folder   bucket.go
//	what is sent again after a fault                        again.go
//	what is linked of the library                           calls.go
//	a bucket that cannot erase is refused                   suitable.go
//
// No PUT is ever sent twice: where an answer is lost, a second one would leave a second version whose id nobody was told.
// DELETE, GET and the listing may be repeated.
package bucket

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"example.org/avatard/storage/cluster/internal/hooks"
)

// Errors of a bucket. Compare with errors.Is. Everything else is a fault of the server or of the way to it.
var (
	// ErrNotFound: there is no such object or version.
	ErrNotFound = errors.New("no such object")
	// ErrThere: an object of that name is there already.
	ErrThere = errors.New("the object is there already")
)

// Options tell where a bucket is.
type Options struct {
	// Endpoint is the address of the server, such as https://s3.example.com.
	Endpoint string
	// Region is the server's; "" = us-east-1.
	Region string
	Bucket string
	// AccessKey and SecretKey are what requests are signed with.
	AccessKey, SecretKey string
	// Transport carries the requests; nil = one of its own.
	Transport http.RoundTripper
}

// Bucket is a bucket of an S3 server.
type Bucket struct {
	call      calls
	transport http.RoundTripper
	name      string
	// Requests counts those that were sent, by their kind.
	Requests Requests
}

// New returns a bucket. It sends nothing.
func New(o Options) (*Bucket, error) {
	at, err := url.Parse(o.Endpoint)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return nil, fmt.Errorf("bucket: %q is not the address of an S3 server", o.Endpoint)
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.Transport == nil {
		o.Transport = transport()
	}
	client, err := minio.New(at.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""),
		Secure:       at.Scheme == "https",
		Transport:    o.Transport,
		Region:       o.Region, // else the library asks for it first
		BucketLookup: minio.BucketLookupPath,
		MaxRetries:   retries(),
	})
	if err != nil {
		return nil, fmt.Errorf("bucket: %w", err)
	}
	return &Bucket{call: callsOf(client), transport: o.Transport, name: o.Bucket}, nil
}

// retries is how often the library sends a request.
func retries() int {
	if hooks.Wrong(hooks.ResentPut) {
		return 10 // what it does by itself
	}
	return 1
}

// transport keeps as many connections as there may be callers, or each would shake hands anew.
func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 256, 256
	t.ResponseHeaderTimeout = 10 * time.Second
	t.DisableCompression = true
	return t
}

// Close ends the connections that nobody uses.
func (b *Bucket) Close() {
	if t, ok := b.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// noVersion is the id of an object that was stored while the bucket had no versions, before as well as after it got them.
const noVersion = "null"

// Put stores an object that must not be there yet and returns the id of its version, "null" where the bucket has none. After an error it
// may be there all the same, and may still arrive. So it is sent once, and again only after the server has refused it because of a conflict.
// ErrThere only where the server looks.
func (b *Bucket) Put(ctx context.Context, name string, data []byte) (version string, err error) {
	err = repeat(ctx, conflict, func() error {
		version, err = b.put(ctx, name, data)
		return err
	})
	return version, err
}

func (b *Bucket) put(ctx context.Context, name string, data []byte) (version string, err error) {
	b.Requests.put.Add(1)
	o := minio.PutObjectOptions{DisableMultipart: true, ContentType: "application/octet-stream"}
	if !hooks.Wrong(hooks.ResentPut) {
		o.SetMatchETagExcept("*")
	}
	info, err := b.call.put(ctx, b.name, name, bytes.NewReader(data), int64(len(data)), o)
	if err != nil {
		return "", b.failure("PUT", err)
	}
	return cmp.Or(info.VersionID, noVersion), nil
}

// Get returns a version of an object of at most limit bytes. ErrNotFound when it is not there.
func (b *Bucket) Get(ctx context.Context, name, version string, limit int) (data []byte, err error) {
	err = b.again(ctx, func() error {
		data, err = b.get(ctx, name, version, limit)
		return err
	})
	return data, err
}

func (b *Bucket) get(ctx context.Context, name, version string, limit int) (data []byte, err error) {
	b.Requests.get.Add(1)
	body, info, _, err := b.call.get(ctx, b.name, name, minio.GetObjectOptions{VersionID: version})
	if err != nil {
		return nil, b.failure("GET", err)
	}
	defer body.Close()
	if info.Size < 0 || info.Size > int64(limit) {
		return nil, fmt.Errorf("bucket: GET: an object of %d bytes, at most %d were expected", info.Size, limit)
	}
	data = make([]byte, info.Size)
	if _, err = io.ReadFull(body, data); err != nil {
		return nil, b.failure("GET", err)
	}
	return data, nil
}

// Delete erases a version of an object; when it is not there already, that is a success. There is no way here to delete an object without
// naming its version: in a bucket with versions that leaves every byte behind a delete marker.
func (b *Bucket) Delete(ctx context.Context, name, version string) error {
	return b.again(ctx, func() error {
		b.Requests.deleted.Add(1)
		if hooks.Wrong(hooks.PlainDelete) && !IsOwn(name) {
			version = ""
		}
		err := b.call.remove(ctx, b.name, name, minio.RemoveObjectOptions{VersionID: version})
		if err = b.failure("DELETE", err); errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
}

// Version is one version of an object, or a delete marker.
type Version struct {
	// Name is that of the object.
	Name string
	// ID is what Delete takes; "null" in a bucket without versions.
	ID string
	// Size is how many bytes it has.
	Size int64
	// Marker tells that it is a delete marker. It may hide the bytes of a picture all the same.
	Marker bool
	// Modified is when it came, by the server's clock.
	Modified time.Time
}

// Versions lists versions and delete markers below a prefix, as they are now, but for those that skip says; nil = none. It returns limit of
// them at most; more tells that there are others.
func (b *Bucket) Versions(ctx context.Context, prefix string, limit int, skip func(Version) bool) (found []Version, more bool, err error) {
	err = b.again(ctx, func() error {
		found, more, err = b.versions(ctx, prefix, limit, skip)
		return err
	})
	return found, more, err
}

func (b *Bucket) versions(ctx context.Context, prefix string, limit int, skip func(Version) bool) (found []Version, more bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the library's goroutine
	b.Requests.list.Add(1)
	for o := range b.call.list(ctx, b.name, minio.ListObjectsOptions{
		Prefix: prefix, WithVersions: !hooks.Wrong(hooks.PlainDelete) || IsOwn(prefix), Recursive: true}) {
		if o.Err != nil {
			return nil, false, b.failure("listing", o.Err)
		}
		v := version(o)
		if skip != nil && skip(v) {
			continue
		}
		if len(found) == limit {
			return found, true, nil
		}
		found = append(found, v)
	}
	return found, false, ctx.Err()
}

func version(o minio.ObjectInfo) Version {
	return Version{Name: o.Key, ID: o.VersionID, Size: o.Size, Marker: o.IsDeleteMarker, Modified: o.LastModified}
}

// All calls found for all versions and delete markers of the bucket, in the order of their names. An error of found ends it.
func (b *Bucket) All(ctx context.Context, found func(Version) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the library's goroutine
	for o := range b.call.list(ctx, b.name, minio.ListObjectsOptions{WithVersions: true, Recursive: true}) {
		if o.Err != nil {
			return b.failure("listing", o.Err)
		}
		if err := found(version(o)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// IsOwn reports whether an object is one that this package keeps: the one that tells whose the bucket is, or the canary.
func IsOwn(name string) bool { return name == identity || name == Canary }

// failure makes our error of the library's, whose texts may name the server's inside.
func (b *Bucket) failure(what string, err error) error {
	if err == nil {
		return nil
	}
	r := minio.ToErrorResponse(err)
	switch {
	case r.Code == minio.NoSuchKey || r.Code == "NoSuchVersion":
		return fmt.Errorf("bucket: %s: %w", what, ErrNotFound)
	case r.StatusCode == http.StatusPreconditionFailed || r.Code == "PreconditionFailed":
		return fmt.Errorf("bucket: %s: %w", what, ErrThere)
	case r.StatusCode != 0:
		return fmt.Errorf("bucket: %s: %w", what, &statusError{r.StatusCode, r.Code})
	}
	return fmt.Errorf("bucket: %s: %w", what, err)
}
