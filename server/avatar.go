package server

import (
	"context"
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	authv1 "avatard/gen/zitadel/auth/v1"
	managementv1 "avatard/gen/zitadel/management/v1"
	zitadelv1 "avatard/gen/zitadel/v1"
	"avatard/storage"
)

// management answers zitadel.management.v1.ManagementService. Its calls have been admitted and validated.
type management struct{ *Server }

// RemoveHumanAvatar erases the picture of a user of the organisation that the call acts on.
func (m management) RemoveHumanAvatar(ctx context.Context, req *managementv1.RemoveHumanAvatarRequest) (*managementv1.RemoveHumanAvatarResponse, error) {
	details, err := m.remove(ctx, req.GetUserId())
	if err != nil {
		return nil, err
	}
	return &managementv1.RemoveHumanAvatarResponse{Details: details}, nil
}

// auth answers zitadel.auth.v1.AuthService, for the caller's own user.
type auth struct{ *Server }

// RemoveMyAvatar erases the caller's own picture.
func (a auth) RemoveMyAvatar(ctx context.Context, _ *authv1.RemoveMyAvatarRequest) (*authv1.RemoveMyAvatarResponse, error) {
	details, err := a.remove(ctx, callOf(ctx).caller.Subject)
	if err != nil {
		return nil, ownUser(err)
	}
	return &authv1.RemoveMyAvatarResponse{Details: details}, nil
}

func (s *Server) remove(ctx context.Context, user string) (*zitadelv1.ObjectDetails, error) {
	c := callOf(ctx)
	res, err := s.Store.Remove(ctx, storage.Removal{User: s.userKey(user), Organization: c.organization, By: c.origin()})
	if err != nil {
		return nil, err
	}
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok && res.Receipt != "" {
		info.ResponseHeader().Set(receiptHeader, res.Receipt)
	}
	return objectDetails(res.Details), nil
}

// receiptHeader carries the user's newest receipt on success.
const receiptHeader = "X-Avatard-Receipt"

// ownUser words the one error that means something else about the caller's own user: others must not learn that a
// user exists in another organisation, the user may.
func ownUser(err error) error {
	if errors.Is(err, storage.ErrOtherOrganization) {
		return &failure{situation: otherOrganization}
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
