package cli

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"sync"
	"sync/atomic"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
)

const (
	// devIssuerKey is what users of dev are stored under in a directory. Its provider's URL changes with the port; the people stay.
	devIssuerKey = "dev"
	// devProviderPath is the path of the provider, with which its URL ends.
	devProviderPath = "/idp"

	// devSeedFirst is the id of the first user of --seed-users; the others follow it.
	devSeedFirst = 250000000000000001
	devMaxUsers  = 10_000_000

	// devSeedWorkers is how many uploads wait for the engine's syncs together.
	devSeedWorkers = 128
)

var devOrigin = storage.Origin{Caller: "development seed"}

// seed registers everybody that dev starts with, and tells how far it is.
func (r *devRun) seed(ctx context.Context, seeded *devidp.Seeded) error {
	count := r.flags.SeedUsers
	if err := r.seedPeople(ctx, seeded); err != nil || count == 0 {
		return err
	}
	report := startProgress(r.Stderr, "seeding users", count)
	added, err := r.seedCrowd(ctx, devidp.OrgAcme, count, r.flags.SeedBytes, report)
	report.finish()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.Stderr, "%d users added, %d were there already\n", added, int64(count)-added)
	return err
}

// seedPeople registers the organisations and people of the provider, with pictures for those who have one.
// Users who are registered already keep their state: a picture that was deleted stays deleted, and who has ended stays away.
func (r *devRun) seedPeople(ctx context.Context, seeded *devidp.Seeded) error {
	for _, org := range seeded.Organizations {
		if _, err := r.store.AddOrganization(ctx, org.ID, devOrigin); err != nil && !hasEnded(err) {
			return fmt.Errorf("seeding organisation %s: %w", org.Name, err)
		}
	}
	for _, user := range seeded.Users {
		key := storage.UserKey{Issuer: r.issuer, ID: user.ID}
		var err error
		if user.Avatar {
			_, err = seedPicture(ctx, r.store, key, user.Organization, func() []byte {
				return picture.Initials(user.Name, seedOf(user.ID))
			})
		} else {
			if _, _, err = r.store.AddUser(ctx, key, user.Organization, devOrigin); hasEnded(err) {
				err = nil
			}
		}
		if err != nil {
			return fmt.Errorf("seeding user %s: %w", user.Name, err)
		}
	}
	return nil
}

// seedCrowd registers count users in org, with consecutive ids and a picture of about size bytes each, as far as
// they are not there yet. It returns how many were missing.
func (r *devRun) seedCrowd(ctx context.Context, org string, count, size int, report *progress) (added int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, created atomic.Int64
	var workers sync.WaitGroup
	for range min(devSeedWorkers, count) {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := next.Add(1) - 1
				if i >= int64(count) {
					return
				}
				key := storage.UserKey{Issuer: r.issuer, ID: strconv.FormatInt(devSeedFirst+i, 10)}
				isNew, err := seedPicture(ctx, r.store, key, org, func() []byte {
					return picture.Sample(uint64(devSeedFirst+i), size)
				})
				if err != nil {
					cancel(fmt.Errorf("seeding user %s: %w", key.ID, err))
					return
				}
				if isNew {
					created.Add(1)
				}
				report.add(1)
			}
		})
	}
	workers.Wait()
	return created.Load(), context.Cause(ctx)
}

// seedPicture registers an unknown user together with a picture. Both are one transaction, so a start that is
// killed leaves no user registered without the picture.
func seedPicture(ctx context.Context, store storage.Store, key storage.UserKey, org string, draw func() []byte) (created bool, err error) {
	_, err = store.Get(ctx, key, org)
	if !errors.Is(err, storage.ErrUserNotFound) {
		if errors.Is(err, storage.ErrNoPicture) {
			err = nil
		}
		return false, err
	}
	_, err = store.Put(ctx, storage.Upload{
		User:         key,
		Organization: org,
		Picture:      storage.Picture{Format: storage.PNG, Data: draw()},
		By:           devOrigin,
		Register:     true,
	})
	if hasEnded(err) {
		return false, nil
	}
	return err == nil, err
}

// hasEnded reports whether a user or an organisation is not registered because it has ended.
func hasEnded(err error) bool {
	return errors.Is(err, storage.ErrUserEnded) || errors.Is(err, storage.ErrOrganizationEnded)
}

func seedOf(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}
