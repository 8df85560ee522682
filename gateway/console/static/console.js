// What HTML alone can't do: local times, pages that follow what happens, forms that are sent once.
"use strict";

const LOOK_AGAIN_MS = 3000;
const seen = new WeakMap();
const STYLES = {
  time: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  moment: { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" },
};

function localise(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const style = STYLES[element.dataset.style] || STYLES.time;
    const format = new Intl.DateTimeFormat(document.documentElement.lang, { ...style, hourCycle: "h23" });
    element.textContent = format.format(new Date(element.dateTime));
  }
}

// Swap in what changed, and leave open what the reader had opened.
function follow(part, fresh) {
  if (seen.get(part) === fresh.innerHTML) return;
  const open = new Map([...part.querySelectorAll("details[data-keep]")].map((d) => [d.dataset.keep, d.open]));
  seen.set(part, fresh.innerHTML);
  const atEnd = part.scrollTop + part.clientHeight >= part.scrollHeight - 40;
  part.replaceChildren(...fresh.childNodes);
  for (const details of part.querySelectorAll("details[data-keep]")) {
    if (open.has(details.dataset.keep)) details.open = open.get(details.dataset.keep);
  }
  localise(part);
  if (atEnd) part.scrollTop = part.scrollHeight;
}

async function lookAgain() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const selection = document.getSelection();
  const held = selection.isCollapsed ? null : selection.anchorNode;
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.querySelector(`[data-live="${part.dataset.live}"]`);
    if (fresh && !part.contains(held)) follow(part, fresh);
  }
}

document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
});
document.addEventListener("keydown", (event) => {
  const wanted = event.key === "Enter" && (event.ctrlKey || event.metaKey);
  if (wanted && event.target.matches("[data-send-with-enter]")) event.target.form.requestSubmit();
});
// A page that comes back from the browser's memory may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

for (const part of document.querySelectorAll("[data-live]")) seen.set(part, part.innerHTML);
localise(document);
for (const talk of document.querySelectorAll(".talk")) talk.scrollTop = talk.scrollHeight;
for (const form of document.querySelectorAll("form[data-send-now]")) form.requestSubmit();
if (document.querySelector("[data-live]")) setInterval(() => lookAgain().catch(() => {}), LOOK_AGAIN_MS);
