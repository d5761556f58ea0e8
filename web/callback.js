// Hands what the provider sent to the page that waits for it (signin.js), and forgets it.
const channel = new BroadcastChannel("avatard-sign-in");
channel.postMessage(location.search);
history.replaceState(null, "", "/callback");
channel.close();
window.close();
