// One thing is done at a time, and the page tells what comes of it.
import { text } from "/web/call.js";

export const element = (id) => document.querySelector(`#${id}`);

let busy = false; // while an attempt runs
let latest = 0; // number of the attempt that was begun last
let idle = () => {}; // called when an attempt has ended

export const isBusy = () => busy;
export const whenIdle = (f) => {
  idle = f;
};

// tell leaves a text that stays as it is alone: a screen reader would read it out again.
export function tell(status, problem = "") {
  for (const [id, words] of Object.entries({ status, problem })) {
    if (element(id).textContent !== words) element(id).textContent = words;
  }
}

// setBusy does not disable the buttons, since a button that is disabled loses the focus of the keyboard.
export function setBusy(value) {
  busy = value;
  element("signed-in").ariaBusy = String(value);
  for (const control of element("signed-in").querySelectorAll("button:not(#sign-out), #file")) control.ariaDisabled = String(value);
}

// attempt runs f and tells what went wrong. While it runs, dialogs and all, no other attempt is begun. f gets a function that tells what
// has worked, which stays told if something fails after it.
export async function attempt(f, meanwhile = text("working")) {
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
    if (turn === latest) {
      setBusy(false);
      idle();
    }
  }
}

// ask opens a dialog and returns the value of the button that closes it.
export const ask = (dialog) => new Promise((resolve) => {
  tell("");
  dialog.returnValue = "cancel"; // what closing it by other means leaves
  dialog.onclose = () => {
    tell(text("working"));
    resolve(dialog.returnValue);
  };
  dialog.showModal();
});
