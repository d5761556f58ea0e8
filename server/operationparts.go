package server

import (
	"net/http"
	"regexp"
	"slices"

	"example.org/avatard/authz"
	"example.org/avatard/server/picture"
	"example.org/avatard/server/reference"
	"example.org/avatard/storage"
)

// Parameters that operations share.
var (
	organizationParameter = reference.Parameter{Name: "x-zitadel-orgid", In: reference.InHeader, Schema: &reference.Schema{Type: "string"},
		Text: "Id of the organisation to act in. The default is the organisation of the requesting user."}
	ifMatchParameter = reference.Parameter{Name: "If-Match", In: reference.InHeader, Schema: &reference.Schema{Type: "string"},
		Text: "Over REST: only if the picture is this one, by the ETag of a read, or with * if there is one (RFC 9110 section 13.1.1); else 412."}
	ifNoneMatchParameter = reference.Parameter{Name: "If-None-Match", In: reference.InHeader, Schema: &reference.Schema{Type: "string"},
		Text: "With * only if there is no picture, with an ETag only if the picture is not this one (RFC 9110 section 13.1.2); else 412."}
	ifNoneMatchOnRead = reference.Parameter{Name: "If-None-Match", In: reference.InHeader, Schema: &reference.Schema{Type: "string"},
		Text: "The ETag of the picture that the caller has. If it still is the one, the answer is 304 without it."}
)

// sizeParameter, defaultParameter and uploadParameter are those of reads.
var sizeParameter = reference.Parameter{Name: "size", In: reference.InQuery, Schema: &reference.Schema{Type: "integer", Enum: sizes()},
	Text: "Pixels of the longest side at most. A picture that is not larger comes as it is stored; none is made larger. Absent: as stored."}

var defaultParameter = reference.Parameter{Name: "default", In: reference.InQuery, Schema: &reference.Schema{Type: "string",
	Enum: []any{string(absentError), string(absentIdenticon), string(absentInitials), string(absentImage)}},
	Text: "What comes with 200 where there is no picture: a pattern or letters, both drawn from the id that was asked for, or the picture that this server was given for it. 404 is as without it."}

var uploadParameter = reference.Parameter{Name: generationParameter, In: reference.InQuery, Schema: &reference.Schema{Type: "string"},
	Text: "Only the picture of this upload, as its answer names it. Once it is deleted or replaced, there is none."}

func sizes() (all []any) {
	for side := 1; side <= picture.MaxStoredPixelsPerSide; side *= 2 {
		all = append(all, side)
	}
	return all
}

// uploadMediaTypes are those of the pictures that are taken.
var uploadMediaTypes = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

func (s *Server) describeUpload() *reference.Upload {
	return &reference.Upload{Field: uploadField, MaxBytes: s.config.Pictures.MaxUploadBytes(), MediaTypes: uploadMediaTypes}
}

// describeRead describes the route on which others read a user's picture.
func (s *Server) describeRead(organization *reference.Schema, user reference.Parameter) reference.Operation {
	o := reference.Operation{
		ID: "ReadAvatar", Group: "Pictures", Title: "Read a user's avatar",
		Text: "Caches have to ask again each time, since a delete counts at once. The answer is the same for unknown users, " +
			"for organisations that do not exist, and for users without a picture.",
		Method: http.MethodGet, Path: jsonPath(picturePattern),
		Parameters: []reference.Parameter{
			{Name: "orgId", In: reference.InPath, Text: "Id of the user's organisation, percent-encoded.", Schema: organization}, user, sizeParameter, defaultParameter, uploadParameter, ifNoneMatchOnRead},
		Answers: pictureAnswers(),
	}
	reasons := []reason{badPictureQuery, noPicture, crowded}
	if s.config.PublicAssets {
		o.Open = true
		o.Errors = s.describeErrors(reasons, []reason{overLimit, overloaded, unavailable, internal})
		return o
	}
	o.Text += " The user's own token is enough."
	o.Permission = string(authz.UserRead)
	o.Errors = s.describeErrors(reasonsOfTokens, []reason{unknownOrganization, noMembership, noPermission}, reasons, reasonsOfAll)
	return o
}

func pictureAnswers() []reference.Answer {
	return []reference.Answer{
		{Status: http.StatusOK, Text: "The picture.", MediaTypes: []string{storage.PNG.MediaType(), storage.JPEG.MediaType()},
			Headers: []reference.Header{{Name: "ETag", Text: "Names this upload. It says nothing about the content."}}},
		{Status: http.StatusNotModified, Text: "The picture is the one that the caller has."},
	}
}

func probeOperation(id, path, title, text, answer string) reference.Operation {
	return reference.Operation{ID: id, Group: "Health", Title: title, Method: http.MethodGet, Path: path, Open: true,
		Answers: []reference.Answer{{Status: http.StatusOK, Text: text, Plain: answer}}}
}

// describeErrors describes the answers for reasons as the table of errors has them.
func (s *Server) describeErrors(lists ...[]reason) (all []reference.Error) {
	for _, why := range slices.Concat(lists...) {
		o := errorTable[why]
		e := reference.Error{Status: o.status, Code: int(o.code), ID: o.id, Message: o.message, OnlyREST: why == conditionFailed}
		if o.retry {
			e.Headers = append(e.Headers, reference.Header{Name: "Retry-After", Text: "Seconds after which the same call has a chance."})
		}
		if o.challenge {
			e.Headers = append(e.Headers, reference.Header{Name: "WWW-Authenticate", Text: "A challenge (RFC 6750 section 3)."})
		}
		all = append(all, e)
	}
	return all
}

var pathVariable = regexp.MustCompile(`_([a-z])`)

// jsonPath gives the variables of a pattern their names in JSON.
func jsonPath(pattern string) string {
	return pathVariable.ReplaceAllStringFunc(pattern, func(s string) string { return string(s[1] - 'a' + 'A') })
}
