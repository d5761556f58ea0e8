// The page for people: one's own picture, and for who may see or change them those of others, users and receipts. It talks to the public API alone.
import { session, text } from "/web/call.js";
import { addressOf, forgetPages, hidePager } from "/web/list.js";
import * as picture from "/web/picture.js";
import * as receipts from "/web/receipts.js";
import { signIn, signOut } from "/web/signin.js";
import * as users from "/web/users.js";
import { attempt, element, isBusy, setBusy, whenIdle } from "/web/work.js";

// views has what the page can show, by its name in the address: its title, the part of the page, and what fills that in.
const views = new Map(Object.entries({
  picture: {
    title: ({ user }) => user ? text("others") : text("title"),
    part: "mine",
    fill: ({ user, organisation = session.organisation }) => picture.show(user ? { user, organisation } : null),
  },
  users: { title: () => text("users"), part: "users", fill: users.show },
  receipts: { title: () => text("receipts"), part: "receipts", fill: receipts.show },
  receipt: { title: () => text("oneReceipt"), part: "receipt", fill: receipts.showOne },
}));

let shown = null; // the fragment of the address whose view is shown, or failed to be

// valuesOf are those of an address.
const valuesOf = (fragment) => Object.fromEntries(new URLSearchParams(fragment.slice(1)));

// clear leaves nothing of what was shown.
function clear() {
  for (const { clear } of [picture, users, receipts]) clear();
  hidePager();
  for (const { part } of views.values()) element(part).hidden = true;
}

// show shows what the address says.
async function show(done) {
  shown = location.hash;
  const values = valuesOf(shown);
  const name = views.has(values.view) ? values.view : "picture";
  const { title, part, fill } = views.get(name);
  clear();
  element(part).hidden = false;
  element("elsewhere").hidden = !["users", "receipts"].includes(name);
  element("act-in").value = values.organisation ?? session.organisation;
  element("title").textContent = title(values);
  document.title = title(values);
  const organisation = values.organisation === session.organisation ? "" : values.organisation;
  for (const anchor of element("views").children) {
    anchor.href = addressOf(anchor.dataset.view, { organisation: anchor.dataset.view === "picture" ? "" : organisation });
    anchor.ariaCurrent = anchor.dataset.view === name && !values.user ? "page" : "false";
  }
  try {
    await fill(values, done);
  } finally {
    if (!document.activeElement?.checkVisibility() || document.activeElement === document.body) element("title").focus();
  }
}

// visit goes to an address.
function visit(address) {
  if (isBusy()) return;
  if (address !== location.hash) history.pushState(null, "", address);
  attempt(show);
}

// signedOut leaves nothing of who was signed in, and ends what is under way. It returns the tokens.
function signedOut() {
  const tokens = session.end();
  clear();
  forgetPages();
  if (tokens.access_token) history.replaceState(null, "", location.pathname);
  shown = null;
  element("find").reset();
  element("in").reset();
  element("others").open = false;
  for (const anchor of document.querySelectorAll("#signed-in a")) anchor.removeAttribute("href");
  element("title").textContent = document.title = text("title");
  element("signed-in").hidden = true;
  element("signed-out").hidden = false;
  return tokens;
}

async function enter(done) {
  session.tokens = await signIn();
  const claims = claimsOf(session.tokens.id_token);
  // What they say decides nothing: it fills in a field, and words a warning.
  session.user = claims.sub ?? "";
  session.organisation = element("organisation").value = claims["urn:zitadel:iam:user:resourceowner:id"] ?? "";
  element("signed-out").hidden = true;
  element("signed-in").hidden = false;
  await show(done);
}

async function leave(done) {
  const given = signedOut();
  element("sign-in").focus();
  done({ revoked: text("revoked"), kept: text("kept"), unrevoked: text("unrevoked") }[await signOut(given)]);
}

// claimsOf reads an id token without checking it.
function claimsOf(idToken) {
  try {
    const [, payload] = idToken.split(".");
    return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}

session.expired = () => {
  signedOut();
  element("sign-in").focus();
};
element("sign-in").addEventListener("click", () => {
  setBusy(false); // a sign-in that is begun anew takes the place of the one that waits
  attempt(enter, text("waiting"));
});
element("sign-out").addEventListener("click", () => {
  setBusy(false); // what is under way is given up
  attempt(leave);
});
// submit has a form go to the address that f makes of its fields.
const submit = (form, f) => element(form).addEventListener("submit", (event) => {
  event.preventDefault();
  visit(f());
});
submit("find", () => addressOf("picture", { user: element("user").value, organisation: element("organisation").value }));
submit("in", () => addressOf(valuesOf(location.hash).view, { organisation: element("act-in").value }));
submit("look-up", () => {
  const { organisation } = valuesOf(location.hash);
  const [user, receipt] = [element("of-user").value, element("of-receipt").value.trim()];
  return receipt ? addressOf("receipt", { receipt, organisation }) : addressOf("receipts", { user, organisation });
});
element("own").addEventListener("click", () => visit(addressOf("picture")));
// Links do nothing while an attempt runs, like buttons, and one to what is shown shows it anew. Where the browser's buttons lead meanwhile is
// shown afterwards.
element("signed-in").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link) return;
  if (isBusy()) event.preventDefault();
  else if (link.hash === location.hash) attempt(show);
}, true);
const follow = () => session.tokens.access_token && location.hash !== shown && attempt(show);
addEventListener("hashchange", follow);
whenIdle(follow);
signedOut();
