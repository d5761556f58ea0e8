package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	zitadelv1 "example.org/avatard/gen/zitadel/v1"
)

// Answer is what came back of a call.
type Answer struct {
	// Err is set when no whole answer came: what was asked for may have been done or not.
	Err error
	// Code is that of the error, 0 after success.
	Code connect.Code
	// Message is that of the error.
	Message string
	// Detail is the error's own detail, nil when it has none. Only REST and RPCs tell it.
	Detail *zitadelv1.ErrorDetail
	// Details are those of a delete or an upload, nil when they did not arrive; for other calls look at Raw.
	Details *zitadelv1.ObjectDetails
	// Status is that of HTTP.
	Status int
	// Header holds headers and trailers.
	Header http.Header
	// Raw is everything that arrived, headers and trailers included, for searching. Text of gRPC-Web is decoded.
	Raw string
}

// Acknowledged reports whether the answer says that the change is done.
func (a Answer) Acknowledged() bool { return a.Err == nil && a.Code == 0 && a.Status == http.StatusOK }

// Receipt returns that of an erasure, "" when there is none.
func (a Answer) Receipt() string { return a.Header.Get("X-Avatard-Receipt") }

// Sequence returns that of the change, 0 when it did not arrive.
func (a Answer) Sequence() uint64 { return a.Details.GetSequence() }

func (a Answer) String() string {
	switch {
	case a.Err != nil:
		return "no answer: " + a.Err.Error()
	case a.Code != 0:
		return fmt.Sprintf("%v: %s", a.Code, a.Message)
	}
	return fmt.Sprintf("%d, receipt %q, %v", a.Status, a.Receipt(), a.Details)
}

// record makes a call of an RPC and returns all that arrived.
func record(ctx context.Context, header http.Header, call func(context.Context) (*zitadelv1.ObjectDetails, error)) Answer {
	arrived := new(recording)
	ctx, info := connect.NewClientContext(context.WithValue(ctx, recordingKey{}, arrived))
	maps.Copy(info.RequestHeader(), header.Clone())
	details, err := call(ctx)
	a := arrived.answer()
	if err == nil {
		a.Details = details
		return a
	}
	a.takeError(err)
	return a
}

// takeError takes over the error of an RPC, nil for none.
func (a *Answer) takeError(err error) {
	if err == nil {
		return
	}
	var wire *connect.Error
	if !errors.As(err, &wire) || !connect.IsWireError(err) {
		a.Err = fmt.Errorf("no answer of a server: %w", err)
		return
	}
	a.Code, a.Message = wire.Code(), wire.Message()
	for name, values := range wire.Meta() { // the trailers of gRPC, too
		a.Header[name] = values
		a.Raw += name + ": " + strings.Join(values, ", ") + "\n"
	}
	for _, d := range wire.Details() {
		a.Raw += string(d.Bytes()) + "\n"
		value, err := d.Value()
		if err != nil {
			a.Err = fmt.Errorf("detail of an error: %w", err)
		} else if detail, ok := value.(*zitadelv1.ErrorDetail); ok {
			a.Detail = detail
		}
	}
}

// detailsOf returns those of a message, nil when it has none.
func detailsOf(message proto.Message) *zitadelv1.ObjectDetails {
	field := message.ProtoReflect().Descriptor().Fields().ByName("details")
	if field == nil || !message.ProtoReflect().Has(field) {
		return nil
	}
	details := new(zitadelv1.ObjectDetails)
	encoded, err := proto.Marshal(message.ProtoReflect().Get(field).Message().Interface())
	if err != nil || proto.Unmarshal(encoded, details) != nil {
		return nil
	}
	return details
}

// recording is what arrived in one call. A context brings it to the transport.
type recording struct {
	res  *http.Response // nil until there is one
	body bytes.Buffer
}

type recordingKey struct{}

// answer returns what arrived, once the body has been read.
func (r *recording) answer() Answer {
	a := Answer{Header: http.Header{}}
	if r.res == nil {
		return a
	}
	a.Status = r.res.StatusCode
	var raw strings.Builder
	for _, part := range []http.Header{r.res.Header, r.res.Trailer} {
		for name, values := range part {
			a.Header[name] = values
			fmt.Fprintf(&raw, "%s: %s\n", name, strings.Join(values, ", "))
		}
	}
	raw.Write(r.body.Bytes())
	raw.WriteByte('\n')
	a.Raw = raw.String()
	return a
}

// recordingTransport fills the recording of a request's context.
type recordingTransport struct{ next http.RoundTripper }

func (t recordingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(req)
	r, ok := req.Context().Value(recordingKey{}).(*recording)
	if err != nil || !ok {
		return res, err
	}
	r.res = res
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(res.Body, &r.body), res.Body}
	return res, nil
}
