// Sign-in of pages, and its end: authorization code with PKCE (RFC 7636) in a window of its own. The code comes back through a BroadcastChannel, as the
// opener of a window is gone where the provider isolates its pages. Nothing is stored: the token lives in the page.
export const settings = JSON.parse(document.querySelector("#settings").textContent);

const channelName = "avatard-sign-in";
const patience = 5 * 60 * 1000; // milliseconds for a person to sign in
const limit = 30 * 1000; // milliseconds for an answer of the provider

// SignInError says by a name why a sign-in failed, which pages have words for; detail is what the provider said.
export class SignInError extends Error {
  constructor(problem, detail = "") {
    super(problem);
    Object.assign(this, { problem, detail });
  }
}

// checkSignIn throws when nobody can sign in here.
function checkSignIn() {
  if (!settings.clientId) throw new SignInError("signInMissing");
  if (!globalThis.crypto?.subtle) throw new SignInError("signInInsecure");
}

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const randomText = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

// signIn returns what the token endpoint answers (RFC 6749 section 5.1): access_token, and id_token if there is one.
// It throws SignInError.
export async function signIn() {
  checkSignIn();
  const turn = ++latest;
  const state = randomText();
  const verifier = randomText();
  const challenge = base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
  const redirect = `${location.origin}/callback`;
  const address = new URL(settings.signIn.authorizationUrl);
  const parameters = {
    response_type: "code", client_id: settings.clientId, redirect_uri: redirect, scope: settings.scope,
    state, code_challenge: challenge, code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  const code = await codeOf(address, state);
  let answer, token;
  try {
    answer = await ask(settings.signIn.tokenUrl, {
      grant_type: "authorization_code", code, redirect_uri: redirect, client_id: settings.clientId, code_verifier: verifier,
    });
    token = await answer.json();
  } catch (error) {
    if (error.name === "TimeoutError") throw new SignInError("signInSlow");
    if (!answer) throw new SignInError("signInNoAnswer");
  }
  if (turn !== latest) throw new SignInError("signInAnew");
  if (answer.ok && token?.access_token) return token;
  const reason = token?.error_description ?? token?.error;
  throw reason ? new SignInError("signInRefused", reason) : new SignInError("signInUnclear", answer.status);
}

// ask sends parameters to the provider.
const ask = (address, parameters) => fetch(address, { method: "POST", body: new URLSearchParams(parameters), signal: AbortSignal.timeout(limit) });

// signOut ends what signIn returned (RFC 7009), and tells whether the provider did: "revoked", "kept" where it has no place for that, and
// "unrevoked" where it did not answer as it should.
export async function signOut(tokens) {
  if (!settings.signIn.revocationUrl) return "kept";
  const answers = ["refresh_token", "access_token"].filter((kind) => tokens[kind]).map((kind) =>
    ask(settings.signIn.revocationUrl, { token: tokens[kind], token_type_hint: kind, client_id: settings.clientId }).then(({ ok }) => ok, () => false));
  return (await Promise.all(answers)).every(Boolean) ? "revoked" : "unrevoked";
}

let latest = 0; // number of the sign-in that was begun last
let giveUp = () => {}; // ends the wait for its window

// codeOf opens the sign-in and waits for what comes back. Whether its window was closed cannot be seen, since one whose provider isolates
// its pages looks closed, too. A second sign-in gives up the first.
function codeOf(address, state) {
  giveUp();
  return new Promise((resolve, reject) => {
    const channel = new BroadcastChannel(channelName);
    const opened = window.open(address, "_blank", "popup,width=520,height=720");
    const end = (settle, value) => {
      clearTimeout(late);
      channel.close();
      settle(value);
    };
    giveUp = () => end(reject, new SignInError("signInAnew"));
    const late = setTimeout(() => end(reject, new SignInError("signInLate")), patience);
    channel.onmessage = ({ data }) => {
      const answer = new URLSearchParams(data);
      if (answer.get("state") !== state) return; // of another page
      // A provider that names itself has to be the one that was asked (RFC 9207 section 2.4).
      const named = answer.get("iss") ?? settings.signIn.issuer;
      if (named !== settings.signIn.issuer) end(reject, new SignInError("signInOther", named));
      else if (answer.get("error")) end(reject, new SignInError("signInRefused", answer.get("error_description") ?? answer.get("error")));
      else if (answer.get("code")) end(resolve, answer.get("code"));
      else end(reject, new SignInError("signInUnclear", "no code"));
    };
    if (!opened) end(reject, new SignInError("signInBlocked"));
  });
}
