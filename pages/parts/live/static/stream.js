// The socket of one run: decoding, back-pressure, reconnecting. Knows nothing of what is drawn.
//
// One message is in flight: "ok" goes out only after a frame was drawn inside requestAnimationFrame, and only then
// does the server send the next. A slow or hidden page therefore slows its own stream and nothing else. With it, or
// with "show" where nothing was drawn, go the names of the server's views that are looked at: it makes only these.

import { decodeFrame } from "./frame.js";

const UNKNOWN_RUN = 4404;
const FIRST_RETRY_MS = 300;
const LAST_RETRY_MS = 2000;

/**
 * @param {string} path of the WebSocket on this page's server
 * @param {object} listener with
 *   draw(frame)         called inside requestAnimationFrame, once per message
 *   connection(state)   "connecting" | "open" | "lost"
 *   views()             the names of the views that are looked at
 *   gone()              the server does not know this run (any more); told each time that it says so
 * @returns {{show: () => void, close: () => void}} `show` tells the server of other views before the next frame is
 *   drawn; `close` ends the stream for good: no listener is called afterwards
 */
export function openStream(path, listener) {
  let socket;
  let retryTimer;
  let retryDelay = FIRST_RETRY_MS;
  let closed = false;

  function connect() {
    const own = new WebSocket(webSocketAddress(path));
    own.binaryType = "arraybuffer";
    own.onmessage = ({ data }) => {
      requestAnimationFrame(() => {
        if (socket !== own) return; // it came from a socket given up since
        retryDelay = FIRST_RETRY_MS;
        listener.connection("open");
        listener.draw(decodeFrame(data));
        say(own, "ok");
      });
    };
    own.onopen = () => say(own, "show");
    own.onclose = ({ code }) => {
      if (socket !== own) return;
      listener.connection("lost");
      if (code === UNKNOWN_RUN) {
        // Python gives the page another run, or brings this one back under the same path: so ask again, now and then.
        // And tell it again: after a restart this socket may be back before Streamlit's own, which drops what it is
        // told until then and runs nothing by itself.
        listener.gone();
        retryDelay = LAST_RETRY_MS;
      }
      retryTimer = setTimeout(connect, retryDelay);
      retryDelay = Math.min(2 * retryDelay, LAST_RETRY_MS);
    };
    socket = own;
  }

  function say(to, word) {
    if (to?.readyState === WebSocket.OPEN) to.send([word, ...listener.views()].join(" "));
  }

  function close() {
    if (closed) return;
    closed = true;
    clearTimeout(retryTimer);
    const last = socket;
    socket = null; // before closing: onclose must not take this for a lost connection
    last.close();
  }

  listener.connection("connecting");
  connect();
  return { show: () => say(socket, "show"), close };
}

function webSocketAddress(path) {
  const address = new URL(path, location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}
