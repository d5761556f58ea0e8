// REST, with the fetch of browsers and of Node.

import { headersOf, Refused, timeoutMs } from "./report.js";

export function restClient(name, url) {
  return {
    name,
    async remove(call) {
      const res = await fetch(`${url}/management/v1/users/${encodeURIComponent(call.user)}/avatar`, {
        method: "DELETE",
        headers: { ...headersOf(call), "Grpc-Timeout": `${timeoutMs}m` },
      });
      const body = await res.json();
      if (res.ok) return { details: body.details, receipt: res.headers.get("X-Avatard-Receipt") };
      throw new Refused({
        code: body.code,
        message: body.message,
        details: (body.details ?? []).map((d) => ({ type: d["@type"].replace(/^.*\//, ""), id: d.id, message: d.message })),
        challenge: res.headers.get("WWW-Authenticate") ?? "",
      });
    },
  };
}
