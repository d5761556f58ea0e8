// Calls of the public API as who is signed in, and the words for what fails.
import { settings } from "/web/signin.js";

const limit = 60 * 1000; // milliseconds for a call

export const text = (name, values = {}) => settings.texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);

// session is what the calls of a signed-in person share.
export const session = {
  tokens: {}, // what the sign-in gave
  user: "", // id of who signed in
  organisation: "", // and of where they belong
  ending: new AbortController(), // ends what is under way when somebody signs out
  expired() {}, // called when the server takes the token no more

  get signal() {
    return this.ending.signal;
  },

  // end forgets who was signed in, and returns the tokens.
  end() {
    const { tokens } = this;
    this.ending.abort();
    this.ending = new AbortController();
    [this.tokens, this.user, this.organisation] = [{}, "", ""];
    return tokens;
  },
};

// request returns the answer, whatever it is. It throws what a person can read when there is none.
export async function request(method, address, { organisation, body, type, signal = session.signal } = {}) {
  const headers = { Authorization: `Bearer ${session.tokens.access_token}` };
  if (organisation) headers["x-zitadel-orgid"] = organisation;
  if (type) headers["Content-Type"] = type;
  let answer;
  try {
    answer = await fetch(address, { method, headers, body, cache: "no-store", signal: AbortSignal.any([signal, AbortSignal.timeout(limit)]) });
  } catch (error) {
    throw unanswered(error);
  }
  signal.throwIfAborted();
  return answer;
}

// call returns the answer to a request that needs a permission in the organisation, and throws what a person can read unless it is a
// success or has the status that is expected.
export async function call(method, address, { permission, expected, ...options } = {}) {
  const answer = await request(method, address, options);
  if (answer.ok || answer.status === expected) return answer;
  if (answer.status === 401) {
    session.expired();
    throw new Error(text("signInAgain"));
  }
  throw new Error(failure(answer, await answer.json().catch(() => null), permission));
}

// rpc calls a method of avatard.v1 in Connect's form. A browser would take an id such as ".." for a step in the path of a REST route.
export async function rpc(method, message, options) {
  const answer = await call("POST", `/avatard.v1.${method}`, { ...options, body: JSON.stringify(message), type: "application/json" });
  return answer.json().catch((error) => {
    throw unanswered(error);
  });
}

// unanswered is the error for an answer that has not come, or not as a whole.
export const unanswered = (error) => new Error(error.name === "TimeoutError" ? text("tooSlow") : text("noAnswer"));

// failure words an answer that is an error. Behind the words stands what to look for in the documentation, or else in the server's log.
function failure({ status, headers }, told, permission) {
  const detail = told?.details?.[0];
  const named = detail?.debug?.id ?? detail?.id; // in Connect's form, and over REST
  const id = named ?? headers.get("X-Request-Id");
  let message = String(told?.message ?? status);
  if (id && !message.includes(id)) message += ` (${id})`;
  if (permission && (named === "AUTH-5mWD2" || named === "AUTHZ-cdgFk")) return text("forbidden", { permission, message });
  return [429, 503, 504].includes(status) ? text("later", { message }) : text("failed", { message });
}
