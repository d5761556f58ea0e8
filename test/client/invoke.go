package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Invoke calls a method of any service, with one message. It returns the messages of the answer, of which there are several only where the
// method answers a stream. The answer's details are those of the first message, if that has any.
func (c *Client) Invoke(ctx context.Context, form Form, header http.Header, method protoreflect.MethodDescriptor, request proto.Message) (Answer, []proto.Message) {
	if form == REST {
		return c.invokeREST(ctx, header, method, request.ProtoReflect())
	}
	arrived := new(recording)
	ctx, info := connect.NewClientContext(context.WithValue(ctx, recordingKey{}, arrived))
	maps.Copy(info.RequestHeader(), header.Clone())
	sent := dynamicpb.NewMessage(method.Input())
	encoded, err := proto.Marshal(request)
	if err == nil {
		err = proto.Unmarshal(encoded, sent)
	}
	if err != nil {
		return Answer{Err: err, Header: http.Header{}}, nil
	}
	initialize := connect.WithResponseInitializer(func(_ connect.Spec, message any) error {
		*message.(*dynamicpb.Message) = *dynamicpb.NewMessage(method.Output())
		return nil
	})
	path := c.URL + "/" + string(method.Parent().FullName()) + "/" + string(method.Name())
	rpc := connect.NewClient[dynamicpb.Message, dynamicpb.Message](c.transports[form], path, append(protocols[form].options, connect.WithSchema(method), initialize)...)
	var messages []proto.Message
	if method.IsStreamingServer() {
		messages, err = receiveAll(ctx, rpc, sent)
	} else {
		var res *connect.Response[dynamicpb.Message]
		if res, err = rpc.CallUnary(ctx, connect.NewRequest(sent)); err == nil {
			messages = append(messages, res.Msg)
		}
	}
	return arrived.answerOf(err, messages), messages
}

func receiveAll(ctx context.Context, rpc *connect.Client[dynamicpb.Message, dynamicpb.Message], request *dynamicpb.Message) (messages []proto.Message, err error) {
	stream, err := rpc.CallServerStream(ctx, connect.NewRequest(request))
	if err != nil {
		return nil, err
	}
	for stream.Receive() {
		messages = append(messages, proto.Clone(stream.Msg()))
	}
	err = stream.Err()
	if closed := stream.Close(); err == nil {
		err = closed
	}
	return messages, err
}

// answerOf returns what arrived, with the details of the first message.
func (r *recording) answerOf(err error, messages []proto.Message) Answer {
	a := r.answer()
	a.takeError(err)
	if len(messages) > 0 {
		a.Details = detailsOf(messages[0])
	}
	return a
}

// invokeREST calls the first REST route of a method: its path takes the fields that it names, and the query the others.
func (c *Client) invokeREST(ctx context.Context, header http.Header, method protoreflect.MethodDescriptor, request protoreflect.Message) (Answer, []proto.Message) {
	rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	verb, path := http.MethodGet, rule.GetGet()
	if path == "" {
		verb, path = http.MethodDelete, rule.GetDelete()
	}
	query := url.Values{}
	text, err := protojson.Marshal(request.Interface())
	var values map[string]any // texts and booleans
	if err == nil {
		err = json.Unmarshal(text, &values)
	}
	if err != nil {
		return Answer{Err: err, Header: http.Header{}}, nil
	}
	fields := method.Input().Fields()
	for i := range fields.Len() {
		name, value := fields.Get(i).JSONName(), ""
		if given, ok := values[name]; ok {
			value = fmt.Sprint(given)
		}
		if place := "{" + string(fields.Get(i).Name()) + "}"; strings.Contains(path, place) {
			path = strings.Replace(path, place, url.PathEscape(value), 1)
		} else if value != "" {
			query.Set(name, value)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	res, r, err := c.send(ctx, verb, path, header, nil)
	if err != nil {
		return Answer{Err: err, Header: http.Header{}}, nil
	}
	defer res.Body.Close()
	return r.readREST(res, method)
}

// readREST reads the answer of a method: a message, lines of them, or an error.
func (r *recording) readREST(res *http.Response, method protoreflect.MethodDescriptor) (a Answer, messages []proto.Message) {
	var body bytes.Buffer
	_, err := body.ReadFrom(res.Body)
	a = r.answer()
	switch {
	case res.StatusCode != http.StatusOK:
		a.Err = a.readError(body.Bytes())
		return a, nil
	case err != nil:
		a.Err = err
	}
	lines := []string{body.String()}
	if method.IsStreamingServer() {
		lines = strings.SplitAfter(body.String(), "\n")
	}
	for _, line := range lines {
		var wrapped struct{ Result, Error json.RawMessage }
		var err error
		switch {
		case line == "":
			continue
		case !method.IsStreamingServer():
			wrapped.Result = json.RawMessage(line)
		case !strings.HasSuffix(line, "\n"):
			err = fmt.Errorf("half a line: %.200q", line)
		default:
			err = json.Unmarshal([]byte(line), &wrapped)
		}
		message := dynamicpb.NewMessage(method.Output())
		switch {
		case err != nil:
		case wrapped.Error != nil:
			err = a.readError(wrapped.Error)
		default:
			if err = protojson.Unmarshal(wrapped.Result, message); err == nil {
				messages = append(messages, message)
			}
		}
		a.Err = errors.Join(a.Err, err)
	}
	if len(messages) > 0 {
		a.Details = detailsOf(messages[0])
	}
	return a, messages
}
