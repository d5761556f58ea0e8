package server

import (
	"context"
	"strings"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	avatardconnect "example.org/avatard/gen/avatard/v1/avatardv1connect"
	"example.org/avatard/storage"
)

// users answers avatard.v1.UserService. Its calls have been admitted and validated.
type users struct{ *Server }

// GetUser shows a user of the organisation that the call acts on.
func (u users) GetUser(ctx context.Context, req *avatardv1.GetUserRequest) (*avatardv1.GetUserResponse, error) {
	c := callOf(ctx)
	c.user = req.GetUserId()
	info, err := u.config.Store.Stat(ctx, u.userKey(c.user), c.organization)
	if err != nil {
		return nil, err
	}
	return &avatardv1.GetUserResponse{User: userMessage(c.user, info)}, nil
}

// ListUsers lists users of the organisation that the call acts on. Users of another issuer than the configured one, whom no call can
// name, are left out.
func (u users) ListUsers(ctx context.Context, req *avatardv1.ListUsersRequest) (*avatardv1.ListUsersResponse, error) {
	q := storage.UserQuery{Organization: callOf(ctx).organization, Picture: pictureFilters[req.GetPicture()]}
	list := listOf(avatardconnect.UserServiceListUsersProcedure, q.Organization, string(q.Picture))
	after, err := list.position(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	q.After.Issuer, q.After.ID, _ = strings.Cut(after, userSeparator)
	page, err := u.config.Store.ListUsers(ctx, q)
	if err != nil {
		return nil, list.failed(req.GetPageToken(), err)
	}
	res := new(avatardv1.ListUsersResponse)
	if page.Next != (storage.UserKey{}) {
		res.NextPageToken = list.token(page.Next.Issuer + userSeparator + page.Next.ID)
	}
	for _, listed := range page.Users {
		if listed.User.Issuer == u.config.Issuer {
			res.Users = append(res.Users, userMessage(listed.User.ID, listed.Info))
		}
	}
	return res, nil
}

// userSeparator stands between issuer and id in the position of a list. Neither holds a control character.
const userSeparator = "\x00"

// pictureFilters are those of a store. Nothing changes them.
var pictureFilters = map[avatardv1.PictureFilter]storage.PictureFilter{
	avatardv1.PictureFilter_PICTURE_FILTER_UNSPECIFIED: storage.AnyUsers,
	avatardv1.PictureFilter_PICTURE_FILTER_WITH:        storage.WithPicture,
	avatardv1.PictureFilter_PICTURE_FILTER_WITHOUT:     storage.WithoutPicture,
}

func userMessage(id string, info storage.Info) *avatardv1.User {
	user := &avatardv1.User{UserId: id, Details: objectDetails(info.Details)}
	if info.Generation != "" {
		user.Picture = &avatardv1.Picture{MediaType: info.Format.MediaType(), SizeBytes: info.Size,
			PictureUrl: versionedURL(info.Details.Organization, id, info.Generation)}
	}
	return user
}
