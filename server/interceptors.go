package server

import (
	"context"
	"errors"
	"io"
	"regexp"
	"strings"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// noFields is never written to.
var noFields = new(emptypb.Empty)

// keepOutcome keeps how a call ended, outside of all other interceptors. For a REST call, whose outcome the adapter writes, the RPC
// library gets a message without fields in place of the answer, no message of a stream, and no error.
type keepOutcome struct{}

// WrapUnary keeps answer and error.
func (keepOutcome) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		res, err := next(ctx, req)
		c := callOf(ctx)
		c.err = err
		if err == nil {
			c.answer, _ = res.Any().(proto.Message)
		}
		if c.form == formREST {
			return connect.NewResponse(noFields), nil
		}
		return res, err
	}
}

// WrapStreamingClient does nothing: no client runs here.
func (keepOutcome) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler keeps the newest message and the error.
func (keepOutcome) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		c := callOf(ctx)
		c.err = next(ctx, keptStream{conn, c})
		if c.form == formREST {
			return nil
		}
		return c.err
	}
}

// keptStream keeps the newest message that was sent.
type keptStream struct {
	connect.StreamingHandlerConn
	call *call
}

func (s keptStream) Send(message any) error {
	s.call.answer, _ = message.(proto.Message)
	if s.call.messages != nil {
		return s.call.messages.send(s.call.answer)
	}
	return s.StreamingHandlerConn.Send(message)
}

// validateAndReport checks the rules of the request and turns every error of a handler into one of the error table.
type validateAndReport struct {
	*Server
	validator protovalidate.Validator
}

// WrapUnary checks the request.
func (v validateAndReport) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		res, err := connect.AnyResponse(nil), checkRules(v.validator, req.Any())
		if err == nil {
			res, err = next(ctx, req)
		}
		if err == nil {
			return res, nil
		}
		return nil, v.tell(ctx, err)
	}
}

// WrapStreamingClient does nothing: no client runs here.
func (v validateAndReport) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler checks the message that arrives: streams of requests are not served.
func (v validateAndReport) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		checked := &checkedStream{StreamingHandlerConn: conn, validator: v.validator}
		err := next(ctx, checked)
		switch {
		case err == nil:
			return nil
		case checked.unread || checked.messages != 1:
			if callOf(ctx).form == formREST { // the adapter wrote the message, so only a text in it can have failed
				err = connect.NewError(connect.CodeInvalidArgument, errNotUTF8)
			}
			callOf(ctx).outcome = connect.CodeOf(err).String()
			return err // in words of codecs and of the body's layers, as unary calls have them
		}
		return v.tell(ctx, err)
	}
}

// tell records an error of a handler, and returns it as the caller gets it.
func (v validateAndReport) tell(ctx context.Context, err error) error {
	c, f := callOf(ctx), toAPIError(ctx, err)
	v.recordFailure(ctx, c, f)
	return v.connectError(c, f)
}

// checkedStream checks the rules of the message that arrives.
type checkedStream struct {
	connect.StreamingHandlerConn
	validator protovalidate.Validator
	messages  int
	unread    bool // one could not be read
}

// Receive is called once more behind the message, for the end.
func (s *checkedStream) Receive(message any) error {
	if err := s.StreamingHandlerConn.Receive(message); err != nil {
		s.unread = !errors.Is(err, io.EOF)
		return err
	}
	s.messages++
	return checkRules(s.validator, message)
}

// singular finds what the library of rules says of one thing: "at least 1 characters".
var singular = regexp.MustCompile(`\b1 (character|byte|item|pair)s\b`)

// checkRules checks the rules of a request. It words a violation itself, so that what the caller sent does not come back.
func checkRules(validator protovalidate.Validator, request any) error {
	message, ok := request.(proto.Message)
	if !ok {
		return errors.New("the request is not a protobuf message")
	}
	err := validator.Validate(message)
	if err == nil {
		return nil
	}
	broken, ok := errors.AsType[*protovalidate.ValidationError](err)
	if !ok {
		return err
	}
	var faults []string
	for _, v := range broken.Violations {
		v.Proto.SetMessage(singular.ReplaceAllString(v.Proto.GetMessage(), "1 $1"))
		faults = append(faults, protovalidate.FieldPathString(v.Proto.GetField())+": "+v.Proto.GetMessage())
	}
	return &apiError{reason: invalidRequest, violations: broken.ToProto(),
		message: "invalid request: " + strings.Join(faults, "; ")}
}
