// Command go deletes the avatars of the users that it is given, and says what became of each.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"connectrpc.com/connect"

	managementv1 "example.org/avatard/gen/zitadel/management/v1"
	"example.org/avatard/gen/zitadel/management/v1/managementv1connect"
	zitadelv1 "example.org/avatard/gen/zitadel/v1"
)

func main() {
	url, token := os.Getenv("AVATARD_URL"), os.Getenv("TOKEN")
	if url == "" || token == "" || len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: AVATARD_URL=… TOKEN=… [ORG=…] go run . USER...")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	authorize := connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			req.Header().Set("Authorization", "Bearer "+token)
			if org := os.Getenv("ORG"); org != "" { // where the users are, if that is not the organisation of the token
				req.Header().Set("x-zitadel-orgid", org)
			}
			return next(ctx, req)
		}
	})
	// Connect over whatever HTTP there is; connect.WithGRPC() makes it gRPC.
	client := managementv1connect.NewManagementServiceClient(&http.Client{Timeout: 30 * time.Second}, url,
		connect.WithInterceptors(authorize))
	failed := false
	for _, user := range os.Args[1:] {
		res, err := client.RemoveHumanAvatar(ctx, &managementv1.RemoveHumanAvatarRequest{UserId: user})
		if err != nil {
			fmt.Printf("%s NOT GONE %s\n", user, explain(err))
			failed = true
			continue
		}
		fmt.Printf("%s gone, change %d of the record in organisation %s\n", user, res.GetDetails().GetSequence(), res.GetDetails().GetResourceOwner())
	}
	if failed {
		os.Exit(1)
	}
}

// explain returns the code and the ids of an error, which stay the same when the wording changes.
func explain(err error) string {
	var failure *connect.Error
	if !errors.As(err, &failure) {
		return err.Error()
	}
	var ids []string
	for _, detail := range failure.Details() {
		if value, err := detail.Value(); err == nil {
			if known, ok := value.(*zitadelv1.ErrorDetail); ok {
				ids = append(ids, known.GetId())
			}
		}
	}
	text := fmt.Sprintf("%v [%s] %s", failure.Code(), strings.Join(ids, ", "), failure.Message())
	if failure.Code() == connect.CodeUnavailable || failure.Code() == connect.CodeDeadlineExceeded {
		text += "; run it again after " + failure.Meta().Get("Retry-After") + " s, it goes on where it stopped"
	}
	return text
}
