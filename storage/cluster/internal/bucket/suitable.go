package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"
)

// Verdict tells what was found out about a bucket.
type Verdict int

// The verdicts on each question.
const (
	// Fine: nothing is in the way of erasing.
	Fine Verdict = iota
	// Notable: operators should know.
	Notable
	// Unknown: the server did not say, for want of rights or because it gave an answer that means nothing.
	Unknown
	// Unsuitable: pictures that are deleted would stay.
	Unsuitable
)

// Result is the verdict on one question, with a sentence for operators.
type Result struct {
	Verdict  Verdict
	Sentence string
}

// Canary is the name of the object that Examine stores and erases, and canaryFolder where it lies.
const (
	canaryFolder = "canary/"
	Canary       = canaryFolder + "erased-at-once"
)

// Examine finds out whether a bucket can erase, in the order in which questions may be asked: it stores nothing where what is stored would
// have to stay. Nothing of it is left behind. Only one process may do it at a time. An error means that the server could not be asked; everything that it answered is in results, which hold nothing that is fine.
func (b *Bucket) Examine(ctx context.Context) (results []Result, err error) {
	for _, question := range []func(context.Context) (Result, error){b.versioning, b.retention, b.replication, b.lifecycle} {
		r, err := question(ctx)
		if err != nil {
			return results, err
		}
		if r.Verdict != Fine {
			results = append(results, r)
		}
		if r.Verdict == Unsuitable {
			return results, nil
		}
	}
	r, err := b.canary(ctx)
	if err == nil && r.Verdict != Fine {
		results = append(results, r)
	}
	return results, err
}

func (b *Bucket) versioning(ctx context.Context) (Result, error) {
	c, err := b.call.versioning(ctx, b.name)
	switch {
	case minio.ToErrorResponse(err).Code == "NoSuchBucket":
		return Result{Unsuitable, fmt.Sprintf("there is no bucket %q; make it, or correct its name", b.name)}, nil
	case err != nil:
		return b.unanswered("versions", err)
	case strings.EqualFold(c.MFADelete, "Enabled"):
		return Result{Unsuitable, "deleting a version takes a second factor (MFA delete), which a server has not"}, nil
	case c.Status == minio.Suspended:
		return Result{Notable, "versioning is suspended: versions from before stay until they are named; turn it on again, or use a bucket that never had it"}, nil
	}
	return Result{}, nil
}

func (b *Bucket) retention(ctx context.Context) (Result, error) {
	lock, mode, validity, unit, err := b.call.lock(ctx, b.name)
	switch {
	case err != nil:
		return b.unanswered("object lock", err)
	case mode != nil:
		period := ""
		if validity != nil && unit != nil {
			period = fmt.Sprintf(" of %d %s", *validity, strings.ToLower(string(*unit)))
		}
		return Result{Unsuitable, fmt.Sprintf("every object is kept by a default retention%s (object lock, %s), so nothing can be erased before; take a bucket without it", period, strings.ToLower(string(*mode)))}, nil
	case lock == minio.Enabled:
		return Result{Notable, "object lock is on: nobody may set a retention or a legal hold on pictures"}, nil
	}
	return Result{}, nil
}

func (b *Bucket) replication(ctx context.Context) (Result, error) {
	c, err := b.call.replication(ctx, b.name)
	switch {
	case err != nil:
		return b.unanswered("replication", err)
	case len(c.Rules) > 0:
		return Result{Unsuitable, "the bucket is replicated, and what is erased here stays in the other one; remove the replication rules"}, nil
	}
	return Result{}, nil
}

func (b *Bucket) lifecycle(ctx context.Context) (Result, error) {
	c, err := b.call.lifecycle(ctx, b.name)
	switch {
	case err != nil:
		return b.unanswered("lifecycle", err)
	case !c.Empty():
		return Result{Notable, "the bucket has lifecycle rules: one that lets objects expire loses pictures that are in use"}, nil
	}
	return Result{}, nil
}

// credentialFaults are sentences for what a server says of a signature, whatever was asked for.
var credentialFaults = map[string]string{
	"InvalidAccessKeyId":           "the S3 server does not know the access key; correct it",
	"SignatureDoesNotMatch":        "the secret is not the one of the access key; correct it",
	"AuthorizationHeaderMalformed": "the S3 server does not take the signature, as a rule because it is in another region; correct the region",
	"RequestTimeTooSkewed":         "the clocks of this machine and of the S3 server are too far apart; set them right",
}

