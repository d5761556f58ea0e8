package server

import (
	"net/url"
	"strconv"
	"strings"

	"example.org/avatard/server/picture"
)

// pictureQuery is what the query of a picture's route asks for.
type pictureQuery struct {
	// side is how many pixels the longest side has at most, 0 = as stored.
	side int
}

// queryParameters are those of a picture's route, by name. They put a value into the query, or report that it is none.
var queryParameters = map[string]func(q *pictureQuery, value string) bool{
	"size": (*pictureQuery).setSize,
}

// parsePictureQuery reads the query of a picture's route. Unknown parameters are ignored, as on every route.
func parsePictureQuery(query string) (q pictureQuery, err error) {
	if query == "" {
		return q, nil
	}
	seen := make(map[string]bool, len(queryParameters))
	for parameter := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(parameter, "=")
		name, err := url.QueryUnescape(name)
		set := queryParameters[name]
		if err != nil || set == nil {
			continue
		}
		value, err = url.QueryUnescape(value)
		if err != nil || seen[name] || !set(&q, value) {
			return q, &apiError{reason: badPictureQuery}
		}
		seen[name] = true
	}
	return q, nil
}

// setSize takes a power of two up to the size of the largest stored picture.
func (q *pictureQuery) setSize(value string) bool {
	side, err := strconv.Atoi(value)
	if err != nil || strconv.Itoa(side) != value || side < 1 || side > picture.MaxStoredPixelsPerSide || side&(side-1) != 0 {
		return false
	}
	q.side = side
	return true
}
