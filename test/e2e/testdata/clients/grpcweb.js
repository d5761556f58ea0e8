// The clients of the npm package grpc-web. Its generator makes calls to the very class that is used here.

import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { anyUnpack, AnySchema } from "@bufbuild/protobuf/wkt";
import { GrpcWebClientBase, MethodDescriptor, MethodType, RpcError } from "grpc-web";
import { ErrorDetailSchema } from "./gen/zitadel/v1/object_pb.js";
import { RemoveHumanAvatarRequestSchema, RemoveHumanAvatarResponseSchema } from "./gen/zitadel/management/v1/management_pb.js";
import { headersOf, Refused, timeoutMs } from "./report.js";

const procedure = "/zitadel.management.v1.ManagementService/RemoveHumanAvatar";

const method = new MethodDescriptor(
  procedure,
  MethodType.UNARY,
  Object,
  Object,
  (request) => toBinary(RemoveHumanAvatarRequestSchema, request),
  (bytes) => fromBinary(RemoveHumanAvatarResponseSchema, bytes),
);

/** @param {"binary" | "text"} format */
export function grpcWebClient(name, url, format) {
  const client = new GrpcWebClientBase({ format });
  return {
    name,
    remove: (call) =>
      new Promise((resolve, reject) => {
        const request = create(RemoveHumanAvatarRequestSchema, { userId: call.user });
        const metadata = { ...headersOf(call), deadline: String(Date.now() + timeoutMs) };
        let details;
        const running = client.rpcCall(url + procedure, request, metadata, method, (err, answer) => {
          if (err) reject(refusalOf(err));
          else details = toJson(RemoveHumanAvatarResponseSchema, answer).details;
        });
        let receipt;
        running.on("metadata", (header) => (receipt = header["x-avatard-receipt"]));
        running.on("end", () => resolve({ details, receipt }));
      }),
  };
}

function refusalOf(err) {
  const status = err.metadata ?? {};
  if (!(err instanceof RpcError) || Object.keys(status).length === 0) return err; // no server has answered
  return new Refused({
    code: err.code,
    message: err.message,
    details: detailsIn(status["grpc-status-details-bin"] ?? ""),
    challenge: status["www-authenticate"] ?? "",
  });
}

/** Decodes the details, field 3, of a google.rpc.Status in base64. */
function detailsIn(base64) {
  const reader = new BinaryReader(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
  const details = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field !== 3) {
      reader.skip(wireType);
      continue;
    }
    const any = fromBinary(AnySchema, reader.bytes());
    const type = any.typeUrl.replace(/^.*\//, "");
    const known = anyUnpack(any, ErrorDetailSchema);
    details.push(known ? { type, id: known.id, message: known.message } : { type });
  }
  return details;
}
