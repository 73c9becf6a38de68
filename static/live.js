// Keeps a live page honest. htmx reads the part that changes again and again; this lets it rest while nobody looks, and whenever
// reading does not work it says since when what is shown is old. Without this script the page reads itself again as a whole.
(() => {
  "use strict";
  const freshness = document.getElementById("freshness");
  /** The part that is read again; none on a page whose subject has ended. */
  const part = () => document.querySelector("[data-read-at]");
  if (!freshness || !part()) return;

  /** Without a new reading for so long the page is called old, whatever the reason: a few readings, and what one may take. */
  const LATE_MS = 20_000;
  const [said, age] = freshness.children;
  /** When what is shown came in, and since when somebody looks at the page. */
  let read = Date.now();
  let looked = read;
  /** Why it could not be read again; empty when it could. */
  let failed = "";
  /** Whether the stream that tells of changes is cut. Readings go on without it. */
  let cut = false;

  const clock = (iso) => `${iso.slice(11, 19)} UTC`;

  function duration(ms) {
    const s = Math.floor(ms / 1000);
    if (s < 60) return `${s} s`;
    return s < 3600 ? `${Math.floor(s / 60)} m ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} m`;
  }

  /** Says how old the page is. The words change only when there is something new to say, because screen readers read them out; the
      age beside them goes on. */
  function tell() {
    if (document.hidden) return;
    const live = part();
    const late = Date.now() - Math.max(read, looked) > LATE_MS ? "Muster has not answered for a while" : "";
    const why = live ? failed || late : "";
    let words = "";
    if (why) words = `Not refreshed since ${clock(live.dataset.readAt)}: ${why}. It may be otherwise by now.`;
    else if (live && cut) words = "Changes are not told as they happen, because the stream is cut. They are asked for every 5 s instead.";
    if (said.textContent !== words) said.textContent = words;
    age.textContent = why ? `${duration(Date.now() - read)} old` : "";
    freshness.classList.toggle("old", why !== "");
  }

  function failure(context, why) {
    if (context?.sourceElement?.id === "run-events") cut = true;
    else failed = why;
    tell();
  }

  document.addEventListener("htmx:error", (event) => failure(event.detail.ctx, "Muster did not answer"));
  // The page of an error is not taken for this one, nor where whoever is signed out is led to.
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    const { status, raw } = ctx.response;
    if (status < 400 && !raw.redirected) return;
    event.preventDefault();
    failure(ctx, raw.redirected ? "Muster asks you to sign in again" : `Muster answered with status ${status}`);
  });

  /** Where the reader is. */
  let focused = null;
  document.addEventListener("htmx:before:swap", (event) => {
    const found = event.detail.tasks.find((task) => task.type === "main");
    if (found && found.fragment.childElementCount === 0) {
      event.preventDefault();
      failure(event.detail.ctx, "the answer was another page");
      return;
    }
    focused = document.activeElement;
  });
  document.addEventListener("htmx:after:swap", () => {
    read = Date.now();
    failed = "";
    const live = part();
    const time = document.querySelector("#watch time");
    if (live && time) {
      time.dateTime = live.dataset.readAt;
      time.querySelector("b").textContent = clock(live.dataset.readAt);
    }
    if (focused?.isConnected && document.activeElement === document.body) focused.focus({ preventScroll: true });
    tell();
  });

  document.addEventListener("htmx:sse:error", () => failure({ sourceElement: { id: "run-events" } }, ""));
  document.addEventListener("htmx:sse:after:connection", () => {
    cut = false;
    tell();
  });

  // Nothing is asked while nobody looks, and at once when somebody does again.
  document.addEventListener("htmx:before:request", (event) => {
    if (document.hidden && event.detail.ctx.sourceElement.matches("[data-read-at]")) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    looked = Date.now();
    const live = part();
    if (live) htmx.trigger(live, "again");
  });

  // What somebody has opened or closed stays so, whatever the new reading says.
  const chosen = new WeakSet();
  document.addEventListener("click", (event) => {
    const summary = event.target.closest?.("summary");
    if (summary) chosen.add(summary.parentElement);
  });
  htmx.registerExtension("chosen", {
    htmx_before_morph_attr: (element, { attrName }) => attrName !== "open" || !chosen.has(element),
  });

  setInterval(tell, 1000);
})();
