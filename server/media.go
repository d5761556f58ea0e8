package server

import (
	"mime"
	"net/http"
	"strings"
)

// rpcFormOf tells the wire form that a media type belongs to. Everything that is not of the gRPC family counts as
// Connect, whose errors anyone can read.
func rpcFormOf(contentType string) form {
	media := essence(contentType)
	switch base, _, _ := strings.Cut(media, "+"); {
	case base == textMediaType:
		return formGRPCWebText
	case base == "application/grpc-web":
		return formGRPCWeb
	case strings.HasPrefix(base, "application/grpc"):
		return formGRPC
	}
	return formConnect
}

// essence is a media type in lower case and without parameters.
func essence(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.Trim(media, " \t"))
}

// tidyRPC rewrites the headers of a request of a form in which the RPC library would take one thing for several: names of
// media types and of content codings have no case (RFC 9110 sections 8.3.1 and 8.4.1), x-gzip is gzip, and parameters mean nothing to
// messages, but for a charset that they are not in. Messages may be in UTF-8 only, which people also call utf8. What is left
// as it is is for the library to refuse, with 415, or for checkEnvelope.
func tidyRPC(header http.Header, form form) {
	joinLines(header, "Content-Type")
	if value := header.Get("Content-Type"); !isTidy(value) {
		header["Content-Type"] = []string{tidyMedia(value, form)}
	}
	coding := codingHeader(form)
	joinLines(header, coding)
	if value := header.Get(coding); value != "" && value != "gzip" && value != "identity" {
		header[coding] = []string{tidyCoding(value)}
	}
	if form == formConnect {
		// Its list has weights, which the library does not read. Answers are not worth compressing.
		delete(header, "Accept-Encoding")
	}
}

// joinLines makes one value of a field that stands in a request more than once and must not: no code may look at the first and
// ignore the others. It has no meaning then.
func joinLines(header http.Header, name string) {
	if values := header[name]; len(values) > 1 {
		header[name] = []string{strings.Join(values, ", ")}
	}
}

// isTidy reports whether a media type is as tidyMedia would write it, for nearly all that are.
func isTidy(value string) bool {
	for i := range len(value) {
		if c := value[i]; !('a' <= c && c <= 'z' || c == '/' || c == '-' || c == '+' || c == '.') {
			return false
		}
	}
	return true
}

func tidyMedia(value string, form form) string {
	media := essence(value)
	if form != formConnect {
		return media
	}
	_, parameters, err := mime.ParseMediaType(value) // which refuses a parameter that comes twice
	if err != nil {
		return value
	}
	switch charset, named := parameters["charset"]; {
	case media != "application/json" && media != "application/proto":
		return value
	case !named:
		return media
	case media == "application/json" && (strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")):
		return "application/json; charset=utf-8" // the answer is of the same type
	}
	return value
}

// codingHeader names the header that tells how messages are compressed.
func codingHeader(form form) string {
	if form == formConnect {
		return "Content-Encoding"
	}
	return "Grpc-Encoding"
}

// tidyCoding is the name of a content coding as everybody writes it.
func tidyCoding(value string) string {
	value = strings.ToLower(strings.Trim(value, " \t"))
	if value == "x-gzip" { // RFC 9110 section 8.4.1.3
		return "gzip"
	}
	return value
}
