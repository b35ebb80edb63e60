/* For your own service worker: importScripts("https://…/in-app/push-worker.js"). It shows what comes, and opens its link. */
"use strict";
self.addEventListener("push", (event) => {
  let said = {};
  try { said = event.data.json(); } catch { return; }
  event.waitUntil(self.registration.showNotification(said.title || "", { body: said.body || "", tag: said.id, data: { url: said.url || "" } }));
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url } = event.notification.data || {};
  const safe = /^https?:\/\//i.test(url || "") ? url : self.location.origin;
  event.waitUntil(self.clients.openWindow(safe));
});
