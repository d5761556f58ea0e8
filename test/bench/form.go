package main

import (
	"bytes"
	"fmt"
	"strconv"

	"example.org/avatard/gen/zitadel/management/v1/managementv1connect"
)

// form is a way to say the same call.
type form string

const (
	formREST         form = "rest"
	formConnectJSON  form = "connect-json"
	formConnectProto form = "connect-proto"
	formGRPC         form = "grpc"
	formGRPCWeb      form = "grpc-web"
)

func allForms() []form {
	return []form{formREST, formConnectJSON, formConnectProto, formGRPC, formGRPCWeb}
}

// on returns the form in which a target is called in place of f. The bare handler speaks no REST: Connect with JSON is
// the nearest it does.
func (f form) on(t target) form {
	if f == formREST && t == targetBare {
		return formConnectJSON
	}
	return f
}

const (
	procedure = managementv1connect.ManagementServiceRemoveHumanAvatarProcedure
	// idBytes is the length of every user id, so that a request can be made once and the id put into it.
	idBytes = 18
	firstID = 200_000_000_000_000_000
)

func userID(index int) string { return strconv.Itoa(firstID + index) }

// envelope precedes a message in gRPC and gRPC-Web: a flag byte and the length.
func envelope(message string) string {
	return string([]byte{0, 0, 0, 0, byte(len(message))}) + message
}

// message is the request in protobuf: field 1, a string.
func message(id string) string { return "\x0a" + string(rune(idBytes)) + id }

// http1Request returns the bytes of a request, and where in them the id stands.
func http1Request(f form, host, token string) (request []byte, at int) {
	id := userID(0)
	var line, headers, body string
	switch f {
	case formREST:
		line = "DELETE /management/v1/users/" + id + "/avatar"
	case formConnectJSON:
		line, body = "POST "+procedure, `{"userId":"`+id+`"}`
		headers = "Content-Type: application/json\r\nConnect-Protocol-Version: 1\r\n"
	case formConnectProto:
		line, body = "POST "+procedure, message(id)
		headers = "Content-Type: application/proto\r\nConnect-Protocol-Version: 1\r\n"
	case formGRPCWeb:
		line, body = "POST "+procedure, envelope(message(id))
		headers = "Content-Type: application/grpc-web+proto\r\nX-Grpc-Web: 1\r\n"
	default:
		panic("not a form of HTTP/1.1: " + string(f))
	}
	if body != "" {
		headers += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	request = fmt.Appendf(nil, "%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: */*\r\nAuthorization: Bearer %s\r\n%s\r\n%s",
		line, host, token, headers, body)
	return request, bytes.LastIndex(request, []byte(id))
}
