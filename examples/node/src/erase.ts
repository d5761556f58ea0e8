import { setTimeout as wait } from "node:timers/promises";
import { Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { ManagementService } from "./gen/zitadel/management/v1/management_pb.js";
import { ErrorDetailSchema } from "./gen/zitadel/v1/object_pb.js";
import type { TokenSource } from "./token.js";

const attempts = 6;

export interface Server {
  url: string;
  form: "grpc" | "connect"; // Connect is plain HTTP with JSON, for where a proxy stops HTTP/2
  organization?: string | undefined; // where the users are, if that is not the organisation of the token
  token: TokenSource;
}

export type Outcome = { user: string; gone: true; receipt: string | null } | { user: string; gone: false; error: string };

/** Returns a function that deletes one user's avatar. It resolves when the picture is gone, or when trying again is no use. */
export function eraser(server: Server): (user: string) => Promise<Outcome> {
  const authorize: Interceptor = (next) => async (request) => {
    request.header.set("Authorization", `Bearer ${await server.token()}`);
    if (server.organization) request.header.set("x-zitadel-orgid", server.organization);
    return next(request);
  };
  const options = { baseUrl: server.url, interceptors: [authorize], defaultTimeoutMs: 30_000 };
  const transport: Transport =
    server.form === "grpc" ? createGrpcTransport(options) : createConnectTransport({ ...options, httpVersion: "1.1" });
  const client = createClient(ManagementService, transport);

  return async (user) => {
    for (let attempt = 1; ; attempt++) {
      try {
        let receipt: string | null = null;
        await client.removeHumanAvatar({ userId: user }, { onHeader: (header) => (receipt = header.get("X-Avatard-Receipt")) });
        return { user, gone: true, receipt };
      } catch (err) {
        const error = ConnectError.from(err);
        if (!mayPass(error.code) || attempt === attempts) return { user, gone: false, error: describe(error) };
        await wait(pause(error, attempt));
      }
    }
  };
}

// 503 means that it is not done yet. The same call again takes up an erasure where it stopped, so it cannot do harm.
function mayPass(code: Code): boolean {
  return code === Code.Unavailable || code === Code.DeadlineExceeded || code === Code.ResourceExhausted;
}

/** Milliseconds to wait: what Retry-After says, up to a minute, else 1 s, 2 s, 4 s …, and a little more, so that not all come back at once. */
function pause(error: ConnectError, attempt: number): number {
  const asked = Number(error.metadata.get("Retry-After")); // NaN for a date, 0 for none
  const seconds = asked > 0 ? asked : 2 ** (attempt - 1);
  return Math.min(seconds, 60) * 1000 * (1 + Math.random() / 4);
}

/** Programs match on code and id; the wording may change. */
function describe(error: ConnectError): string {
  const ids = error.findDetails(ErrorDetailSchema).map((detail) => detail.id);
  return `${Code[error.code]} [${ids.join(", ")}] ${error.rawMessage}`;
}
