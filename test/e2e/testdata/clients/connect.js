// The clients of @connectrpc/connect, in any of its protocols.

import { toJson } from "@bufbuild/protobuf";
import { ConnectError, createClient } from "@connectrpc/connect";
import { ErrorDetailSchema } from "./gen/zitadel/v1/object_pb.js";
import { ManagementService, RemoveHumanAvatarResponseSchema } from "./gen/zitadel/management/v1/management_pb.js";
import { headersOf, Refused, timeoutMs } from "./report.js";

export function connectClient(name, transport) {
  const service = createClient(ManagementService, transport);
  return {
    name,
    async remove(call) {
      let receipt;
      const options = { headers: headersOf(call), timeoutMs, onHeader: (header) => (receipt = header.get("X-Avatard-Receipt")) };
      try {
        const answer = await service.removeHumanAvatar({ userId: call.user }, options);
        return { details: toJson(RemoveHumanAvatarResponseSchema, answer).details, receipt };
      } catch (err) {
        throw refusalOf(err);
      }
    },
  };
}

/** A ConnectError without details and trailers may come from the client itself: its cause is kept in the message. */
function refusalOf(err) {
  if (!(err instanceof ConnectError) || err.cause) return err;
  const known = err.findDetails(ErrorDetailSchema);
  return new Refused({
    code: err.code,
    message: err.rawMessage,
    details: err.details.map(({ type }) => (type === ErrorDetailSchema.typeName ? { type, ...plain(known.shift()) } : { type })),
    challenge: err.metadata.get("WWW-Authenticate") ?? "",
  });
}

const plain = ({ id, message }) => ({ id, message });
