// The page for people: one's own picture, and those of others for who may change them. It talks to the public API alone.
import { Crop } from "/web/crop.js";
import { settings, signIn, signOut } from "/web/signin.js";

const element = (id) => document.querySelector(`#${id}`);
const text = (name, values = {}) => settings.texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
const crop = new Crop(element("crop-area"), element("zoom"), [...document.querySelectorAll("#crop .preview")]);

const limit = 60 * 1000; // milliseconds for a call

let tokens = {}; // what the sign-in gave
let session = new AbortController(); // ends with what is under way when somebody signs out
let other = null; // {user, organisation} of somebody else; null for oneself
let busy = false; // while an attempt runs
let latest = 0; // number of the attempt that was begun last

// addressesOf has the address of each method for a person, named as `other` is.
const addressesOf = (who) => who
  ? { GET: `/assets/v1/${encodeURIComponent(who.organisation)}/users/${encodeURIComponent(who.user)}/avatar`,
      POST: `/management/v1/users/${encodeURIComponent(who.user)}/avatar`,
      DELETE: `/management/v1/users/${encodeURIComponent(who.user)}/avatar` }
  : { GET: "/assets/v1/users/me/avatar", POST: "/assets/v1/users/me/avatar", DELETE: "/auth/v1/users/me/avatar" };

// call returns the answer, or throws what a person can read.
async function call(method, who, { query = "", body } = {}) {
  const headers = { Authorization: `Bearer ${tokens.access_token}` };
  const { signal } = session;
  if (who && method !== "GET") headers["x-zitadel-orgid"] = who.organisation;
  let answer;
  try {
    answer = await fetch(addressesOf(who)[method] + query,
      { method, headers, body, cache: "no-store", signal: AbortSignal.any([signal, AbortSignal.timeout(limit)]) });
  } catch (error) {
    throw unanswered(error);
  }
  signal.throwIfAborted();
  if (answer.ok || answer.status === 404 && method === "GET") return answer;
  if (answer.status === 401) {
    signedOut();
    element("sign-in").focus();
    throw new Error(text("signInAgain"));
  }
  const told = await answer.json().catch(() => null);
  throw new Error(text("failed", { message: told?.message ?? answer.status }));
}

// unanswered is the error for an answer that has not come, or not as a whole.
const unanswered = (error) => new Error(error.name === "TimeoutError" ? text("tooSlow") : text("noAnswer"));

// tell leaves a text that stays as it is alone: a screen reader would read it out again.
function tell(status, problem = "") {
  for (const [id, words] of Object.entries({ status, problem })) {
    if (element(id).textContent !== words) element(id).textContent = words;
  }
}

// setBusy does not disable the buttons, since a button that is disabled loses the focus of the keyboard.
function setBusy(value) {
  busy = value;
  element("signed-in").ariaBusy = String(value);
  for (const control of element("signed-in").querySelectorAll("button:not(#sign-out), #file")) control.ariaDisabled = String(value);
}

// attempt runs f and tells what went wrong. While it runs, dialogs and all, no other attempt is begun. f gets a function that tells what
// has worked, which stays told if something fails after it.
async function attempt(f, meanwhile = text("working")) {
  if (busy) return;
  const turn = ++latest;
  let done = "";
  const say = (problem) => turn === latest && tell(done, problem);
  setBusy(true);
  tell(meanwhile);
  try {
    await f((words) => {
      done = words;
      say();
    });
    say();
  } catch (error) {
    say(error.problem ? text(error.problem, error) : error.message);
  } finally {
    if (turn === latest) setBusy(false);
  }
}

// ask opens a dialog and returns the value of the button that closes it.
const ask = (dialog) => new Promise((resolve) => {
  tell("");
  dialog.returnValue = "cancel"; // what closing it by other means leaves
  dialog.onclose = () => {
    tell(text("working"));
    resolve(dialog.returnValue);
  };
  dialog.showModal();
});

// empty leaves no picture on the page, and nothing that can be done to one.
function empty() {
  if (document.activeElement === element("remove")) element("file").focus(); // what is hidden loses the focus
  for (const canvas of document.querySelectorAll("canvas")) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  element("drop").classList.add("empty");
  element("remove").hidden = element("nothing").hidden = true;
}

