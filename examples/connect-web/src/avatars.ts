import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AuthService } from "./gen/zitadel/auth/v1/auth_pb.js";
import { ManagementService } from "./gen/zitadel/management/v1/management_pb.js";
import { ErrorDetailSchema } from "./gen/zitadel/v1/object_pb.js";

/** Clients that call with the token of who has signed in. */
export function avatars(baseUrl: string, token: string) {
  const authorize: Interceptor = (next) => (request) => {
    request.header.set("Authorization", `Bearer ${token}`);
    return next(request);
  };
  // createGrpcWebTransport takes the same options, should a proxy want gRPC-Web.
  const transport = createConnectTransport({ baseUrl, interceptors: [authorize], defaultTimeoutMs: 30_000 });
  return { own: createClient(AuthService, transport), managed: createClient(ManagementService, transport) };
}

/** What a person has to know about an error. Ids stay the same when the wording of a message changes. */
export function explain(err: unknown): string {
  const error = ConnectError.from(err);
  const ids = error.findDetails(ErrorDetailSchema).map((detail) => detail.id);
  const hint =
    error.code === Code.Unauthenticated ? "Sign in again."
    : error.code === Code.Unavailable || error.code === Code.DeadlineExceeded ? "Not done yet: delete again, it goes on where it stopped."
    : "";
  return `${Code[error.code]}: ${error.rawMessage} [${ids.join(", ")}] ${hint}`.trim();
}
