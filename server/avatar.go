package server

import (
	"context"
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	authv1 "example.org/avatard/gen/zitadel/auth/v1"
	managementv1 "example.org/avatard/gen/zitadel/management/v1"
	zitadelv1 "example.org/avatard/gen/zitadel/v1"
	"example.org/avatard/storage"
)

// management answers zitadel.management.v1.ManagementService. Its calls have been admitted and validated.
type management struct{ *Server }

// RemoveHumanAvatar erases the picture of a user of the organisation that the call acts on.
func (m management) RemoveHumanAvatar(ctx context.Context, req *managementv1.RemoveHumanAvatarRequest) (*managementv1.RemoveHumanAvatarResponse, error) {
	res, err := m.remove(ctx, storage.Removal{User: m.userKey(req.GetUserId()), Organization: callOf(ctx).organization}, m.config.Store.Remove)
	if err != nil {
		return nil, err
	}
	return &managementv1.RemoveHumanAvatarResponse{Details: objectDetails(res.Details)}, nil
}

// auth answers zitadel.auth.v1.AuthService, for the caller's own user.
type auth struct{ *Server }

// RemoveMyAvatar erases the caller's own picture, in the organisation on record: a caller whose organisation changed at the
// provider must still be able to erase.
func (a auth) RemoveMyAvatar(ctx context.Context, _ *authv1.RemoveMyAvatarRequest) (*authv1.RemoveMyAvatarResponse, error) {
	c := callOf(ctx)
	rm := storage.Removal{User: a.userKey(c.caller.Subject), Organization: c.organization, AnyOrganization: true}
	res, err := a.remove(ctx, rm, a.config.Store.Remove)
	if err != nil {
		return nil, err
	}
	return &authv1.RemoveMyAvatarResponse{Details: objectDetails(res.Details)}, nil
}

// remove makes a change that erases a user's picture.
func (s *Server) remove(ctx context.Context, rm storage.Removal, change func(context.Context, storage.Removal) (storage.Result, error)) (storage.Result, error) {
	c := callOf(ctx)
	demanded, err := c.condition.parse()
	if err != nil {
		return storage.Result{}, err
	}
	rm.By, rm.If = c.origin(), demanded
	c.user, c.changes = rm.User.ID, true
	res, err := change(ctx, rm)
	if err != nil && !rm.AnyOrganization {
		if err = s.registerFound(ctx, rm.User, err); err == nil {
			res, err = change(ctx, rm)
		}
	}
	s.renditions.drop(rm.User) // also where it failed: the picture may not be served any more
	if err != nil {
		return storage.Result{}, err
	}
	c.organization = res.Details.Organization // the one acted on, for the log
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok && res.Receipt != "" {
		info.ResponseHeader().Set(receiptHeader, res.Receipt)
	}
	return res, nil
}

// receiptHeader carries the user's newest receipt on success.
const receiptHeader = "X-Avatard-Receipt"

// errorForSelf words the one error that means something else about the caller's own user: the user may learn that they exist in
// another organisation, and nobody else may.
func errorForSelf(err error) error {
	if errors.Is(err, storage.ErrOtherOrganization) {
		return &apiError{reason: otherOrganization}
	}
	return err
}

func objectDetails(d storage.Details) *zitadelv1.ObjectDetails {
	return &zitadelv1.ObjectDetails{
		Sequence:      d.Sequence,
		CreationDate:  timestamppb.New(d.CreationDate),
		ChangeDate:    timestamppb.New(d.ChangeDate),
		ResourceOwner: d.Organization,
	}
}
