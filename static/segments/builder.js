// The builder: keeps what was typed while an answer was under way, sets the focus after it, and drags.
(() => {
  const form = () => document.getElementById("segment-form");
  const said = () => new URLSearchParams(new FormData(form())).toString();
  const asked = new WeakMap();
  const draws = (event) => event.detail.target?.id === "tree";

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (draws(event)) asked.set(event.detail.xhr, said());
  });

  // Who types on while an answer is under way loses nothing: the answer is put aside, and the same asked again.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const before = asked.get(event.detail.xhr);
    if (!draws(event) || before === undefined || before === said()) return;
    event.detail.shouldSwap = false;
    const cause = event.detail.requestConfig.elt;
    setTimeout(() => (cause.tagName === "BUTTON" ? cause.click() : htmx.trigger(cause, "change")), 0);
  });

  const focusIn = (place) => {
    const first = place.matches("button, input, select, textarea, summary")
      ? place
      : place.querySelector(".s-line input:not([type=hidden]), .s-line select, .s-adds summary, .s-kind");
    (first || place).focus();
  };

  document.addEventListener("htmx:afterSettle", (event) => {
    const tree = event.detail.target?.id === "tree" && document.getElementById("tree");
    if (!tree) return;
    const place = tree.dataset.focus && document.getElementById(tree.dataset.focus);
    if (place) focusIn(place);
    htmx.trigger(document.body, "edited");
  });

  document.addEventListener("htmx:responseError", (event) => {
    if (!event.detail.elt.closest("#segment-form")) return;
    const words = "That did not work. Nothing is lost: try again, or reload the page.";
    const place = document.getElementById("live");
    if (place) place.textContent = words;
  });

  // One menu at a time; Escape closes it and leaves the focus on what opened it.
  document.addEventListener("toggle", (event) => {
    if (!event.target.matches?.(".s-add") || !event.target.open) return;
    document.querySelectorAll(".s-add[open]").forEach((menu) => { if (menu !== event.target) menu.open = false; });
  }, true);
  document.addEventListener("click", (event) => {
    document.querySelectorAll(".s-add[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.id === "who" && event.key === "Enter") {
      event.preventDefault();
      document.getElementById("ask-why").click();
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
    const next = items[(items.indexOf(document.activeElement) + step + items.length) % items.length];
    event.preventDefault();
    next.focus();
  });

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelector("[data-focus-first]")?.focus();
  });

  window.cairnBuilder = {
    move(item, group, position) {
      htmx.ajax("POST", form().getAttribute("action"), {
        source: "#tree", target: "#tree", swap: "outerHTML", values: {
          ...Object.fromEntries(new FormData(form())), do: `move:${item}:${group}:${position}`,
        },
      });
    },
  };
})();
