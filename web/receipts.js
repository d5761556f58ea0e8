// The receipts of an organisation or of one user, and one of them with all that it says.
import { rpc, text } from "/web/call.js";
import { addressOf, dateText, link, showPage } from "/web/list.js";
import { element } from "/web/work.js";

const list = element("receipt-list");

// show lists receipts, the newest first: those of one user when values name one.
export async function show(values, done) {
  element("whose-receipts").hidden = !values.user;
  element("whose-receipts").querySelector("bdi").textContent = values.user ?? "";
  const count = await showPage(list, {
    method: "ErasureService/ListReceipts", message: { userId: values.user ?? "" }, field: "receipts", view: "receipts", values,
    row: (receipt) => rowOf(receipt, values.organisation),
  });
  done(count ? text("receiptsHere", { count }) : text("noneHere"));
}

// showOne shows the receipt that values name.
export async function showOne({ receipt: receiptId = "", organisation }) {
  const { receipt } = await rpc("ErasureService/GetReceipt", { receiptId }, { organisation, permission: "user.read" });
  const shown = { ...receipt, reason: reasonOf(receipt), localDate: dateText(receipt.erasureDate) };
  for (const place of element("receipt-parts").querySelectorAll("[data-part]")) place.textContent = shown[place.dataset.part] || text("notKnown");
  link(element("receipts-of"), addressOf("receipts", { user: receipt.userId, organisation }));
  element("receipts-of").hidden = !receipt.userId;
  element("receipt-parts").hidden = false;
}

// clear leaves nothing of what was shown.
export function clear() {
  list.replaceChildren();
  element("whose-receipts").hidden = element("receipt-parts").hidden = element("receipts-of").hidden = true;
  for (const place of document.querySelectorAll("#receipt-parts [data-part], #whose-receipts bdi")) place.textContent = "";
  element("look-up").reset();
}

function rowOf(receipt, organisation) {
  const row = element("receipt-row").content.firstElementChild.cloneNode(true);
  link(row.querySelector(".id"), addressOf("receipt", { receipt: receipt.receiptId, organisation }), receipt.receiptId);
  row.querySelector(".hint span").textContent = `${dateText(receipt.erasureDate)} · ${reasonOf(receipt)}`;
  row.querySelector(".hint bdi").textContent = receipt.userId || text("notKnown");
  return row;
}

const reasonOf = ({ reason }) => ({
  ERASURE_REASON_REMOVED: text("reasonRemoved"), ERASURE_REASON_REPLACED: text("reasonReplaced"),
  ERASURE_REASON_ABANDONED: text("reasonAbandoned"), ERASURE_REASON_LOST: text("reasonLost"),
})[reason] ?? text("notKnown");
