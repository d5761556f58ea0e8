package server

import (
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest/memory"
	"example.org/avatard/test/client"
)

// onMemory makes a server one whose store is in memory, with the people of the fixture.
func onMemory(t *testing.T) func(*Config) {
	t.Helper()
	store, err := memory.New("").Open(t.Context(), "accounts", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.Store = store }
}

// startAccounts starts a server on a store in memory, in which users of acme are registered: alice and bob, and carol in globex.
func startAccounts(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	var store storage.Store
	f := start(t, func(c *Config) {
		onMemory(t)(c)
		store = c.Store
		if change != nil {
			change(c)
		}
	})
	f.store = store
	for user, org := range map[string]string{alice: acme, bob: acme, carol: globex} {
		f.add(t, user, org)
	}
	f.give(t, alice, acme)
	f.give(t, carol, globex)
	return f
}

// method returns a method of our own services.
func method(name protoreflect.Name) protoreflect.MethodDescriptor {
	for _, file := range []protoreflect.FileDescriptor{avatardv1.File_avatard_v1_erasure_proto, avatardv1.File_avatard_v1_users_proto} {
		if found := file.Services().Get(0).Methods().ByName(name); found != nil {
			return found
		}
	}
	return nil
}

// invoke calls a method of our own services, and decodes the messages of its answer.
func invoke[Res any, M interface {
	*Res
	proto.Message
}](t *testing.T, f *fixture, form client.Form, name protoreflect.Name, headers []string, request proto.Message) (client.Answer, []M) {
	t.Helper()
	header := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		header.Add(headers[i], headers[i+1])
	}
	answer, messages := f.client.Invoke(t.Context(), form, header, method(name), request)
	var decoded []M
	for _, m := range messages {
		encoded, err := proto.Marshal(m)
		message := M(new(Res))
		if err == nil {
			err = proto.Unmarshal(encoded, message)
		}
		if err != nil {
			t.Fatal(err)
		}
		decoded = append(decoded, message)
	}
	return answer, decoded
}

// inOrganization are the headers of a caller who acts in an organisation.
func inOrganization(token, org string) []string { return bearer(token, "X-Zitadel-Orgid", org) }
