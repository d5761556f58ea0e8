package server

import (
	"bytes"
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	authv1 "example.org/avatard/gen/zitadel/auth/v1"
	managementv1 "example.org/avatard/gen/zitadel/management/v1"
	zitadelv1 "example.org/avatard/gen/zitadel/v1"
)

// detailsJSON writes the same bytes as the library.
func FuzzDetailsJSON(f *testing.F) {
	f.Add(uint64(3), int64(1683884467), int32(783527000), int64(1683885731), int32(100000000), "69629023906488334")
	f.Add(uint64(1), int64(0), int32(0), int64(-1), int32(1), "a\"b")
	f.Add(uint64(0), int64(253402300799), int32(999999999), int64(-62135596800), int32(1000), "")
	f.Add(uint64(1<<63), int64(253402300800), int32(-1), int64(-62135596801), int32(0), "zoë\u2028<&>")
	f.Add(uint64(9), int64(1), int32(120000), int64(2), int32(7000000), "a\\b\x7f")
	f.Fuzz(func(t *testing.T, sequence uint64, created int64, createdNanos int32, changed int64, changedNanos int32, owner string) {
		details := &zitadelv1.ObjectDetails{Sequence: sequence, ResourceOwner: owner,
			CreationDate: &timestamppb.Timestamp{Seconds: created, Nanos: createdNanos},
			ChangeDate:   &timestamppb.Timestamp{Seconds: changed, Nanos: changedNanos}}
		text, ok := detailsJSON(&managementv1.RemoveHumanAvatarResponse{Details: details})
		library, err := protojson.Marshal(&authv1.RemoveMyAvatarResponse{Details: details})
		if !ok {
			return
		}
		if err != nil {
			t.Fatalf("%s for what the library refuses: %v", text, err)
		}
		var want bytes.Buffer
		if err := json.Compact(&want, library); err != nil {
			t.Fatal(err)
		}
		if string(text) != want.String() {
			t.Errorf("%s, the library writes %s", text, want.String())
		}
	})
}

// detailsJSON takes the usual answer, and leaves any other to the library.
func TestDetailsJSONTakesWhatIsUsual(t *testing.T) {
	usual := &zitadelv1.ObjectDetails{Sequence: 2, ResourceOwner: "69629023906488334",
		CreationDate: &timestamppb.Timestamp{Seconds: 1683884467, Nanos: 783527000}, ChangeDate: &timestamppb.Timestamp{Seconds: 1683885731}}
	if _, ok := detailsJSON(&authv1.RemoveMyAvatarResponse{Details: usual}); !ok {
		t.Error("the usual answer goes the long way")
	}
	if _, ok := detailsJSON(&authv1.RemoveMyAvatarResponse{}); ok {
		t.Error("an answer without details takes the short way")
	}
	if _, ok := detailsJSON(usual); ok {
		t.Error("another message takes the short way")
	}
}
