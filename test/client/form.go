package client

import "connectrpc.com/connect"

// Form is a wire form of a delete.
type Form string

// The wire forms.
const (
	REST         Form = "rest"
	ConnectProto Form = "connect-proto"
	ConnectJSON  Form = "connect-json"
	GRPC         Form = "grpc"
	GRPCJSON     Form = "grpc-json"
	GRPCWeb      Form = "grpc-web"
	GRPCWebText  Form = "grpc-web-text"
)

// Forms returns all wire forms, REST first.
func Forms() []Form {
	return []Form{REST, ConnectProto, ConnectJSON, GRPC, GRPCJSON, GRPCWeb, GRPCWebText}
}

// protocol is how a form is spoken.
type protocol struct {
	http2 bool // else HTTP/1.1
	// options make a generated client speak the form. nil = it cannot.
	options []connect.ClientOption
}

// protocols are those of all forms. Each form has one HTTP version of those that it may have, and each version has forms of
// Connect and of gRPC-Web's family. Calls of REST go over both in turn.
var protocols = map[Form]protocol{
	REST:         {},
	ConnectProto: {false, []connect.ClientOption{}},
	ConnectJSON:  {true, []connect.ClientOption{connect.WithProtoJSON()}},
	GRPC:         {true, []connect.ClientOption{connect.WithGRPC()}},
	GRPCJSON:     {true, []connect.ClientOption{connect.WithGRPC(), connect.WithProtoJSON()}},
	GRPCWeb:      {false, []connect.ClientOption{connect.WithGRPCWeb(), connect.WithSendGzip()}},
	GRPCWebText:  {true, []connect.ClientOption{connect.WithGRPCWeb()}},
}
