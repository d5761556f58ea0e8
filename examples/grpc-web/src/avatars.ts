import { create, fromBinary, toBinary, type MessageShape } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { AnySchema, anyUnpack } from "@bufbuild/protobuf/wkt";
import { GrpcWebClientBase, MethodDescriptor, MethodType, type RpcError } from "grpc-web";
import { RemoveHumanAvatarRequestSchema, RemoveHumanAvatarResponseSchema } from "./gen/zitadel/management/v1/management_pb.js";
import { ErrorDetailSchema, type ErrorDetail } from "./gen/zitadel/v1/object_pb.js";

type Request = MessageShape<typeof RemoveHumanAvatarRequestSchema>;
type Response = MessageShape<typeof RemoveHumanAvatarResponseSchema>;

const path = "/zitadel.management.v1.ManagementService/RemoveHumanAvatar";

// What the generator of grpc-web writes for a method; with it, leave this away and call its client.
const removeHumanAvatar = new MethodDescriptor<Request, Response>(
  path,
  MethodType.UNARY,
  Object as never,
  Object as never,
  (request: Request) => toBinary(RemoveHumanAvatarRequestSchema, request),
  (bytes: Uint8Array) => fromBinary(RemoveHumanAvatarResponseSchema, bytes),
);

const client = new GrpcWebClientBase({ format: "binary" });

/** Answers when the picture is gone from the server. Rejects with RpcError, whose message ends with the id. */
export function deleteAvatar(url: string, token: string, userId: string): Promise<Response> {
  const request = create(RemoveHumanAvatarRequestSchema, { userId });
  const metadata = { Authorization: `Bearer ${token}`, deadline: String(Date.now() + 30_000) };
  return client.unaryCall(url + path, request, metadata, removeHumanAvatar);
}

/** The details of an error: field 3 of the google.rpc.Status that travels beside it in base64. */
export function detailsOf(err: RpcError): ErrorDetail[] {
  const reader = new BinaryReader(Uint8Array.from(atob(err.metadata?.["grpc-status-details-bin"] ?? ""), (c) => c.charCodeAt(0)));
  const details: ErrorDetail[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field !== 3) {
      reader.skip(wireType);
      continue;
    }
    const detail = anyUnpack(fromBinary(AnySchema, reader.bytes()), ErrorDetailSchema);
    if (detail) details.push(detail);
  }
  return details;
}
