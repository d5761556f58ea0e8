import { avatars, explain } from "./avatars.js";
import type { ObjectDetails } from "./gen/zitadel/v1/object_pb.js";
import { finishSignIn, goAndSignIn } from "./signin.js";

// From the environment of Vite: see vite.config.ts.
const setting = (name: string): string => {
  const value: unknown = import.meta.env[name];
  if (typeof value !== "string" || value === "") throw new Error(`${name} is not set`);
  return value;
};
const provider = { issuer: setting("AVATARD_ISSUER"), clientId: setting("LOGIN_CLIENT_ID"), scopes: setting("LOGIN_SCOPES") };

const element = <E extends HTMLElement>(id: string) => document.querySelector<E>(`#${id}`)!;
const result = element<HTMLOutputElement>("result");
const show = (err: unknown) => (result.value = explain(err));

element("sign-in").addEventListener("click", () => goAndSignIn(provider).catch(show));

try {
  const token = await finishSignIn(provider);
  if (token !== undefined) offerCalls(token);
} catch (err) {
  show(err);
}

function offerCalls(token: string) {
  const { own, managed } = avatars(setting("AVATARD_URL"), token);
  const calls = element<HTMLFieldSetElement>("calls");
  calls.disabled = false;

  // The answer comes when the picture is gone from the server, and not before.
  async function run(call: () => Promise<{ details?: ObjectDetails | undefined }>) {
    calls.disabled = true;
    result.value = "…";
    try {
      const { details } = await call();
      result.value = `Gone. Change ${details?.sequence} of the record, in organisation ${details?.resourceOwner}`;
    } catch (err) {
      show(err);
    }
    calls.disabled = false;
  }

  element("mine").addEventListener("click", () => run(() => own.removeMyAvatar({})));
  element<HTMLFormElement>("theirs").addEventListener("submit", (event) => {
    event.preventDefault();
    const userId = String(new FormData(event.target as HTMLFormElement).get("user"));
    void run(() => managed.removeHumanAvatar({ userId }));
  });
}