// unanswered judges the error of a question. A server that does not know what is asked for does not do it either; some then answer with
// a listing.
func (b *Bucket) unanswered(what string, err error) (Result, error) {
	r := minio.ToErrorResponse(err)
	if sentence := credentialFaults[r.Code]; sentence != "" {
		return Result{Unsuitable, sentence}, nil
	}
	switch {
	case r.StatusCode == http.StatusNotFound, r.StatusCode == http.StatusNotImplemented, isForeign(err):
		return Result{}, nil
	case r.StatusCode == http.StatusForbidden:
		return Result{Unknown, fmt.Sprintf("the program may not ask for the bucket's %s; allow it to", what)}, nil
	case r.StatusCode == http.StatusBadRequest, r.StatusCode == http.StatusMethodNotAllowed:
		return Result{Unknown, fmt.Sprintf("the server's answer about the bucket's %s means nothing to this program", what)}, nil
	}
	return Result{}, b.failure("asking for "+what, err)
}

// isForeign reports whether an answer was XML of another kind than was asked for.
func isForeign(err error) bool { return strings.Contains(err.Error(), "expected element type <") }

// canary stores an object, reads it, erases it as pictures are, and looks. Only this finds out about rights that are missing and about
// retention that the server does not show.
func (b *Bucket) canary(ctx context.Context) (Result, error) {
	if r, err := b.eraseCanary(ctx); err != nil || r.Verdict != Fine { // a process that was killed may have left it
		return r, err
	}
	version, err := b.Put(ctx, Canary, []byte("canary"))
	if err != nil {
		return refused("store an object", err)
	}
	_, unread := b.Get(ctx, Canary, version, 1024)
	if err := b.Delete(ctx, Canary, version); err != nil {
		return refused("delete a version of an object", err)
	}
	if unread != nil {
		return refused("read an object", unread)
	}
	return b.eraseCanary(ctx)
}

func (b *Bucket) eraseCanary(ctx context.Context) (Result, error) {
	for range 2 {
		found, _, err := b.Versions(ctx, canaryFolder, 100, nil)
		if err != nil {
			return refused("list the versions of objects", err)
		}
		if len(found) == 0 {
			return Result{}, nil
		}
		for _, v := range found {
			if err := b.Delete(ctx, v.Name, v.ID); err != nil {
				return refused("delete a version of an object", err)
			}
		}
	}
	return Result{Unsuitable, "an object that was erased is still listed; the bucket keeps what is deleted"}, nil
}

// refused judges the error of something that the program has to be able to do.
func refused(what string, err error) (Result, error) {
	var status *statusError
	if errors.As(err, &status) && status.status < http.StatusInternalServerError {
		return Result{Unsuitable, fmt.Sprintf("the program may not %s (%s); give its credentials that right, and see that no retention or hold forbids it", what, status)}, nil
	}
	return Result{}, err
}

// identity is the object that tells whose bucket it is.
const identity = "avatard-installation"

// ErrOtherInstallation: the bucket is another installation's, or nobody's while the database has pictures in one.
var ErrOtherInstallation = errors.New("the bucket is not the one of this database")

var errNamesAnother = fmt.Errorf("%w: its object %s names another one; correct the name of the bucket or the address of the database", ErrOtherInstallation, identity)

// Claim makes the bucket the one of an installation. Where it says nothing it is written only if fresh, which tells that the database has
// no picture yet.
func (b *Bucket) Claim(ctx context.Context, installation string, fresh bool) error {
	found, err := b.latest(ctx, identity)
	switch {
	case errors.Is(err, ErrNotFound) && fresh:
		if _, err = b.Put(ctx, identity, []byte(installation)); errors.Is(err, ErrThere) {
			return b.Claim(ctx, installation, false) // another process was faster
		}
		return err
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("%w: it has no object %s; correct the name of the bucket", ErrOtherInstallation, identity)
	case err != nil:
		return err
	case found != installation:
		return errNamesAnother
	}
	return nil
}

// Nobodys returns nil when the bucket is no installation's, ErrOtherInstallation when it is one's.
func (b *Bucket) Nobodys(ctx context.Context) error {
	_, err := b.latest(ctx, identity)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return errNamesAnother
}

// Release makes the bucket nobody's.
func (b *Bucket) Release(ctx context.Context) error {
	for more := true; more; {
		var found []Version
		var err error
		if found, more, err = b.Versions(ctx, identity, 100, nil); err != nil {
			return err
		}
		for _, v := range found {
			if err := b.Delete(ctx, v.Name, v.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// latest returns the newest version of a small object.
func (b *Bucket) latest(ctx context.Context, name string) (string, error) {
	data, err := b.Get(ctx, name, "", 1024)
	return string(data), err
}