// show reads somebody's picture. The page is emptied first, so that none stands under the name of somebody else, whatever fails.
async function show(who) {
  empty();
  other = who;
  element("whose").textContent = who ? text("of", { user: who.user }) : text("mine");
  const answer = await call("GET", who);
  const canvas = element("picture");
  element("remove").hidden = !answer.ok;
  await draw(canvas, answer.ok ? answer : await call("GET", who, { query: "?default=initials" }));
  for (const small of document.querySelectorAll("#sizes canvas")) {
    await draw(small, await call("GET", who, { query: `?default=initials&size=${small.dataset.size}` }));
  }
  canvas.ariaLabel = answer.ok ? text("pictureAlt") : text("defaultAlt");
  element("nothing").hidden = answer.ok;
  element("drop").classList.remove("empty");
}

// draw shows the picture that the server sent, if it sent one.
async function draw(canvas, answer) {
  if (!answer.ok) return;
  const { signal } = session;
  const bytes = await answer.blob().catch((error) => {
    throw unanswered(error);
  });
  const picture = await createImageBitmap(bytes).catch(() => {
    throw new Error(text("notShown"));
  });
  signal.throwIfAborted();
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").drawImage(picture, 0, 0);
  picture.close();
}

// choose lets a square of a picture be chosen and uploads it, for the person who is shown.
async function choose(file, done) {
  const who = other;
  const { signal } = session;
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => {
    throw new Error(text("notAPicture"));
  });
  try {
    signal.throwIfAborted();
    const saved = ask(element("crop"));
    crop.show(picture);
    element("crop-area").focus();
    if (await saved !== "save") return;
    const blob = await crop.blob(settings.maxSide, settings.maxBytes);
    signal.throwIfAborted();
    if (!blob) throw new Error(text("tooLarge"));
    const form = new FormData();
    form.append("file", blob, "picture");
    await call("POST", who, { body: form });
  } finally {
    picture.close();
  }
  done(text("saved"));
  await show(who);
}

async function remove(done) {
  const who = other;
  if (await ask(element("confirm")) !== "remove") return;
  const answer = await call("DELETE", who);
  const receipt = answer.headers.get("X-Avatard-Receipt");
  done(text("removed") + (receipt ? " " + text("receipt", { receipt }) : ""));
  await show(who);
}

// signedOut leaves nothing of who was signed in, and ends what is under way.
function signedOut() {
  session.abort();
  session = new AbortController();
  tokens = {};
  other = null;
  empty();
  element("whose").textContent = "";
  element("find").reset();
  element("others").open = false;
  element("signed-in").hidden = true;
  element("signed-out").hidden = false;
}

async function enter() {
  tokens = await signIn();
  element("organisation").value = organisationIn(tokens.id_token);
  element("signed-out").hidden = true;
  element("signed-in").hidden = false;
  await show(null);
}

async function leave(done) {
  const given = tokens;
  signedOut();
  element("sign-in").focus();
  done({ revoked: text("revoked"), kept: text("kept"), unrevoked: text("unrevoked") }[await signOut(given)]);
}

// organisationIn reads ZITADEL's claim. What it says decides nothing: it fills in a field.
function organisationIn(idToken) {
  try {
    const [, payload] = idToken.split(".");
    return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")))["urn:zitadel:iam:user:resourceowner:id"] ?? "";
  } catch {
    return "";
  }
}

element("sign-in").addEventListener("click", () => {
  setBusy(false); // a sign-in that is begun anew takes the place of the one that waits
  attempt(enter, text("waiting"));
});
element("sign-out").addEventListener("click", () => {
  setBusy(false); // what is under way is given up
  attempt(leave);
});
const take = (file) => file && attempt((done) => choose(file, done));
element("file").addEventListener("click", (event) => busy && event.preventDefault());
element("file").addEventListener("change", (event) => {
  take(event.target.files[0]);
  event.target.value = ""; // the same file can be chosen again
});
const drop = element("drop");
for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => take(event.dataTransfer.files[0]));
// A browser opens what is dropped elsewhere in place of the page, and the sign-in would be gone. Text can be dropped on the fields.
for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => {
  const { target, dataTransfer } = event;
  if (target.matches?.("#user, #organisation") && !dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  if (!drop.contains(target)) dataTransfer.dropEffect = "none";
});
element("remove").addEventListener("click", () => attempt(remove));
element("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const who = { user: element("user").value, organisation: element("organisation").value };
  attempt(() => show(who));
});
element("own").addEventListener("click", () => attempt(() => show(null)));
signedOut();
