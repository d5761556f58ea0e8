// Sign-in by authorization code with PKCE (RFC 7636). The page goes to the provider and comes back to /callback. What has to outlive
// that is kept in sessionStorage until then: the state and the verifier, which open nothing afterwards. The token is not stored.

export interface Provider {
  issuer: string;
  clientId: string;
  scopes: string; // with spaces between them
}

interface Endpoints {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
}

const pending = "sign-in";
const redirect = () => `${location.origin}/callback`;

/** Leaves the page for the provider. */
export async function goAndSignIn(provider: Provider): Promise<void> {
  const { authorization_endpoint } = await discover(provider);
  const [state, verifier] = [randomText(), randomText()];
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)); // only on https and loopback
  sessionStorage.setItem(pending, JSON.stringify({ state, verifier }));
  const address = new URL(authorization_endpoint);
  for (const [name, value] of Object.entries({
    response_type: "code",
    client_id: provider.clientId,
    redirect_uri: redirect(),
    scope: provider.scopes,
    state,
    code_challenge: base64url(new Uint8Array(hash)),
    code_challenge_method: "S256",
  })) {
    address.searchParams.set(name, value);
  }
  location.assign(address);
}

/** Returns the access token when the provider has sent the browser back, and undefined on any other visit. */
export async function finishSignIn(provider: Provider): Promise<string | undefined> {
  if (location.pathname !== "/callback") return undefined;
  const answer = new URLSearchParams(location.search);
  const { state, verifier } = JSON.parse(sessionStorage.getItem(pending) ?? "{}") as { state?: string; verifier?: string };
  sessionStorage.removeItem(pending);
  history.replaceState(null, "", "/"); // a code is good once: reloading must not send it again
  if (!state || !verifier || answer.get("state") !== state) throw new Error("this sign-in was not begun here");
  const code = answer.get("code");
  if (!code) throw new Error(`the provider refused: ${answer.get("error_description") ?? answer.get("error")}`);

  const { token_endpoint } = await discover(provider);
  const body = new URLSearchParams({
    grant_type: "authorization_code",
    code,
    redirect_uri: redirect(),
    client_id: provider.clientId,
    code_verifier: verifier,
  });
  const res = await fetch(token_endpoint, { method: "POST", body });
  if (!res.ok) throw new Error(`the provider gave no token: ${res.status}`);
  return ((await res.json()) as { access_token: string }).access_token;
}

async function discover({ issuer }: Provider): Promise<Endpoints> {
  const res = await fetch(`${issuer}/.well-known/openid-configuration`);
  if (!res.ok) throw new Error(`the provider does not describe itself: ${res.status}`);
  const endpoints = (await res.json()) as Endpoints;
  if (endpoints.issuer !== issuer) throw new Error("the description is of another provider");
  return endpoints;
}

const randomText = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const base64url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
