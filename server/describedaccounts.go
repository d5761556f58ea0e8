package server

import (
	"net/http"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"example.org/avatard/authz"
	avatardv1 "example.org/avatard/gen/avatard/v1"
	"example.org/avatard/server/reference"
)

// accountOperations describes the services of accounts and receipts.
func (s *Server) accountOperations(user reference.Parameter) []reference.Operation {
	erasures := avatardv1.File_avatard_v1_erasure_proto.Services().ByName("ErasureService")
	users := avatardv1.File_avatard_v1_users_proto.Services().ByName("UserService")
	const accounts, receipts = "Accounts of an organisation", "Receipts"
	of := func(o reference.Operation, service protoreflect.ServiceDescriptor, need authz.Permission, answer string, reasons ...reason) reference.Operation {
		o.Procedure, o.Permission = service.Methods().ByName(protoreflect.Name(o.ID)), string(need)
		o.Parameters = append(o.Parameters, organizationParameter)
		o.Answers = []reference.Answer{{Status: http.StatusOK, Text: answer, Message: o.Procedure.Output(), Stream: o.Procedure.IsStreamingServer()}}
		o.Errors = s.describeErrors(reasonsOfOthers, append([]reason{invalidRequest}, reasons...), reasonsOfAll)
		return o
	}
	erase := of(reference.Operation{ID: "EraseUser", Group: accounts, Title: "End a user's account", Method: http.MethodDelete, Path: "/avatard/v1/users/{userId}",
		Parameters: []reference.Parameter{user}}, erasures, authz.UserDelete, "The avatar is gone for good, and the user has ended.", unknownUser, conditionFailed)
	erase.Parameters = append(erase.Parameters, ifMatchParameter)
	erase.Answers[0].Headers = []reference.Header{{Name: receiptHeader, Text: "The user's newest receipt of an erasure; absent if there never was one."}}
	return []reference.Operation{
		of(reference.Operation{ID: "GetUser", Group: accounts, Title: "Show a user", Method: http.MethodGet, Path: "/avatard/v1/users/{userId}",
			Parameters: []reference.Parameter{user}}, users, authz.UserRead, "The user.", unknownUser),
		of(reference.Operation{ID: "ListUsers", Group: accounts, Title: "List users", Method: http.MethodGet, Path: "/avatard/v1/users",
			Parameters: requestParameters(users, "ListUsers")}, users, authz.UserRead, "A part of the list.", badPageToken),
		erase,
		of(reference.Operation{ID: "EraseOrganization", Group: accounts, Title: "End an organisation with all its users",
			Method: http.MethodDelete, Path: "/avatard/v1/organizations/{organizationId}",
			Parameters: []reference.Parameter{{Name: "organizationId", In: reference.InPath, Text: "Id of the organisation that the call acts on, percent-encoded.", Schema: user.Schema}}},
			erasures, authz.OrgDelete, "How far it is, about once a second.", otherOrganizationRepeated, configuredOrganization, endLifted),
		of(reference.Operation{ID: "GetReceipt", Group: receipts, Title: "Show a receipt", Method: http.MethodGet, Path: "/avatard/v1/receipts/{receiptId}",
			Parameters: []reference.Parameter{
				{Name: "receiptId", In: reference.InPath, Text: "Id of the receipt.", Schema: reference.TextSchema(inputOf(erasures, "GetReceipt").Fields().ByName("receipt_id"))},
				fieldParameter(inputOf(erasures, "GetReceipt").Fields().ByName("with_proof"))}}, erasures, authz.UserRead, "The receipt.", unknownReceipt),
		of(reference.Operation{ID: "ListReceipts", Group: receipts, Title: "List receipts", Method: http.MethodGet, Path: "/avatard/v1/receipts",
			Parameters: requestParameters(erasures, "ListReceipts")}, erasures, authz.UserRead, "A part of the list.", badPageToken),
		of(reference.Operation{ID: "GetReceiptLog", Group: receipts, Title: "Show the head of the log of receipts", Method: http.MethodGet, Path: "/avatard/v1/receiptlog",
			Parameters: requestParameters(erasures, "GetReceiptLog")}, erasures, authz.UserRead, "The signed head.", unknownHistory),
	}
}

// queryTexts say what the query parameters of lists are, by their names in JSON. Nothing changes them.
var queryTexts = map[string]string{
	"userId":    "Id of the user whose receipts are listed. Absent: all.",
	"since":     "Receipts of this time and later (RFC 3339). Absent: from the first.",
	"until":     "Receipts before this time (RFC 3339). Absent: to the newest.",
	"picture":   "Users with a picture, or without one. Absent: all.",
	"withProof": "Whether the answer has the proof that the receipt is in the log of receipts. Absent: no.",
	"olderSize": "Number of receipts in a head that was noted before; the answer shows that it is in the log's past. Absent: none.",
	"pageToken": "nextPageToken of the page before; the other parameters have to be the same as for that page. Absent: the first page.",
}

// requestParameters are query parameters for all fields of a request.
func requestParameters(service protoreflect.ServiceDescriptor, method protoreflect.Name) (all []reference.Parameter) {
	fields := inputOf(service, method).Fields()
	for i := range fields.Len() {
		all = append(all, fieldParameter(fields.Get(i)))
	}
	return slices.Clip(all)
}

func fieldParameter(field protoreflect.FieldDescriptor) reference.Parameter {
	return reference.Parameter{Name: field.JSONName(), In: reference.InQuery, Text: queryTexts[field.JSONName()], Schema: reference.ScalarSchema(field)}
}

func inputOf(service protoreflect.ServiceDescriptor, method protoreflect.Name) protoreflect.MessageDescriptor {
	return service.Methods().ByName(method).Input()
}
