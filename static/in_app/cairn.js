/* Messages on your own site: a bell with an inbox, banners and windows. No dependencies; in a shadow tree, so that your
   styles and ours do not meet. What is shown is built element by element: nothing is ever read as HTML. */
(() => {
  "use strict";
  const here = document.currentScript;
  const TAGS = new Set(["a", "blockquote", "br", "em", "h2", "hr", "img", "li", "ol", "p", "strong", "ul"]);
  const EVERY = 60000;

  let who = null, root = null, host = null, timer = 0, state = { messages: [], words: {}, brand: {}, unread: 0 };
  let showing = null, opened = "", before = null;
  const shown = new Set();

  const encode = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const tell = (name, detail) => document.dispatchEvent(new CustomEvent(`cairn:${name}`, { detail }));

  const make = (tag, fields = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(fields)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((one) => one !== null && one !== ""));
    return made;
  };

  const leads = (address, schemes) => {
    try { return schemes.includes(new URL(address).protocol); } catch { return false; }
  };

  const built = (node, message) => {
    if (typeof node === "string") return document.createTextNode(node);
    const [tag, given, children] = node;
    if (!TAGS.has(tag)) return document.createTextNode("");
    const fields = {};
    if (tag === "a" && leads(given.href, ["http:", "https:", "mailto:", "tel:"])) {
      Object.assign(fields, { href: given.href, rel: "noopener", onclick: () => acted(message, "clicked", given.href) });
    }
    if (given.class === "button") fields.class = "button";
    if (tag === "img") Object.assign(fields, { alt: given.alt || "", src: leads(given.src, ["http:", "https:"]) ? given.src : null });
    return make(tag, fields, ...children.map((child) => built(child, message)));
  };
  const says = (message) => make("div", { class: "says" }, ...message.content.map((node) => built(node, message)));

  const ask = async (path, options = {}) => {
    const mine = who;
    const answer = await fetch(`${mine.base}/in-app/v1/${path}`, { credentials: "omit", ...options, headers: { Authorization: `Bearer ${mine.token}`, ...options.headers } });
    if (answer.status === 401 && mine === who) { stop(); tell("expired"); }
    if (!answer.ok) throw new Error(`${answer.status}`);
    return answer.status === 204 ? null : answer.json();
  };

  // As plain text and with the token in the body: so it is sent at once, also while the page is being left.
  const acted = async (message, what, link) => {
    message.read = message.read || what === "read" || what === "clicked";
    message.seen = true;
    const body = JSON.stringify({ identity: who.token, link: link || "" });
    try {
      const answer = await fetch(`${who.base}/in-app/v1/messages/${message.id}/${what}/`, { method: "POST", body, keepalive: true, credentials: "omit", headers: { "Content-Type": "text/plain" } });
      if (answer.ok) { state.unread = (await answer.json()).unread; count(); }
    } catch { /* it is asked for again with the next look */ }
  };

  const refresh = async () => {
    if (!root || document.visibilityState === "hidden") return;
    const mine = who;
    let got;
    try { got = await ask("messages/"); } catch { return; }
    if (mine !== who) return; // somebody else came meanwhile, whom this is not for
    state = got;
    if (root) { draw(); interrupt(); tell("messages", { unread: state.unread }); }
  };

  // ── The bell and its inbox ──
  const part = (name) => root.querySelector(name);
  const count = () => {
    const { words, unread } = state, bell = part(".bell");
    if (!bell) return;
    bell.setAttribute("aria-label", unread ? `${words.messages}, ${unread} ${words.unread}` : words.messages);
    const badge = part(".count");
    badge.textContent = unread > 99 ? "99+" : unread;
    badge.hidden = !unread;
  };

  const bellShape = () => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS(svg.namespaceURI, "path");
    svg.setAttribute("viewBox", "0 0 24 24"); svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", "M12 22a2 2 0 0 0 2-2h-4a2 2 0 0 0 2 2zm6-6v-5c0-3.1-1.6-5.6-4.5-6.3V4a1.5 1.5 0 0 0-3 0v.7C7.6 5.4 6 7.9 6 11v5l-2 2v1h16v-1z");
    svg.append(path);
    return svg;
  };

  const draw = () => {
    const { words, brand } = state;
    root.lang = state.language;
    root.style.setProperty("--colour", brand.colour); root.style.setProperty("--ink", brand.ink);
    if (!part(".root") && who.bell !== "none") {
      root.append(make("div", { class: who.placed ? "root placed" : "root" },
        make("button", { class: "bell", type: "button", "aria-expanded": "false", "aria-controls": "panel", onclick: toggle }, bellShape(), make("span", { class: "count", "aria-hidden": "true", hidden: true })),
        make("section", { class: "panel", id: "panel", hidden: true, "aria-label": words.messages, onkeydown: (event) => { if (event.key === "Escape") toggle(); } })));
    }
    count();
    if (part(".panel") && !part(".panel").hidden) list();
  };

  const toggle = () => {
    const panel = part(".panel"), bell = part(".bell");
    panel.hidden = !panel.hidden;
    bell.setAttribute("aria-expanded", `${!panel.hidden}`);
    if (panel.hidden) { opened = ""; bell.focus(); return; }
    list();
    part(".panel .shut").focus();
    state.messages.filter((one) => !one.seen).forEach((one) => acted(one, "seen"));
  };

  const list = () => {
    const { words, messages } = state, panel = part(".panel"), inside = root.getRootNode().activeElement;
    const focus = inside && panel.contains(inside) ? inside.dataset.key : "";
    panel.replaceChildren(
      make("div", { class: "bar" }, make("h2", {}, words.messages),
        messages.some((one) => !one.read) ? make("button", { type: "button", class: "all", "data-key": "all", onclick: readAll }, words.read_all) : null,
        make("button", { type: "button", class: "shut", "data-key": "shut", "aria-label": words.close, onclick: toggle }, "✕")),
      messages.length ? make("ul", { class: "list" }, ...messages.map(item)) : make("p", { class: "none" }, words.none));
    if (focus) (root.querySelector(`[data-key="${focus}"]`) || part(".shut")).focus();
  };

  const item = (message) => make("li", { class: message.read ? "" : "unread" },
    make("div", { class: "row" },
      make("button", { type: "button", class: "title", "data-key": `open-${message.id}`, "aria-expanded": `${opened === message.id}`, onclick: () => open(message) },
        message.read ? null : make("span", { class: "dot" }, state.words.new), message.title,
        make("time", { datetime: message.at }, new Date(message.at).toLocaleString(state.language, { dateStyle: "medium", timeStyle: "short" }))),
      make("button", { type: "button", "data-key": `drop-${message.id}`, "aria-label": `${state.words.remove}: ${message.title}`, onclick: () => drop(message) }, "✕")),
    opened === message.id ? says(message) : null);

  const open = (message) => {
    opened = opened === message.id ? "" : message.id;
    if (opened && !message.read) acted(message, "read");
    list();
  };
  const drop = (message) => {
    state.messages = state.messages.filter((one) => one !== message);
    acted(message, "dismissed");
    list();
  };
  const readAll = async () => {
    state.messages.forEach((one) => { one.read = one.seen = true; });
    list();
    try { state.unread = (await ask("messages/read/", { method: "POST" })).unread; count(); } catch { /* as above */ }
  };

  // ── Banners and windows: one at a time, the oldest first, each once ──
  const interrupt = () => {
    if (showing) return;
    const next = state.messages.filter((one) => one.look !== "inbox" && !one.read && !shown.has(one.id)).pop();
    if (!next) return;
    shown.add(next.id);
    before = document.activeElement;
    showing = next.look === "modal" ? windowOf(next) : bannerOf(next);
    acted(next, "read");
  };
  const away = () => { showing.remove(); showing = null; if (before && before.isConnected) before.focus(); interrupt(); };
  const shut = (what) => make("button", { type: "button", "aria-label": state.words.close, onclick: what }, "✕");

  const bannerOf = (message) => {
    const banner = make("section", { class: "banner", role: "region", "aria-label": message.title, onkeydown: (event) => { if (event.key === "Escape") away(); } },
      make("div", {}, says(message), shut(away)));
    banner.querySelector(".says").prepend(make("strong", { class: "name" }, message.title));
    const live = make("div", { role: "status" });
    root.append(live);
    live.append(banner);
    return live;
  };
  const windowOf = (message) => {
    const dialog = make("dialog", { "aria-labelledby": "dialog-title", onclose: away },
      make("div", { class: "bar" }, make("h2", { id: "dialog-title" }, message.title), shut(() => dialog.close())), says(message));
    root.append(dialog);
    dialog.showModal();
    return dialog;
  };

  // ── Notifications of the browser ──
  const subscribe = async (worker = "/cairn-worker.js") => {
    if (!("PushManager" in window) || (await Notification.requestPermission()) !== "granted") return false;
    const { key } = await ask("push/");
    const raw = Uint8Array.from(atob(key.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
    const registration = await navigator.serviceWorker.register(worker);
    await navigator.serviceWorker.ready;
    const made = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: raw });
    await ask("push/", { method: "POST", body: JSON.stringify(made), headers: { "Content-Type": "application/json" } });
    return true;
  };
  const unsubscribe = async () => {
    const registration = await navigator.serviceWorker.getRegistration(), made = registration && await registration.pushManager.getSubscription();
    if (!made) return;
    await ask("push/", { method: "DELETE", body: JSON.stringify({ endpoint: made.endpoint }), headers: { "Content-Type": "application/json" } });
    await made.unsubscribe();
  };

  const start = async ({ user, signature, expires = 0, bell = "", base = here ? new URL(here.src).origin : "" }) => {
    stop();
    const place = bell && bell !== "none" ? document.querySelector(bell) : null;
    const mine = who = { base, bell, placed: Boolean(place), token: `${encode(`${user}`)}.${expires || 0}.${signature}` };
    const sheet = new CSSStyleSheet(), style = await fetch(`${base}/in-app/cairn.css`, { credentials: "omit" });
    sheet.replaceSync(await style.text());
    if (mine !== who) return;
    host = make("div", { "data-cairn": true });
    const tree = host.attachShadow({ mode: "open" });
    tree.adoptedStyleSheets = [sheet];
    tree.append(root = make("div", { class: "cairn" }));
    (place || document.body).append(host);
    timer = setInterval(refresh, EVERY);
    document.addEventListener("visibilitychange", refresh);
    return refresh();
  };
  const stop = () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", refresh);
    if (host) host.remove();
    who = host = root = showing = null;
    opened = "";
  };

  window.Cairn = { start, stop, refresh, subscribe, unsubscribe };
  const { user, signature, expires, bell } = here ? here.dataset : {};
  if (user && signature) {
    const go = () => start({ user, signature, expires, bell });
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", go); else go();
  }
})();
