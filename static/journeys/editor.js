// The journey editor: the keyboard, dragging, the focus, and what happens when the line is lost. What is said and kept
// is the server's; nothing here knows a journey.
(() => {
  const byId = (id) => (id ? document.getElementById(id) : null);
  const editor = () => byId("editor");
  if (!document.querySelector("#editor")) {
    document.addEventListener("DOMContentLoaded", () => editor() && start());
  } else start();

  function start() {
    const base = editor().dataset.base;
    const canvas = byId("canvas");
    const board = byId("board");
    const panel = byId("panel");
    const palette = byId("palette");
    let dirty = false; // whether what is open says something that is not kept yet
    let back = null; // the id of what the panel was opened from
    let byKey = false; // whether it was the keyboard
    let afterSave = null; // what waits for what is open to be kept
    let lost = null; // a request that did not get through: {elt, path, verb, values}

    const say = (words) => { if (words) byId("announce").textContent = words; };
    const cards = () => [...board.querySelectorAll(".j-part, .j-card, .j-way-said")].filter((one) => one.checkVisibility());
    const current = () => document.activeElement?.closest?.(".j-card, .j-part, .j-way-said, .j-plus");
    const form = () => byId("panel-form");
    const opened = () => byId("open")?.value || "";

    // ── What is open ─────────────────────────────────────────────────────────────────────────────────────────────────
    const mark = () => {
      board.querySelectorAll(".j-open").forEach((one) => one.classList.remove("j-open"));
      const name = opened();
      editor().classList.toggle("j-has-panel", name !== "" || !!byId("clash"));
      if (!name) return;
      const whose = board.querySelector(`[data-open="${CSS.escape(name)}"]`)
        || board.querySelector(`[data-open="${CSS.escape(name.split("/").slice(0, 2).join("/"))}"]`);
      (whose?.closest(".j-way-head") || whose)?.classList.add("j-open");
      whose?.setAttribute("aria-current", "true");
      board.querySelectorAll("[aria-current]").forEach((one) => { if (one !== whose) one.removeAttribute("aria-current"); });
      history.replaceState(null, "", name ? `${base}?at=${name}` : base);
    };
    const close = () => {
      dirty = false;
      panel.replaceChildren(byId("nothing").content.cloneNode(true));
      htmx.process(panel);
      history.replaceState(null, "", base);
      mark();
      const to = byId(back);
      if (to?.checkVisibility()) to.focus();
      else cards()[0]?.focus();
    };
    const focusPanel = () => {
      const first = panel.querySelector("#clash, [data-focus-first]")
        || panel.querySelector(".j-form :is(input:not([type=hidden]), select, textarea, summary), .j-kinds button")
        || byId("panel-title");
      (first?.checkVisibility() ? first : byId("panel-title"))?.focus();
    };
    const state = (words, isLost = false) => {
      const place = byId("form-state");
      if (!place) return;
      place.textContent = words;
      place.classList.toggle("j-lost", isLost);
    };

    panel.addEventListener("input", (event) => {
      if (!event.target.closest("#panel-form")) return;
      dirty = true;
      state("Not saved yet");
    });
    // A button of the builder changes what is open as typing does.
    document.addEventListener("htmx:beforeRequest", (event) => {
      if (event.detail.target?.id === "tree") { dirty = true; state("Not saved yet"); }
    });
    window.addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });

    // What is open is kept before anything else is done, so that nothing typed is lost.
    document.addEventListener("htmx:confirm", (event) => {
      const elt = event.detail.elt;
      if (!dirty || !form() || elt.closest("#panel-form") || elt.id === "pulse" || elt.id === "asked-watch" || elt.id === "keep-theirs" || elt.closest("#tree")) return;
      if (!editor().contains(elt) || elt.classList.contains("j-plus")) return;
      event.preventDefault();
      afterSave = { id: elt.id, go: () => event.detail.issueRequest(true) };
      form().requestSubmit(byId("save"));
    });

    // ── Answers ──────────────────────────────────────────────────────────────────────────────────────────────────────
    // What changed since a revision fits what is drawn from just that one. Where another answer came in between, what
    // this one swaps may stand there already: it is passed over, and asked for anew.
    document.addEventListener("htmx:beforeSwap", (event) => {
      const { xhr, requestConfig, elt } = event.detail;
      const sent = requestConfig?.parameters?.revision;
      if (!sent || xhr.getResponseHeader("HX-Reswap") !== "none" || sent === byId("revision")?.value) return;
      event.detail.shouldSwap = false;
      htmx.trigger("#pulse", "pulse");
      if (elt.id === "pulse") return;
      const name = /name="open" value="([^"]+)"/.exec(xhr.responseText)?.[1];
      const told = JSON.parse(xhr.getResponseHeader("HX-Trigger-After-Settle") || "{}")["journey:done"];
      const done = () => document.body.dispatchEvent(new CustomEvent("journey:done", { bubbles: true, detail: { ...told, late: !palette.contains(elt) } }));
      if (name) htmx.ajax("GET", `${base}panel/${name}/`, { target: "#panel", swap: "innerHTML" }).then(done);
      else if (told) setTimeout(done, 0);
    });
    // Once htmx has taken up what came, so that whoever is quick finds it at work.
    document.addEventListener("htmx:afterSettle", (event) => {
      if (event.detail.target === panel) {
        dirty = !!panel.querySelector("#panel-alert, #clash");
        mark();
        const tree = byId("tree");
        if (panel.querySelector("#panel-alert")) { state("Not saved yet"); (panel.querySelector(".s-problem")?.closest(".s-field, .s-row")?.querySelector("input:not([type=hidden]), select, textarea") || byId("panel-title")).focus(); afterSave = null; }
        else if (byKey || matchMedia("(max-width: 63.99rem)").matches) focusPanel();
        else if (tree || panel.contains(document.activeElement)) byId("panel-title")?.focus({ preventScroll: true });
      }
      if (event.detail.target === palette) { filter(""); palette.showModal(); byId("palette-search").focus(); }
    });
    document.addEventListener("journey:done", (event) => {
      const { focus, say: words } = event.detail;
      say(words);
      byId("alert").hidden = byId("alert").textContent === "";
      // A press on save that went well keeps nothing more; an answer to somebody else's act leaves what is typed here.
      if (event.detail.focus) {
        dirty = false;
        if (palette.open && !event.detail.late) palette.close();
        mark();
        if (focus === "panel") focusPanel();
        else if (focus === "save") { state(words || "Saved."); if (!afterSave) byId("save")?.focus({ preventScroll: true }); }
        else byId(focus)?.focus();
        byId(focus)?.scrollIntoView?.({ block: "nearest", inline: "nearest" });
      }
      mark();
      fold();
      settle();
      const next = afterSave;
      afterSave = null;
      if (next && !panel.querySelector("#panel-alert, #clash")) setTimeout(next.go, 0);
    });

    // ── A lost line ──────────────────────────────────────────────────────────────────────────────────────────────────
    const failed = (event) => {
      const { elt, requestConfig } = event.detail;
      if (!editor().contains(elt) && elt !== document.body) return;
      const isPulse = elt.id === "pulse";
      const status = event.detail.xhr?.status;
      if (isPulse) { complain("The connection is lost. What you type stays here; it is tried again by itself.", false); return; }
      if (elt.id === "asked-watch") return;
      lost = { elt, config: requestConfig };
      afterSave = null;
      complain(status ? "The server could not do that just now. Nothing is lost: what you typed stands as you left it." : "The connection is lost. Nothing is lost: what you typed stands as you left it.", true);
      state("Not saved yet", true);
      if (palette.open) palette.close();
    };
    const complain = (words, again) => {
      const place = byId("alert");
      place.textContent = `${words} `;
      place.dataset.line = "lost";
      if (again) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "c-button";
        button.id = "again";
        button.textContent = "Try again";
        place.append(button);
      }
      place.hidden = false;
    };
    const mended = () => {
      const place = byId("alert");
      if (place.dataset.line !== "lost") return;
      delete place.dataset.line;
      if (lost) { complain("The connection is back.", true); return; }
      place.textContent = "";
      place.hidden = true;
    };
    document.addEventListener("htmx:responseError", failed);
    document.addEventListener("htmx:sendError", failed);
    document.addEventListener("htmx:timeout", failed);
    document.addEventListener("htmx:afterRequest", (event) => {
      if (!event.detail.successful) return;
      if (event.detail.elt.id !== "pulse") { lost = null; }
      mended();
    });
    document.addEventListener("click", (event) => {
      if (event.target.id !== "again" || !lost) return;
      const { elt, config } = lost;
      lost = null;
      byId("alert").textContent = "";
      byId("alert").hidden = true;
      delete byId("alert").dataset.line;
      if (elt.id === "panel-form" || elt.closest?.("#panel-form")) form()?.requestSubmit(byId("save"));
      else if (elt.isConnected && elt.tagName !== "BODY") elt.click();
      else htmx.ajax(config.verb, config.path, { values: config.parameters, swap: "none" });
    });

    // ── Mouse ────────────────────────────────────────────────────────────────────────────────────────────────────────
    document.addEventListener("pointerdown", () => { byKey = false; }, true);
    document.addEventListener("click", (event) => {
      const opener = event.target.closest("[data-open]");
      if (opener && board.contains(opener)) back = opener.id || back;
      if (event.target.closest("[aria-disabled=true]")) { event.preventDefault(); event.stopImmediatePropagation(); return; }
      if (event.target.closest("[data-close]")) { event.preventDefault(); close(); }
      event.target.closest("[data-close-dialog]")?.closest("dialog").close();
      if (event.target.matches?.(".j-dialog")) event.target.close();
      const folds = event.target.closest("[data-fold]");
      if (folds) toggle(folds.dataset.fold);
    }, true);

    // ── Keyboard ─────────────────────────────────────────────────────────────────────────────────────────────────────
    const act = (values) => htmx.ajax("POST", `${base}act/`, { source: byId("canvas"), swap: "none", values: { ...values, open: opened() } });
    const typing = (target) => target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
    const step = (by) => {
      const all = cards();
      const at = all.indexOf(current()?.closest(".j-plus") ? near(current()) : current());
      all[Math.max(0, Math.min(all.length - 1, at + by))]?.focus();
    };
    const near = (plus) => plus.closest(".j-step")?.querySelector(".j-card") || plus;
    const sideways = (by) => {
      const way = current()?.closest(".j-way");
      if (!way) {
        const inner = current()?.closest(".j-step")?.querySelector(":scope > .j-ways .j-way-said");
        if (inner && by > 0) inner.focus();
        return;
      }
      const ways = [...way.parentElement.children];
      ways[ways.indexOf(way) + by]?.querySelector(".j-way-said")?.focus();
    };

    document.addEventListener("keydown", (event) => {
      byKey = true;
      const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
      const control = ctrlKey || metaKey;
      const letter = key.toLowerCase();
      if (palette.open) return inPalette(event);
      if (document.querySelector("dialog[open]")) return;
      if (control && key === "Enter" && form()) { event.preventDefault(); form().requestSubmit(byId("save")); return; }
      const at = current();
      const card = at?.matches(".j-card") ? at.dataset.key : "";
      if (key === "Escape") {
        if (panel.contains(document.activeElement) && !event.target.closest(".s-add[open]")) { event.preventDefault(); if (dirty && form()) { afterSave = { go: close }; form().requestSubmit(byId("save")); } else close(); }
        return;
      }
      if (typing(event.target)) { if (panel.contains(event.target) || event.target.id === "search") event.stopPropagation(); return; }
      if (!editor().contains(event.target) && event.target !== document.body) return;
      if (control && (letter === "z" || letter === "y")) { event.preventDefault(); act({ do: letter === "y" || shiftKey ? "redo" : "undo" }); return; }
      if (key === "?") { event.preventDefault(); event.stopPropagation(); byId("keys").showModal(); return; }
      if (key === "/") { event.preventDefault(); event.stopPropagation(); byId("search").focus(); return; }
      if (!at || control && !"xcv".includes(letter)) return;
      const done = () => { event.preventDefault(); event.stopPropagation(); };
      if (altKey && card && (key === "ArrowUp" || key === "ArrowDown")) { done(); act({ do: key === "ArrowUp" ? "up" : "down", key: card }); return; }
      if (control && card && !window.getSelection().toString()) {
        done();
        if (letter === "x") act({ do: "cut", key: card });
        if (letter === "c") act({ do: "copy", key: card });
        if (letter === "v") act({ do: "paste", at: `after:${card}` });
        return;
      }
      if (control && letter === "v" && at.matches(".j-plus")) { done(); act({ do: "paste", at: at.dataset.at }); return; }
      if (altKey || control) return;
      if (key === "ArrowDown") { done(); step(1); }
      else if (key === "ArrowUp") { done(); step(-1); }
      else if (key === "ArrowLeft") { done(); sideways(-1); }
      else if (key === "ArrowRight") { done(); sideways(1); }
      else if (key === "+") { done(); insertAt(at); }
      else if (key === " ") { done(); at.click(); }
      else if (card && (key === "Delete" || key === "Backspace")) { done(); act({ do: "delete", key: card }); }
      else if (card && letter === "d") { done(); act({ do: "duplicate", key: card }); }
      else if (letter === "e" || key === "Enter") { if (key !== "Enter") { done(); at.click(); } }
    }, true);
    const insertAt = (at) => {
      if (at.matches(".j-plus")) return at.click();
      const way = at.closest(".j-way-head");
      const plus = way ? way.parentElement.querySelector(":scope > .j-list > .j-gap > .j-plus")
        : at.matches(".j-part") ? byId("plus-") : at.closest(".j-step")?.querySelector(":scope > .j-gap > .j-plus");
      plus?.click();
    };

    // ── The palette ──────────────────────────────────────────────────────────────────────────────────────────────────
    const filter = (text) => {
      const words = text.toLowerCase().split(/\s+/).filter(Boolean);
      let first = null;
      palette.querySelectorAll(".j-kind").forEach((one) => {
        one.hidden = !words.every((word) => one.dataset.words.includes(word));
        one.style.display = one.hidden ? "none" : "";
        one.classList.remove("j-first");
        if (!one.hidden && !first) first = one;
      });
      if (words.length) first?.classList.add("j-first");
      const none = palette.querySelector(".j-none");
      if (none) none.hidden = !!first;
      return first;
    };
    palette.addEventListener("input", (event) => { if (event.target.id === "palette-search") filter(event.target.value); });
    const inPalette = (event) => {
      const search = byId("palette-search");
      if (event.target === search && event.key === "Enter") { event.preventDefault(); filter(search.value)?.click(); }
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") { if (event.key.length === 1) event.stopPropagation(); return; }
      event.preventDefault();
      const items = [search, ...[...palette.querySelectorAll(".j-kind, .j-paste")].filter((one) => one.checkVisibility())];
      const by = event.key === "ArrowDown" ? 1 : -1;
      items[(items.indexOf(document.activeElement) + by + items.length) % items.length].focus();
    };
    palette.addEventListener("close", () => { if (document.activeElement === document.body) byId(back)?.focus(); });

    // ── Dragging ─────────────────────────────────────────────────────────────────────────────────────────────────────
    let dragged = "";
    canvas.addEventListener("dragstart", (event) => {
      const card = event.target.closest?.(".j-card");
      if (!card) return;
      dragged = card.dataset.key;
      event.dataTransfer.setData("text/plain", dragged);
      event.dataTransfer.effectAllowed = "move";
      setTimeout(() => canvas.classList.add("j-dragging"), 0);
    });
    const over = (event) => (dragged ? event.target.closest?.(".j-gap") : null);
    const clear = () => canvas.querySelectorAll(".j-drop").forEach((one) => one.classList.remove("j-drop"));
    canvas.addEventListener("dragover", (event) => {
      const gap = over(event);
      clear();
      if (!gap) return;
      event.preventDefault();
      gap.classList.add("j-drop");
    });
    canvas.addEventListener("drop", (event) => {
      const gap = over(event);
      if (!gap) return;
      event.preventDefault();
      act({ do: "move", key: dragged, at: gap.querySelector(".j-plus").dataset.at });
    });
    canvas.addEventListener("dragend", () => { dragged = ""; clear(); canvas.classList.remove("j-dragging"); });

    // ── Looking at it ────────────────────────────────────────────────────────────────────────────────────────────────
    let zoom = 1;
    let chosen = false; // whether somebody chose how large it is; else it fits, down to what can still be read
    const look = (to) => { zoom = Math.max(0.3, Math.min(1.5, to)); canvas.style.zoom = zoom; };
    const fit = (least) => {
      canvas.style.zoom = 1;
      const room = byId("scroll").clientWidth - 32;
      look(Math.max(least, Math.min(1, room / canvas.scrollWidth)));
    };
    const settle = () => {
      if (!chosen && matchMedia("(min-width: 40.01rem)").matches) fit(0.8);
      map();
    };
    byId("zoom-in").addEventListener("click", () => { chosen = true; look(zoom * 1.2); map(); });
    byId("zoom-out").addEventListener("click", () => { chosen = true; look(zoom / 1.2); map(); });
    byId("zoom-fit").addEventListener("click", () => { chosen = true; fit(0.3); map(); });
    addEventListener("resize", () => settle());
    byId("help").addEventListener("click", () => byId("keys").showModal());

    const kept = `folded:${base}`;
    const folded = () => new Set(JSON.parse(sessionStorage.getItem(kept) || "[]"));
    const fold = () => {
      const now = folded();
      canvas.querySelectorAll(".j-way").forEach((way) => {
        const is = now.has(way.dataset.way);
        const list = way.querySelector(":scope > .j-list");
        const count = list.querySelectorAll(".j-step").length;
        list.dataset.folded = count === 1 ? "1 step" : `${count} steps`;
        way.classList.toggle("j-folded", is);
        way.querySelector(":scope > .j-way-head .j-fold")?.setAttribute("aria-expanded", String(!is));
      });
    };
    const toggle = (way) => {
      const now = folded();
      if (!now.delete(way)) now.add(way);
      sessionStorage.setItem(kept, JSON.stringify([...now]));
      fold();
      map();
    };
    byId("fold").addEventListener("click", (event) => {
      const is = event.currentTarget.getAttribute("aria-pressed") === "true";
      const all = [...canvas.querySelectorAll(".j-way")].map((way) => way.dataset.way);
      sessionStorage.setItem(kept, JSON.stringify(is ? [] : all));
      event.currentTarget.setAttribute("aria-pressed", String(!is));
      fold();
      map();
    });

    const search = byId("search");
    let hits = [];
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().trim();
      hits = [];
      canvas.querySelectorAll(".j-card").forEach((card) => {
        const is = words !== "" && card.textContent.toLowerCase().includes(words);
        card.classList.toggle("j-hit", is);
        if (is) hits.push(card);
      });
      canvas.classList.toggle("j-seeking", words !== "");
      byId("found").textContent = words === "" ? "" : hits.length === 1 ? "1 step" : `${hits.length} steps`;
      hits[0]?.scrollIntoView({ block: "center" });
    });
    search.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { search.value = ""; search.dispatchEvent(new Event("input")); }
      if (event.key === "Enter" && hits[0]) {
        event.preventDefault();
        const hit = hits[0];
        search.value = "";
        search.dispatchEvent(new Event("input"));
        hit.focus();
      }
    });

    const map = () => {
      const place = byId("map");
      const all = [...canvas.querySelectorAll(".j-card")].filter((one) => one.checkVisibility());
      place.hidden = all.length < 15;
      if (place.hidden) return;
      const top = canvas.getBoundingClientRect().top + scrollY;
      const height = canvas.getBoundingClientRect().height || 1;
      const at = (one) => (one.getBoundingClientRect().top + scrollY - top) / height * 100;
      place.replaceChildren(...all.map((card) => {
        const dot = document.createElement("i");
        dot.style.top = `${at(card)}%`;
        dot.style.height = `${card.getBoundingClientRect().height / height * 100}%`;
        if (card.classList.contains("j-amiss")) dot.className = "j-bad";
        return dot;
      }), view(top, height));
    };
    const view = (top, height) => {
      const seen = document.createElement("b");
      seen.style.top = `${Math.max(0, Math.min(100, (scrollY - top) / height * 100))}%`;
      seen.style.height = `${Math.min(100, innerHeight / height * 100)}%`;
      return seen;
    };
    byId("map").addEventListener("click", (event) => {
      const box = byId("map").getBoundingClientRect();
      const share = (event.clientY - box.top) / box.height;
      const rect = canvas.getBoundingClientRect();
      scrollTo({ top: rect.top + scrollY + share * rect.height - innerHeight / 2 });
    });
    let drawing = 0;
    addEventListener("scroll", () => { cancelAnimationFrame(drawing); drawing = requestAnimationFrame(map); }, { passive: true });

    fold();
    mark();
    settle();
  }
})();
