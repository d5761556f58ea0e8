package server

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	"example.org/avatard/storage"
	"example.org/avatard/storage/erasure"
)

const (
	// maxErasing is how long one call erases an organisation. It ends in good order then, before MaxCallDuration: the caller goes on
	// with another call, and no stream outlives a load balancer's patience or a shutdown.
	maxErasing = 25 * time.Second
	// progressPause is the time between two messages about progress.
	progressPause = time.Second
)

// organizationErasure is one call that ends an organisation. A caller who reads its messages slowly gets fewer of them; the erasure does not wait.
type organizationErasure struct {
	*Server
	organization string
	by           storage.Origin
	to           *connect.ServerStream[avatardv1.EraseOrganizationResponse]
	erased       atomic.Uint64 // users
}

func (o *organizationErasure) run(ctx context.Context) error {
	switch _, err := o.config.Store.EndOrganization(ctx, o.organization, o.by); {
	case errors.Is(err, storage.ErrOrganizationNotFound):
		return &apiError{reason: unknownOrganization}
	case err != nil:
		return err
	}
	working, stop := context.WithTimeout(ctx, maxErasing)
	defer stop()
	var telling sync.WaitGroup
	telling.Go(func() { o.report(working, stop) })
	deadline, _ := ctx.Deadline()
	_, err := erasure.Organization(working, erasingStore{o.Server, o.config.Store, deadline}, o.organization, o.by, func(sum erasure.Summary) {
		o.erased.Store(uint64(sum.Users))
	})
	over := working.Err()
	stop()
	telling.Wait()
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return err
	case !time.Now().Before(deadline): // which the store's calls notice first
		return &apiError{reason: deadlinePassed, cause: err}
	case errors.Is(over, context.Canceled): // by report
		return errDeparted
	case over == nil:
		return err
	}
	if o.tell(err == nil) != nil {
		return errDeparted
	}
	return nil
}

// report tells the caller how far the erasure is until ctx ends. It stops the erasure when the caller does not take that.
func (o *organizationErasure) report(ctx context.Context, stop context.CancelFunc) {
	ticks := time.NewTicker(progressPause)
	defer ticks.Stop()
	for o.tell(false) == nil {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
	stop()
}

func (o *organizationErasure) tell(finished bool) error {
	return o.to.Send(&avatardv1.EraseOrganizationResponse{UsersErased: o.erased.Load(), Finished: finished})
}

// erasingStore lets go of what the server keeps of the pictures of users who end, and ends with its call: a user's erasure goes on without
// its caller only for as long as the call has.
type erasingStore struct {
	server *Server
	storage.Store
	deadline time.Time
}

func (s erasingStore) EraseUser(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	ctx, cancel := context.WithDeadline(ctx, s.deadline)
	defer cancel()
	res, err := s.Store.EraseUser(ctx, rm)
	s.server.renditions.drop(rm.User)
	return res, err
}
