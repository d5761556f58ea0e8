package server

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"example.org/avatard/server/picture"
)

// pictureQuery is what the query of a picture's route asks for.
type pictureQuery struct {
	// side is how many pixels the longest side has at most, 0 = as stored.
	side int
	// generation is the one that alone is wanted, "" = whatever there is.
	generation string
	// absent is what is sent where there is no picture, "" = an error.
	absent absent
}

// queryParameter is one of a picture's route.
type queryParameter struct {
	// set puts a value into the query, or reports that it is none.
	set func(s *Server, q *pictureQuery, value string) bool
	// values describes those that there are, for callers.
	values string
}

// generationParameter names the one upload whose picture is wanted. It is not "v": ZITADEL's own addresses of avatars have a "?v=" with a
// hash, and where avatard stands in ZITADEL's place they still have to show the picture.
const generationParameter = "generation"

var queryParameters = map[string]queryParameter{
	"size":              {(*Server).setSize, fmt.Sprintf("a power of two from 1 to %d", picture.MaxStoredPixelsPerSide)},
	generationParameter: {(*Server).setGeneration, "a generation of a picture, as the answer to an upload has it"},
	"default":           {(*Server).setDefault, "404, identicon, initials, or image where the server has one"},
}

// pictureQuery reads the query of a picture's route. Unknown parameters are ignored, as on every route.
func (s *Server) pictureQuery(query string) (pictureQuery, error) {
	if query == "" {
		return pictureQuery{}, nil
	}
	var q pictureQuery
	seen := make(map[string]bool, len(queryParameters))
	for text := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(text, "=")
		name, err := url.QueryUnescape(name)
		parameter, known := queryParameters[name]
		if err != nil || !known {
			continue
		}
		value, err = url.QueryUnescape(value)
		if err != nil || seen[name] || !parameter.set(s, &q, value) {
			return q, &apiError{reason: badPictureQuery, message: name + " is " + parameter.values + ", and stands there once"}
		}
		seen[name] = true
	}
	return q, nil
}

// setSize takes a power of two up to the size of the largest stored picture.
func (s *Server) setSize(q *pictureQuery, value string) bool {
	side, err := strconv.Atoi(value)
	if err != nil || strconv.Itoa(side) != value || side < 1 || side > picture.MaxStoredPixelsPerSide || side&(side-1) != 0 {
		return false
	}
	q.side = side
	return true
}

// setGeneration takes any text: one that is no generation is found nowhere.
func (s *Server) setGeneration(q *pictureQuery, value string) bool {
	q.generation = value
	return value != ""
}

func (s *Server) setDefault(q *pictureQuery, value string) bool {
	switch absent(value) {
	case absentError:
		return true
	case absentImage:
		if s.defaultImage == nil {
			return false
		}
	case absentIdenticon, absentInitials:
	default:
		return false
	}
	q.absent = absent(value)
	return true
}
