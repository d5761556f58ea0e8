import { RpcError, StatusCode } from "grpc-web";
import { deleteAvatar, detailsOf } from "./avatars.js";

const form = document.querySelector<HTMLFormElement>("#form")!;
const result = document.querySelector<HTMLOutputElement>("#result")!;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = (name: string) => String(new FormData(form).get(name));
  result.value = "…";
  try {
    const { details } = await deleteAvatar(field("url"), field("token"), field("user"));
    result.value = `Gone. Change ${details?.sequence} of the record, in organisation ${details?.resourceOwner}`;
  } catch (err) {
    result.value = explain(err);
  }
});

function explain(err: unknown): string {
  if (!(err instanceof RpcError)) return String(err);
  const hint = err.code === StatusCode.UNAVAILABLE || err.code === StatusCode.DEADLINE_EXCEEDED ? "Delete again: it goes on where it stopped." : "";
  return `${err.code}: ${err.message} [${detailsOf(err).map((detail) => detail.id).join(", ")}] ${hint}`.trim();
}
