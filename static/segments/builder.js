// The builder: keeps what was typed while an answer was under way, sets the focus after it, and drags. It may stand in
// any form of any page, one at a time.
(() => {
  const form = () => document.getElementById("tree")?.closest("form");
  const said = () => new URLSearchParams(new FormData(form())).toString();
  const byId = (id) => id && document.getElementById(id);
  const draws = (event) => event.detail.target?.id === "tree" && !!form();
  const asked = new WeakMap(); // request -> what the form said when it was sent
  let byKey = false; // whether the last thing used was the keyboard
  let waiting = null; // a field whose redrawing waits: {field, timer}
  let acting = false; // whether a button's answer is under way
  let again = null; // a button that was pressed meanwhile: {id, verb}
  let onwards = null; // the id of a list that one tabbed on from
  let place = null; // where the focus is, and which menu is open, when what is around them is redrawn

  // ── Asking ────────────────────────────────────────────────────────────────────────────────────────────────────────
  const stopWaiting = () => {
    clearTimeout(waiting?.timer);
    waiting = null;
  };
  const redraw = (field) => {
    stopWaiting();
    if (!acting) htmx.trigger(field, "redraw"); // a button's answer redraws all anyway
  };

  document.addEventListener("change", (event) => {
    const field = event.target;
    if (!field.matches("[data-redraws]")) return;
    stopWaiting();
    // By keyboard one may be on the way to another choice; and of what was typed, the button that one goes on to must
    // not vanish under the mouse.
    const soon = field.tagName !== "SELECT" ? 300 : byKey ? 700 : 0;
    waiting = { field, timer: setTimeout(() => redraw(field), soon) };
  });

  // What is pressed while a button's answer is under way is pressed once that is there.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("#tree button[hx-post]");
    if (!button || !acting) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    again = { id: button.id, verb: button.value.split(":")[0] };
  }, true);

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!draws(event)) return;
    asked.set(event.detail.xhr, said());
    acting = event.detail.elt.tagName !== "SELECT" && event.detail.elt.tagName !== "INPUT";
    stopWaiting();
  });
  document.addEventListener("htmx:afterRequest", (event) => { if (draws(event)) acting = false; });

  // Who types on while an answer is under way loses nothing: the answer is put aside, and the same asked again.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!draws(event)) return;
    const before = asked.get(event.detail.xhr);
    const cause = event.detail.requestConfig.elt;
    if (before !== undefined && before !== said() && cause.id !== "tree") {
      event.detail.shouldSwap = false;
      setTimeout(() => (cause.tagName === "BUTTON" ? cause.click() : htmx.trigger(cause, "redraw")), 0);
      return;
    }
    const menu = cause.closest(".s-add") ? null : document.querySelector(".s-add[open] > summary")?.id;
    place = { id: document.activeElement?.id, menu };
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    const tree = draws(event) && byId("tree");
    if (!tree) return;
    byId(place?.menu)?.parentElement.setAttribute("open", "");
    const wanted = byId(tree.dataset.focus);
    if (wanted) focusIn(wanted);
    else if (document.activeElement === document.body) byId(place?.id)?.focus();
    if (onwards) goOn();
    htmx.trigger(document.body, "edited");
    const next = again && byId(tree.dataset.focus?.startsWith(`press-${again.verb}-`) ? tree.dataset.focus : again.id);
    again = null;
    if (next) setTimeout(() => next.click(), 0);
  });

  document.addEventListener("htmx:responseError", (event) => {
    if (!byId("live") || !event.detail.elt.closest("#segment-form")) return;
    byId("live").textContent = "That did not work. Nothing is lost: try again, or reload the page.";
  });

  // ── The focus ─────────────────────────────────────────────────────────────────────────────────────────────────────
  const focusIn = (box) => {
    if (box.matches("button, input, select, textarea, summary")) return box.focus();
    const field = box.querySelector(".s-line input:not([type=hidden]), .s-line select");
    (field || box.querySelector(".s-adds summary, .s-kind") || box).focus();
  };
  const goOn = () => {
    const all = [...form().querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")];
    const stops = all.filter((one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility());
    const at = stops.findIndex((one) => one.id === onwards);
    onwards = null;
    if (at >= 0) stops[at + 1]?.focus();
  };

  document.addEventListener("pointerdown", () => { byKey = false; }, true);
  document.addEventListener("keydown", (event) => {
    byKey = true;
    // Who tabs on from a choice gets to what the choice brings.
    if (event.key !== "Tab" || event.target !== waiting?.field || event.target.tagName !== "SELECT") return;
    if (!event.shiftKey) {
      event.preventDefault();
      onwards = waiting.field.id;
    }
    redraw(waiting.field);
  }, true);

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelector("[data-focus-first]")?.focus();
    // Letters choose in a list; they are no shortcuts of the frame around the page.
    form()?.addEventListener("keydown", (event) => {
      if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) event.stopPropagation();
    });
  });

  // ── Menus: one at a time; arrows walk through it, Escape closes it ────────────────────────────────────────────────
  const close = (but) => document.querySelectorAll(".s-add[open]").forEach((one) => { if (!but(one)) one.open = false; });
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.(".s-add") && event.target.open) close((one) => one === event.target);
  }, true);
  document.addEventListener("click", (event) => close((one) => one.contains(event.target)));
  document.addEventListener("keydown", (event) => {
    if (event.target.id === "who" && event.key === "Enter") {
      event.preventDefault();
      byId("ask-why").click();
      return;
    }
    const menu = event.target.closest?.(".s-add[open]");
    if (!menu) return;
    if (event.key === "Escape") {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const items = [...menu.querySelectorAll("summary, .s-menu-item")];
    const step = event.key === "ArrowDown" ? 1 : -1;
    event.preventDefault();
    items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
  });

  // ── Dragging ──────────────────────────────────────────────────────────────────────────────────────────────────────
  window.cairnBuilder = {
    move(item, group, position) {
      const values = { ...Object.fromEntries(new FormData(form())), do: `move:${item}:${group}:${position}` };
      htmx.ajax("POST", form().getAttribute("action"), { source: "#tree", target: "#tree", swap: "outerHTML", values });
    },
  };
})();
