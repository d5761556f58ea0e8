// The page for people: one's own picture, and those of others for who may change them. It talks to the public API alone.
import { Crop } from "/web/crop.js";
import { settings, signIn } from "/web/signin.js";

const element = (id) => document.querySelector(`#${id}`);
const text = (name, values = {}) => settings.texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
const crop = new Crop(element("crop-area"), element("zoom"), [...document.querySelectorAll("#crop .preview")]);

let token = "";
let home = ""; // the organisation of who signed in, "" where the provider does not say
let other = null; // {user, organisation} of somebody else; null for oneself

const place = () => other
  ? { read: `/assets/v1/${encodeURIComponent(other.organisation)}/users/${encodeURIComponent(other.user)}/avatar`,
      write: `/management/v1/users/${encodeURIComponent(other.user)}/avatar`,
      remove: `/management/v1/users/${encodeURIComponent(other.user)}/avatar` }
  : { read: "/assets/v1/users/me/avatar", write: "/assets/v1/users/me/avatar", remove: "/auth/v1/users/me/avatar" };

// call returns the answer, or throws what a person can read.
async function call(method, path, body) {
  const headers = { Authorization: `Bearer ${token}` };
  if (other && method !== "GET") headers["x-zitadel-orgid"] = other.organisation;
  let answer;
  try {
    answer = await fetch(path, { method, headers, body, cache: "no-store" });
  } catch {
    throw new Error(text("noAnswer"));
  }
  if (answer.ok || answer.status === 404 && method === "GET") return answer;
  if (answer.status === 401) {
    signedOut();
    throw new Error(text("signInAgain"));
  }
  const { message } = await answer.json().catch(() => ({ message: answer.status }));
  throw new Error(text("failed", { message }));
}

function tell(status, problem = "") {
  element("status").textContent = status;
  element("problem").textContent = problem;
}

// attempt runs f and tells what went wrong.
async function attempt(f, meanwhile = text("working")) {
  tell(meanwhile);
  try {
    tell(await f() ?? "");
  } catch (error) {
    tell("", error.problem ? text(error.problem, error) : error.message);
  }
}

async function showPicture() {
  const canvas = element("picture");
  element("whose").textContent = other ? text("of", { user: other.user }) : text("mine");
  const there = await draw(canvas, "");
  if (!there) await draw(canvas, "?default=initials");
  for (const small of document.querySelectorAll("#sizes canvas")) await draw(small, `?default=initials&size=${small.dataset.size}`);
  canvas.ariaLabel = there ? text("pictureAlt") : text("defaultAlt");
  element("remove").hidden = !there;
  element("nothing").hidden = there;
}

// draw shows what the server sends, and reports whether that is a picture.
async function draw(canvas, query) {
  const answer = await call("GET", place().read + query);
  if (!answer.ok) return false;
  const picture = await createImageBitmap(await answer.blob());
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").drawImage(picture, 0, 0);
  picture.close();
  return true;
}

async function choose(file) {
  if (!file) return;
  let picture;
  try {
    picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    tell("", text("notAPicture"));
    return;
  }
  const dialog = element("crop");
  tell("");
  dialog.returnValue = "cancel"; // what closing it by other means leaves
  dialog.showModal();
  crop.show(picture);
  element("crop-area").focus();
  dialog.onclose = () => {
    if (dialog.returnValue === "save") attempt(upload).finally(() => picture.close());
    else picture.close();
  };
}

async function upload() {
  const blob = await crop.blob(settings.maxSide, settings.maxBytes);
  if (!blob) throw new Error(text("tooLarge"));
  const form = new FormData();
  form.append("file", blob, "picture");
  await call("POST", place().write, form);
  await showPicture();
  return text("saved");
}

async function remove() {
  const answer = await call("DELETE", place().remove);
  await showPicture();
  const receipt = answer.headers.get("X-Avatard-Receipt");
  element("file").focus();
  return text("removed") + (receipt ? " " + text("receipt", { receipt }) : "");
}

function signedOut() {
  token = "";
  element("signed-in").hidden = true;
  element("signed-out").hidden = false;
}

async function enter() {
  const tokens = await signIn();
  token = tokens.access_token;
  home = organisationIn(tokens.id_token);
  element("organisation").value = home;
  other = null;
  element("signed-out").hidden = true;
  element("signed-in").hidden = false;
  await showPicture();
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

element("sign-in").addEventListener("click", () => attempt(enter, text("waiting")));
element("file").addEventListener("change", (event) => {
  choose(event.target.files[0]);
  event.target.value = ""; // the same file can be chosen again
});
const drop = element("drop");
for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  choose(event.dataTransfer.files[0]);
});
element("remove").addEventListener("click", () => {
  const dialog = element("confirm");
  dialog.returnValue = "cancel";
  dialog.showModal();
  dialog.onclose = () => dialog.returnValue === "remove" && attempt(remove);
});
element("find").addEventListener("submit", (event) => {
  event.preventDefault();
  other = { user: element("user").value, organisation: element("organisation").value };
  attempt(showPicture);
});
element("own").addEventListener("click", () => {
  other = null;
  attempt(showPicture);
});
signedOut();
