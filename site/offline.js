// Keeps the files of this folder, so that the page works without network after the first visit.
// @ts-check
// The name of the cache is the hash of all files: a new version of the folder is fetched whole, and the old one goes.
const KEPT = "imagepeel-{{ version }}";
const FILES = ["{{ files }}"];

const own = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

own.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(FILES)).then(() => own.skipWaiting()));
});
own.addEventListener("activate", (event) => {
  const old = caches.keys().then((names) => names.filter((name) => name.startsWith("imagepeel-") && name !== KEPT));
  event.waitUntil(old.then((names) => Promise.all(names.map((name) => caches.delete(name)))).then(() => own.clients.claim()));
});
own.addEventListener("fetch", (event) => {
  const asked = new URL(event.request.url);
  if (event.request.method !== "GET" || asked.origin !== location.origin) return;
  event.respondWith(caches.match(event.request, { ignoreSearch: true }).then((kept) => kept || fetch(event.request)));
});
