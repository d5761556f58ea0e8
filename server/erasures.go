package server

import (
	"context"
	"slices"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	avatardconnect "example.org/avatard/gen/avatard/v1/avatardv1connect"
	"example.org/avatard/storage"
)

// erasures answers avatard.v1.ErasureService. Its calls have been admitted and validated.
type erasures struct{ *Server }

// EraseUser erases the picture of a user of the organisation that the call acts on, and ends the user.
func (e erasures) EraseUser(ctx context.Context, req *avatardv1.EraseUserRequest) (*avatardv1.EraseUserResponse, error) {
	res, err := e.remove(ctx, storage.Removal{User: e.userKey(req.GetUserId()), Organization: callOf(ctx).organization}, e.config.Store.EraseUser)
	if err != nil {
		return nil, err
	}
	return &avatardv1.EraseUserResponse{Details: objectDetails(res.Details), ReceiptId: res.Receipt}, nil
}

// EraseOrganization ends the organisation that the call acts on, with all its users.
func (e erasures) EraseOrganization(ctx context.Context, req *avatardv1.EraseOrganizationRequest, to *connect.ServerStream[avatardv1.EraseOrganizationResponse]) error {
	c := callOf(ctx)
	switch {
	case req.GetOrganizationId() != c.organization:
		return &apiError{reason: otherOrganizationRepeated}
	case slices.Contains(e.config.StartOrganizations, c.organization):
		return &apiError{reason: configuredOrganization}
	}
	return (&organizationErasure{Server: e.Server, organization: c.organization, by: c.origin(), to: to}).run(ctx)
}

// GetReceipt shows a receipt of the organisation that the call acts on.
func (e erasures) GetReceipt(ctx context.Context, req *avatardv1.GetReceiptRequest) (*avatardv1.GetReceiptResponse, error) {
	found, err := e.config.Store.Receipt(ctx, req.GetReceiptId())
	if err == nil && found.Organization != callOf(ctx).organization {
		err = storage.ErrReceiptNotFound
	}
	if err != nil {
		return nil, err
	}
	res := &avatardv1.GetReceiptResponse{Receipt: receiptMessage(found)}
	if req.GetWithProof() {
		res.Proof, err = e.proveReceipt(ctx, found.ID)
	}
	if err != nil {
		return nil, err
	}
	return res, nil
}

// ListReceipts lists receipts of the organisation that the call acts on.
func (e erasures) ListReceipts(ctx context.Context, req *avatardv1.ListReceiptsRequest) (*avatardv1.ListReceiptsResponse, error) {
	q := storage.ReceiptQuery{Organization: callOf(ctx).organization}
	if id := req.GetUserId(); id != "" {
		q.User = e.userKey(id)
	}
	if req.GetSince() != nil {
		q.Since = req.GetSince().AsTime()
	}
	if req.GetUntil() != nil {
		q.Until = req.GetUntil().AsTime()
	}
	list := listOf(avatardconnect.ErasureServiceListReceiptsProcedure, q.Organization, req.GetUserId(), q.Since.String(), q.Until.String())
	var err error
	if q.After, err = list.position(req.GetPageToken()); err != nil {
		return nil, err
	}
	page, err := e.config.Store.ListReceipts(ctx, q)
	if err != nil {
		return nil, list.failed(req.GetPageToken(), err)
	}
	res := &avatardv1.ListReceiptsResponse{NextPageToken: list.token(page.Next)}
	for _, r := range page.Receipts {
		res.Receipts = append(res.Receipts, receiptMessage(r))
	}
	return res, nil
}

func receiptMessage(r storage.Receipt) *avatardv1.Receipt {
	return &avatardv1.Receipt{
		ReceiptId:            r.ID,
		UserId:               r.User.ID,
		Issuer:               r.User.Issuer,
		OrganizationId:       r.Organization,
		ErasureDate:          timestamppb.New(r.Time),
		Reason:               erasureReasons[r.Reason],
		CallerId:             r.By.Caller,
		CallerOrganizationId: r.By.CallerOrganization,
		RequestId:            r.By.RequestID,
	}
}

// erasureReasons are those of a store. Nothing changes them.
var erasureReasons = map[int64]avatardv1.ErasureReason{
	storage.ReasonRemoved:   avatardv1.ErasureReason_ERASURE_REASON_REMOVED,
	storage.ReasonReplaced:  avatardv1.ErasureReason_ERASURE_REASON_REPLACED,
	storage.ReasonAbandoned: avatardv1.ErasureReason_ERASURE_REASON_ABANDONED,
	storage.ReasonLost:      avatardv1.ErasureReason_ERASURE_REASON_LOST,
}
