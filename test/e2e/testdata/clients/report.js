// What every client here does, and how it tells of it: one line of JSON for each call. The Go tests hold what is right.

/**
 * Thrown by a client whose call was refused, in the words of that client.
 * @typedef {{code: number, message: string, details: {type: string, id?: string, message?: string}[], challenge: string}} Refusal
 */
export class Refused extends Error {
  /** @param {Refusal} refusal */
  constructor(refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/**
 * Makes the calls of the plan one after the other.
 *
 * @param {{name: string, remove: (call: {token: string, user: string, organization: string}) => Promise<object>}} client
 * remove answers {details, receipt} or throws Refused. Whatever else it throws is a failure of the client itself.
 * @param {{calls: object[], users: Record<string, string>}} plan users names the user that a client has to itself.
 * @param {(line: object) => void} report
 */
export async function follow(client, plan, report) {
  for (const call of plan.calls) {
    const user = call.user || plan.users[client.name];
    const line = { client: client.name, step: call.step };
    try {
      Object.assign(line, await client.remove({ token: call.token, user, organization: call.organization }));
    } catch (err) {
      if (err instanceof Refused) line.refused = err.refusal;
      else line.failed = String(err);
    }
    report(line);
  }
}

/** Headers of a call, none for what is empty. */
export function headersOf({ token, organization }) {
  const headers = {};
  if (token) headers["Authorization"] = `Bearer ${token}`;
  if (organization) headers["X-Zitadel-Orgid"] = organization;
  return headers;
}

/** What a call may take. That it is sent at all is part of what the tests are about. */
export const timeoutMs = 20_000;
