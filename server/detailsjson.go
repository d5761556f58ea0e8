package server

import (
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	zitadelv1 "example.org/avatard/gen/zitadel/v1"
)

// detailsJSON writes the answer of a delete or an upload as protobuf's JSON mapping does, without reflection: it is
// the answer of nearly every call, and this takes a tenth of the time. ok is false for any other message, such as one with more fields,
// and for values that need more care than this function gives them.
func detailsJSON(m proto.Message) (text []byte, ok bool) {
	answer, ok := m.(interface {
		GetDetails() *zitadelv1.ObjectDetails
	})
	if !ok || m.ProtoReflect().Descriptor().Fields().Len() != 1 {
		return nil, false
	}
	d := answer.GetDetails()
	if d == nil || d.ProtoReflect().Descriptor().Fields().Len() != 4 || len(d.ProtoReflect().GetUnknown()) > 0 || !plainASCII(d.GetResourceOwner()) ||
		d.GetSequence() == 0 || d.GetResourceOwner() == "" {
		return nil, false
	}
	text = append(make([]byte, 0, 192), `{"details":{"sequence":"`...)
	text = strconv.AppendUint(text, d.GetSequence(), 10)
	text, ok = appendTime(append(text, `","creationDate":"`...), d.GetCreationDate())
	if !ok {
		return nil, false
	}
	text, ok = appendTime(append(text, `","changeDate":"`...), d.GetChangeDate())
	if !ok {
		return nil, false
	}
	text = append(text, `","resourceOwner":"`...)
	text = append(text, d.GetResourceOwner()...)
	return append(text, `"}}`...), true
}

// appendTime writes a time with 0, 3, 6 or 9 digits of fraction (google/protobuf/timestamp.proto, JSON Mapping).
func appendTime(text []byte, t *timestamppb.Timestamp) ([]byte, bool) {
	const firstYear, lastYear = -62135596800, 253402300799 // 0001 and 9999, the ends of what a Timestamp holds
	if t == nil || t.GetSeconds() < firstYear || t.GetSeconds() > lastYear || t.GetNanos() < 0 || t.GetNanos() > 999999999 {
		return nil, false
	}
	layout := "2006-01-02T15:04:05.000000000Z"
	switch nanos := t.GetNanos(); {
	case nanos == 0:
		layout = "2006-01-02T15:04:05Z"
	case nanos%1e6 == 0:
		layout = "2006-01-02T15:04:05.000Z"
	case nanos%1e3 == 0:
		layout = "2006-01-02T15:04:05.000000Z"
	}
	return t.AsTime().AppendFormat(text, layout), true
}

// plainASCII reports whether s stands for itself between the quotes of a JSON string.
func plainASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
