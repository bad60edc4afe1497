// How views stay in a Streamlit component (v2).
//
// Streamlit calls the component's function again at every change of its data or theme and forgets all but the newest
// clean-up; it runs that one when the component leaves the page, and that of an overtaken call at once, which may be
// before the newer call arrives here. So the views belong to their host element, where the next call finds them again,
// and a clean-up waits a moment and does nothing if there was a newer call.

const OVERTAKEN_WITHIN_MS = 200;

/**
 * Makes a `Views(host)` in component.parentElement, or finds the one made there, and lets it `update(component)`.
 * @param {string} name tells different components' views apart
 * @returns {{unmount: () => void}} which does nothing once there was (or is at once) a newer call
 */
export function mount(component, name, Views) {
  const mounted = Symbol.for(name); // on the host itself: a new version of a module must find (and end) an old one's
  const host = component.parentElement;
  if (!(host[mounted]?.views instanceof Views)) {
    host[mounted]?.views?.unmount();
    host[mounted] = { views: new Views(host), calls: 0 };
  }
  const own = host[mounted];
  const call = ++own.calls;
  own.views.update(component);
  const unmount = () => {
    if (call !== own.calls || host[mounted] !== own) return;
    delete host[mounted];
    own.views.unmount();
  };
  return { unmount: () => setTimeout(unmount, OVERTAKEN_WITHIN_MS) };
}
