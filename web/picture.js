// The picture of one person: oneself, or somebody else for who may change it.
import { call, session, text, unanswered } from "/web/call.js";
import { Crop } from "/web/crop.js";
import { settings } from "/web/signin.js";
import { ask, attempt, element, isBusy } from "/web/work.js";

const crop = new Crop(element("crop-area"), element("zoom"), [...document.querySelectorAll("#crop .preview")]);

let other = null; // {user, organisation} of somebody else; null for oneself

// addressesOf has the address of each method for a person, named as `other` is.
const addressesOf = (who) => who
  ? { GET: `/assets/v1/${encodeURIComponent(who.organisation)}/users/${encodeURIComponent(who.user)}/avatar`,
      POST: `/management/v1/users/${encodeURIComponent(who.user)}/avatar`,
      DELETE: `/management/v1/users/${encodeURIComponent(who.user)}/avatar` }
  : { GET: "/assets/v1/users/me/avatar", POST: "/assets/v1/users/me/avatar", DELETE: "/auth/v1/users/me/avatar" };

// picture sends a request about the picture of a person. That there is none is an answer.
const picture = (method, who, { query = "", body } = {}) => call(method, addressesOf(who)[method] + query, method === "GET"
  ? { expected: 404, permission: who && "user.read" }
  : { body, organisation: who?.organisation, permission: who && "user.write" });

// empty leaves no picture on the page, and nothing that can be done to one.
function empty() {
  if (document.activeElement === element("remove")) element("file").focus(); // what is hidden loses the focus
  for (const canvas of document.querySelectorAll("#mine canvas, #crop canvas")) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  element("drop").classList.add("empty");
  element("remove").hidden = element("nothing").hidden = true;
}

// clear leaves nothing of who was shown.
export function clear() {
  empty();
  other = null;
  element("whose").textContent = "";
}

// show reads somebody's picture. The page is emptied first, so that none stands under the name of somebody else, whatever fails.
export async function show(who) {
  empty();
  other = who;
  element("whose").textContent = who ? text("of", { user: who.user }) : text("mine");
  const answer = await picture("GET", who);
  const canvas = element("picture");
  element("remove").hidden = !answer.ok;
  await draw(canvas, answer.ok ? answer : await picture("GET", who, { query: "?default=initials" }));
  for (const small of document.querySelectorAll("#sizes canvas")) {
    await draw(small, await picture("GET", who, { query: `?default=initials&size=${small.dataset.size}` }));
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
  const shown = await createImageBitmap(bytes).catch(() => {
    throw new Error(text("notShown"));
  });
  signal.throwIfAborted();
  [canvas.width, canvas.height] = [shown.width, shown.height];
  canvas.getContext("2d").drawImage(shown, 0, 0);
  shown.close();
}

// choose lets a square of a picture be chosen and uploads it, for the person who is shown.
async function choose(file, done) {
  const who = other;
  const { signal } = session;
  const chosen = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => {
    throw new Error(text("notAPicture"));
  });
  try {
    signal.throwIfAborted();
    const saved = ask(element("crop"));
    crop.show(chosen);
    element("crop-area").focus();
    if (await saved !== "save") return;
    const blob = await crop.blob(settings.maxSide, settings.maxBytes);
    signal.throwIfAborted();
    if (!blob) throw new Error(text("tooLarge"));
    const form = new FormData();
    form.append("file", blob, "picture");
    await picture("POST", who, { body: form });
  } finally {
    chosen.close();
  }
  done(text("saved"));
  await show(who);
}

async function remove(done) {
  const who = other;
  if (await ask(element("confirm")) !== "remove") return;
  const answer = await picture("DELETE", who);
  const receipt = answer.headers.get("X-Avatard-Receipt");
  done(text("removed") + (receipt ? " " + text("receipt", { receipt }) : ""));
  await show(who);
}

const take = (file) => file && attempt((done) => choose(file, done));
element("file").addEventListener("click", (event) => isBusy() && event.preventDefault());
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
  if (target.matches?.("input") && !dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  if (!drop.contains(target)) dataTransfer.dropEffect = "none";
});
element("remove").addEventListener("click", () => attempt(remove));
