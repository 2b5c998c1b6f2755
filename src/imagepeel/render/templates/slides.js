"use strict";
const slides = [...document.querySelectorAll("article")];
const place = document.getElementById("place");
let now = Math.min(Math.max(parseInt(location.hash.slice(1), 10) || 1, 1), slides.length) - 1;

function show(next) {
  now = Math.min(Math.max(next, 0), slides.length - 1);
  slides.forEach((slide, at) => slide.classList.toggle("now", at === now));
  place.textContent = `${now + 1} of ${slides.length}`;
  history.replaceState(null, "", `#${now + 1}`);
  scrollTo(0, 0);
}

const keys = {
  Enter: 1, ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1,
  ArrowLeft: -1, ArrowUp: -1, PageUp: -1, Backspace: -1, b: -1,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("summary")) return;
  if (event.key in keys) show(now + keys[event.key]);
  else if (event.key === "Home") show(0);
  else if (event.key === "End") show(slides.length - 1);
  else if (event.key === "n") {
    const notes = [...slides[now].querySelectorAll("details")];
    const open = notes.some((one) => !one.open);
    notes.forEach((one) => { one.open = open; });
  } else return;
  event.preventDefault();
});
document.body.classList.add("shown");
show(now);
