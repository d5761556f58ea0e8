package server

import (
	"net/http"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"example.org/avatard/authz"
	avatardv1 "example.org/avatard/gen/avatard/v1"
	authv1 "example.org/avatard/gen/zitadel/auth/v1"
	managementv1 "example.org/avatard/gen/zitadel/management/v1"
	"example.org/avatard/server/reference"
)

// Reasons that operations share, in the order in which they are looked for.
var (
	reasonsOfTokens = []reason{noToken, malformedToken, invalidToken, impersonation}
	reasonsOfOthers = append(slices.Clone(reasonsOfTokens), unknownOrganization, noOrganization, noMembership, noPermission)
	reasonsOfSelf   = append(slices.Clone(reasonsOfTokens), noHomeOrganization)
	reasonsOfUpload = []reason{invalidRequest, uploadTooLarge, unknownCoding, conditionFailed, crowded}
	reasonsOfAll    = []reason{overLimit, tooManyUnknown, overloaded, unavailable, deadlinePassed, internal}
)

// operations describes what is served beside RPCs that belong to tools: health and reflection.
func (s *Server) operations() []reference.Operation {
	user := reference.TextSchema(managementv1.File_zitadel_management_v1_management_proto.Messages().ByName("RemoveHumanAvatarRequest").Fields().ByName("user_id"))
	inPath := reference.Parameter{Name: "userId", In: reference.InPath, Text: "Id of the user, percent-encoded.", Schema: user}
	details := func(m protoreflect.MessageDescriptor, text string) []reference.Answer {
		return []reference.Answer{{Status: http.StatusOK, Text: text, Message: m,
			Headers: []reference.Header{{Name: receiptHeader, Text: "The user's newest receipt of an erasure; absent if there never was one."}}}}
	}
	uploaded := (&avatardv1.UploadPictureResponse{}).ProtoReflect().Descriptor()
	management := managementv1.File_zitadel_management_v1_management_proto.Services().Get(0).Methods().ByName("RemoveHumanAvatar")
	own := authv1.File_zitadel_auth_v1_auth_proto.Services().Get(0).Methods().ByName("RemoveMyAvatar")
	return slices.Concat([]reference.Operation{
		{
			ID: "RemoveHumanAvatar", Group: "Users of an organisation", Title: "Delete a user's avatar",
			Method: http.MethodDelete, Path: jsonPath(managedPicture), Procedure: management, Permission: string(authz.UserWrite),
			Parameters: []reference.Parameter{inPath, organizationParameter, ifMatchParameter},
			Answers:    details(management.Output(), "The avatar is gone for good."),
			Errors:     s.describeErrors(reasonsOfOthers, []reason{invalidRequest, unknownUser, conditionFailed}, reasonsOfAll),
		},
		{
			ID: "UploadHumanAvatar", Group: "Users of an organisation", Title: "Upload a user's avatar",
			Text:   "Answers when the new picture is durable and the one that it replaces is gone for good. The picture is stored as PNG or JPEG without metadata.",
			Method: http.MethodPost, Path: jsonPath(managedPicture), Permission: string(authz.UserWrite),
			Parameters: []reference.Parameter{inPath, organizationParameter, ifMatchParameter, ifNoneMatchParameter},
			Upload:     s.describeUpload(),
			Answers:    details(uploaded, "The picture is in place."),
			Errors:     s.describeErrors(reasonsOfOthers, []reason{unknownUser, userEnded}, reasonsOfUpload, reasonsOfAll),
		},
		{
			ID: "RemoveMyAvatar", Group: "One's own account", Title: "Delete one's own avatar",
			Method: http.MethodDelete, Path: "/auth/v1/users/me/avatar", Procedure: own,
			Parameters: []reference.Parameter{ifMatchParameter},
			Answers:    details(own.Output(), "The avatar is gone for good."),
			Errors:     s.describeErrors(reasonsOfSelf, []reason{invalidRequest, unknownUser, conditionFailed}, reasonsOfAll),
		},
		{
			ID: "UploadMyAvatar", Group: "One's own account", Title: "Upload one's own avatar",
			Text:   "Registers a caller who is not registered yet. Answers when the new picture is durable and the one that it replaces is gone for good.",
			Method: http.MethodPost, Path: ownPicture,
			Parameters: []reference.Parameter{ifMatchParameter, ifNoneMatchParameter},
			Upload:     s.describeUpload(),
			Answers:    details(uploaded, "The picture is in place."),
			Errors:     s.describeErrors(reasonsOfSelf, []reason{otherOrganization, userEnded, organizationEnded}, reasonsOfUpload, reasonsOfAll),
		},
		{
			ID: "ReadMyAvatar", Group: "One's own account", Title: "Read one's own avatar",
			Method: http.MethodGet, Path: ownPicture,
			Parameters: []reference.Parameter{sizeParameter, defaultParameter, uploadParameter, ifNoneMatchOnRead},
			Answers:    pictureAnswers(),
			Errors:     s.describeErrors(reasonsOfSelf, []reason{badPictureQuery, otherOrganization, unknownUser, noPicture, crowded}, reasonsOfAll),
		},
		s.describeRead(user, inPath),
	}, s.accountOperations(inPath), []reference.Operation{
		probeOperation("Healthz", "/healthz", "Is the process alive?", "It is.", "ok\n"),
		probeOperation("Readyz", "/readyz", "Can the server do its work?", "It can. Parts that are not well, without which it can, are named.", "ok\n"),
	})
}
