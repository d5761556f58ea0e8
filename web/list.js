// What lists have in common: pages, and the addresses of views. The fragment of the page's address names the view and what it shows, so
// that the browser's buttons and bookmarks work; servers are not sent it.
import { rpc } from "/web/call.js";
import { element } from "/web/work.js";

const mostEmpty = 20; // pages without an entry that are asked for in a row

const before = new Map(); // by the token of a page, that of the page before it

export const forgetPages = () => before.clear();

// addressOf is the address of a view with those of the values that are not empty.
export const addressOf = (view, values = {}) => `#${new URLSearchParams(Object.entries({ view, ...values }).filter(([, value]) => value))}`;

// Dates and sizes are as people write them in the page's language, where they say it is theirs.
const { lang } = document.documentElement;
const locale = navigator.languages.find((tag) => tag.split("-")[0] === lang) ?? lang;
const dates = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const sizes = new Intl.NumberFormat(locale, { style: "unit", unit: "kilobyte", maximumFractionDigits: 1 });
export const dateText = (timestamp) => timestamp ? dates.format(new Date(timestamp)) : "";
export const sizeText = (bytes) => sizes.format(bytes / 1000);

// link fills in a link with a text, which may be anything.
export function link(anchor, address, words) {
  anchor.href = address;
  if (words !== undefined) anchor.replaceChildren(Object.assign(document.createElement("bdi"), { textContent: words }));
}

// showPage asks a method for the page that a view's values name, and puts a row for each entry in the list. It returns how many there are.
// Pages without entries, which others may follow, are passed over.
export async function showPage(list, { method, message, field, view, values, row }) {
  let pageToken = values.page ?? "";
  let answer;
  for (let asked = 0; asked < mostEmpty; asked++) {
    answer = await rpc(method, { ...message, pageToken }, { organisation: values.organisation, permission: "user.read" });
    if (answer[field]?.length || !answer.nextPageToken) break;
    pageToken = answer.nextPageToken;
  }
  const entries = answer[field] ?? [];
  list.replaceChildren(...entries.map(row));
  showPager(view, values, answer.nextPageToken);
  return entries.length;
}

// showPager shows the links to the pages around the one that is shown.
function showPager(view, values, next) {
  const current = values.page ?? "";
  if (next) before.set(next, current);
  const targets = { first: current && before.get(current) !== "" && { page: "" }, previous: before.has(current) && { page: before.get(current) }, next: next && { page: next } };
  for (const [name, target] of Object.entries(targets)) {
    const anchor = element(`page-${name}`);
    anchor.hidden = !target;
    anchor.href = addressOf(view, { ...values, ...target });
  }
}

// hidePager shows no link to a page.
export const hidePager = () => showPager("", {}, "");
