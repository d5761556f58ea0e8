package cli

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
	"sync"
	"sync/atomic"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
)

const (
	// devIssuerKey is what users of dev are stored under. Its provider's URL changes with the port; the people stay.
	devIssuerKey = "dev"

	// devSeedFirst is the id of the first user of --seed-users; the others follow it.
	devSeedFirst = 250000000000000001
	devMaxUsers  = 10_000_000

	// devSeedWorkers is how many uploads wait for the engine's syncs together.
	devSeedWorkers = 128
)

var devOrigin = storage.Origin{Caller: "development seed"}

// seed registers everybody that dev starts with. How far it is goes to progress.
func seed(ctx context.Context, progress io.Writer, store storage.Store, seeded *devidp.Seeded, flags *devCommand) error {
	if err := seedPeople(ctx, store, seeded); err != nil || flags.SeedUsers == 0 {
		return err
	}
	report := startProgress(progress, "seeding users", flags.SeedUsers)
	added, err := seedCrowd(ctx, store, devidp.OrgAcme, flags.SeedUsers, flags.SeedBytes, report)
	report.finish()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(progress, "%d users added, %d were there already\n", added, int64(flags.SeedUsers)-added)
	return err
}

// seedPeople registers the organisations and people of the provider, with pictures for those who have one.
// Users who are registered already keep their state: a picture that was deleted stays deleted, and who has ended stays away.
func seedPeople(ctx context.Context, store storage.Store, seeded *devidp.Seeded) error {
	for _, org := range seeded.Organizations {
		if _, err := store.AddOrganization(ctx, org.ID, devOrigin); err != nil && !hasEnded(err) {
			return fmt.Errorf("seeding organisation %s: %w", org.Name, err)
		}
	}
	for _, user := range seeded.Users {
		key := storage.UserKey{Issuer: devIssuerKey, ID: user.ID}
		var err error
		if user.Avatar {
			_, err = seedPicture(ctx, store, key, user.Organization, func() []byte {
				return picture.Initials(user.Name, seedOf(user.ID))
			})
		} else {
			if _, _, err = store.AddUser(ctx, key, user.Organization, devOrigin); hasEnded(err) {
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
func seedCrowd(ctx context.Context, store storage.Store, org string, count, size int, report *progress) (added int64, err error) {
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
				key := storage.UserKey{Issuer: devIssuerKey, ID: strconv.FormatInt(devSeedFirst+i, 10)}
				isNew, err := seedPicture(ctx, store, key, org, func() []byte {
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
