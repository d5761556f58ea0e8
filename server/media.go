package server

import (
	"mime"
	"net/http"
	"strings"
)

// rpcFormOf returns the wire form that a media type belongs to. Every type outside the gRPC family counts as Connect, whose errors
// every client can read.
func rpcFormOf(contentType string) form {
	if contentType == "" {
		return formConnect
	}
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

// tidyRPC rewrites the headers of an RPC whose values can be written in several ways to the one that the RPC library accepts: names of
// media types and of content codings have no case (RFC 9110 sections 8.3.1 and 8.4.1), x-gzip is gzip, utf8 is UTF-8, and parameters of
// a media type mean nothing except for a charset that is not UTF-8. Values that are not known stay as they are: the library refuses them
// with 415, or checkEnvelope does.
func tidyRPC(header http.Header, form form) {
	joinLines(header, "Content-Type")
	if value := header.Get("Content-Type"); !isTidy(value) {
		header["Content-Type"] = []string{tidyMedia(value, form)}
	}
	coding := codingHeader(header, form)
	joinLines(header, coding)
	if value := header.Get(coding); value != "" && value != "gzip" && value != "identity" {
		header[coding] = []string{tidyCoding(value)}
	}
	if form == formConnect {
		// The field's list may have weights, which the library does not read. Answers are not worth compressing.
		delete(header, "Accept-Encoding")
		delete(header, "Connect-Accept-Encoding")
	}
}

// joinLines joins the values of a field that must stand in a request once only, so that no code looks at the first value and ignores
// the others. The joined value has no meaning and is refused.
func joinLines(header http.Header, name string) {
	if values := header[name]; len(values) > 1 {
		header[name] = []string{strings.Join(values, ", ")}
	}
}

// isTidy reports quickly whether a media type is as tidyMedia would write it. It may report false for a rare one that is.
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
	_, parameters, err := mime.ParseMediaType(value) // refuses a parameter that comes twice
	if err != nil {
		return value
	}
	json := media == "application/json" || media == connectStreamPrefix+"json"
	switch charset, named := parameters["charset"]; {
	case !json && media != "application/proto" && media != connectStreamPrefix+"proto":
		return value
	case !named:
		return media
	case json && (strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")):
		return media + "; charset=utf-8" // the answer is of the same type
	}
	return value
}

// codingHeader names the header that tells how messages are compressed.
func codingHeader(header http.Header, form form) string {
	switch {
	case form != formConnect:
		return "Grpc-Encoding"
	case isConnectStream(header):
		return "Connect-Content-Encoding"
	}
	return "Content-Encoding"
}

// connectStreamPrefix begins the media types of streams in the Connect protocol, whose messages stand behind a prefix as those of gRPC do.
const connectStreamPrefix = "application/connect+"

func isConnectStream(header http.Header) bool {
	return strings.HasPrefix(first(header["Content-Type"]), connectStreamPrefix)
}

// tidyCoding is the usual name of a content coding.
func tidyCoding(value string) string {
	value = strings.ToLower(strings.Trim(value, " \t"))
	if value == "x-gzip" { // RFC 9110 section 8.4.1.3
		return "gzip"
	}
	return value
}
