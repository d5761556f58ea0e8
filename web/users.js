// The users of an organisation, and the end of an account.
import { rpc, session, request, text } from "/web/call.js";
import { addressOf, dateText, link, showPage, sizeText } from "/web/list.js";
import { ask, attempt, element } from "/web/work.js";

const filters = new Map([["", "PICTURE_FILTER_UNSPECIFIED"], ["with", "PICTURE_FILTER_WITH"], ["without", "PICTURE_FILTER_WITHOUT"]]);
const mostThumbnails = 4; // that are read at once

const list = element("user-list");

// show lists users. They are those of the caller's organisation unless values name one.
export async function show(values, done) {
  for (const anchor of element("filters").children) {
    anchor.href = addressOf("users", { organisation: values.organisation, picture: anchor.dataset.picture });
    anchor.ariaCurrent = anchor.dataset.picture === (values.picture ?? "") ? "page" : "false";
  }
  const count = await showPage(list, {
    method: "UserService/ListUsers", message: { picture: filters.get(values.picture ?? "") ?? values.picture }, field: "users", view: "users", values,
    row: (user) => rowOf(user, values.organisation),
  });
  done(count ? text("usersHere", { count }) : text("nobodyHere"));
}

// clear leaves nothing of who was shown.
export function clear() {
  list.replaceChildren();
  element("end-who").firstElementChild.textContent = "";
  thumbnails.disconnect();
  wanted = [];
}

function rowOf({ userId: user, details, picture }, organisation) {
  const row = element("user-row").content.firstElementChild.cloneNode(true);
  const [canvas, kind, changed, receipts, button] = ["canvas", "[data-part=kind]", "[data-part=changed]", ".receipts", "button"].map((part) => row.querySelector(part));
  link(row.querySelector(".id"), addressOf("picture", { user, organisation: details.resourceOwner }), user);
  link(receipts, addressOf("receipts", { user, organisation }));
  receipts.ariaLabel = `${receipts.textContent}: ${user}`;
  button.ariaLabel = `${button.textContent}: ${user}`;
  button.addEventListener("click", () => attempt((done) => end(row, user, organisation, done)));
  kind.textContent = picture ? `${picture.mediaType.replace("image/", "").toUpperCase()}, ${sizeText(picture.sizeBytes)}` : text("without");
  changed.textContent = text("changed", { date: dateText(details.changeDate) });
  if (picture) {
    canvas.dataset.address = `${picture.pictureUrl}&size=64`;
    thumbnails.observe(canvas);
  }
  return row;
}

// end ends an account once somebody has confirmed it. In place of its row there is then its receipt.
async function end(row, user, organisation, done) {
  element("end-who").firstElementChild.textContent = user;
  element("end-own").hidden = user !== session.user;
  if (await ask(element("end")) !== "end") return;
  const { receiptId: receipt } = await rpc("ErasureService/EraseUser", { userId: user }, { organisation, permission: "user.delete" });
  const gone = element("ended-row").content.firstElementChild.cloneNode(true);
  const [id, proof, none] = gone.querySelectorAll("bdi, a, span");
  id.textContent = user;
  link(proof, addressOf("receipt", { receipt, organisation }));
  [proof.hidden, none.hidden] = [!receipt, Boolean(receipt)];
  row.replaceWith(gone);
  (receipt ? proof : gone).focus();
  done(text("ended", { user }) + " " + (receipt ? text("receipt", { receipt }) : text("noReceipt")));
}

// Thumbnails are read when their rows come into sight, a few at a time, and given up where the server refuses one.
let wanted = []; // canvases that wait for their pictures
let reading = 0;
const thumbnails = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    thumbnails.unobserve(target);
    wanted.push(target);
  }
  while (reading < mostThumbnails && wanted.length) read();
});

async function read() {
  reading++;
  for (let canvas = wanted.shift(); canvas; canvas = wanted.shift()) await thumbnail(canvas).catch(() => {});
  reading--;
}

async function thumbnail(canvas) {
  const answer = await request("GET", canvas.dataset.address);
  if (!answer.ok) {
    if (answer.status !== 404) wanted = [];
    return;
  }
  const picture = await createImageBitmap(await answer.blob());
  if (canvas.isConnected) {
    [canvas.width, canvas.height] = [picture.width, picture.height];
    canvas.getContext("2d").drawImage(picture, 0, 0);
  }
  picture.close();
}
