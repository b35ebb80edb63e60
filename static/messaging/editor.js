// The template editor: keeps what was typed while an answer was under way, sets the focus after it, drags, and inserts.
(() => {
  const form = () => document.getElementById("template-form");
  const said = () => new URLSearchParams(new FormData(form())).toString();
  const asked = new WeakMap();
  const draws = (event) => event.detail.target?.id === "board";
  let saved = true;

  // ── Answers ───────────────────────────────────────────────────────────────────────────────────────────────────────
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (draws(event)) asked.set(event.detail.xhr, said());
  });

  // Who types on while an answer is under way loses nothing: the answer is put aside, and the same asked again.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const before = asked.get(event.detail.xhr);
    if (!draws(event) || before === undefined || before === said()) return;
    event.detail.shouldSwap = false;
    const cause = event.detail.requestConfig.elt;
    setTimeout(() => cause.click(), 0);
  });

  const dress = (root) => root.querySelectorAll("[data-styles][hidden], [data-insert][hidden]").forEach((one) => { one.hidden = false; });

  document.addEventListener("htmx:afterSettle", (event) => {
    const board = event.detail.target?.id === "board" && document.getElementById("board");
    if (!board) return;
    dress(board);
    saved = false;
    const place = board.dataset.focus && document.getElementById(board.dataset.focus);
    if (!place) return;
    const first = place.matches(".m-box") && place.querySelector("textarea, input:not([type=hidden]), .m-col summary");
    (first || (place.id === "palette" && place.querySelector("button")) || place).focus();
  });

  document.addEventListener("htmx:responseError", (event) => {
    if (!event.detail.elt.closest("#template-form")) return;
    const told = document.getElementById("tested");
    told.textContent = "That did not work. Nothing is lost: try again, or save.";
  });

  window.cairnEditor = {
    move(item, container, position) {
      htmx.ajax("POST", form().getAttribute("action"), {
        source: "#board", target: "#board", swap: "outerHTML", values: { do: `move:${item}:${container}:${position}`, was: document.getElementById("board").dataset.order },
      });
    },
  };

  // ── Keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────
  document.addEventListener("keydown", (event) => {
    const at = event.target;
    const box = at.closest?.(".m-box");
    if (box && event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      document.getElementById(`press-${event.key === "ArrowUp" ? "up" : "down"}-${box.id.slice(6)}`).click();
      return;
    }
    const menu = at.closest?.(".s-add[open]");
    if (menu && event.key === "Escape") {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    if (at.id === "who") {
      event.preventDefault();
      document.getElementById("press-find").click();
    } else if (at.dataset?.points) {
      event.preventDefault();
      document.getElementById(at.dataset.points).click();
    } else if ("line" in (at.dataset || {})) {
      event.preventDefault();
    } else if (at.id === "picker-search" || at.id === "picker-default" || at.name === "value") {
      event.preventDefault();
      document.getElementById("picker-insert").click();
    }
  });

  document.addEventListener("click", (event) => {
    document.querySelectorAll(".s-add[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
    const press = event.target.closest?.("[aria-disabled=true]");
    if (press) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);

  // ── Putting into a text ───────────────────────────────────────────────────────────────────────────────────────────
  const put = (field, text, from, to) => {
    field.focus();
    field.setRangeText(text, from, to, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  const wrap = (field, before, after) => {
    const [from, to] = [field.selectionStart, field.selectionEnd];
    const words = field.value.slice(from, to) || "words";
    put(field, before + words + after, from, to);
    field.setSelectionRange(from + before.length, from + before.length + words.length);
  };

  const link = (field) => {
    const [from, to] = [field.selectionStart, field.selectionEnd];
    const words = field.value.slice(from, to) || "words";
    put(field, `[${words}](https://)`, from, to);
    const end = from + words.length + 11;
    field.setSelectionRange(end, end);
  };

  // Of several texts under one row of buttons, they are about the one that was written in last.
  const target = (id) => {
    const field = document.getElementById(id);
    const last = document.getElementById(field.closest("fieldset")?.dataset.last || "");
    return last || field;
  };
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("textarea[data-points]")) event.target.closest("fieldset").dataset.last = event.target.id;
  });

  document.addEventListener("click", (event) => {
    const style = event.target.closest?.("[data-wrap], [data-link]");
    if (style) {
      const field = target(style.closest("[data-styles]").dataset.styles);
      if (style.dataset.wrap) wrap(field, style.dataset.wrap, style.dataset.wrap);
      else link(field);
    }
    const opener = event.target.closest?.("[data-insert]");
    if (opener) open(target(opener.dataset.insert));
  });

  let place = null;
  const picker = () => document.getElementById("picker");
  const open = (field) => {
    place = { id: field.id, from: field.selectionStart ?? field.value.length, to: field.selectionEnd ?? field.value.length };
    document.getElementById("picker-search").value = "";
    document.getElementById("picker-default").value = "";
    search("");
    picker().returnValue = "";
    picker().showModal();
    document.getElementById("picker-search").focus();
  };

  const search = (term) => {
    let shown = 0;
    document.querySelectorAll("[data-group]").forEach((group) => {
      let some = 0;
      group.querySelectorAll(".m-choice").forEach((choice) => {
        const fits = choice.textContent.toLowerCase().includes(term.toLowerCase().trim());
        choice.hidden = !fits;
        choice.style.display = fits ? "" : "none";
        some += fits;
      });
      group.hidden = !some;
      shown += some;
    });
    document.getElementById("picker-none").hidden = shown > 0;
    const checked = document.querySelector(".m-choice:not([hidden]) input:checked");
    const first = document.querySelector(".m-choice:not([hidden]) input");
    if (first && (term || !checked)) first.checked = true;
  };

  const quoted = (words) => (words.includes("'") ? `"${words.replaceAll('"', "”")}"` : `'${words}'`);
  const liquid = (choice, words) => {
    const path = choice.value;
    if (!("date" in choice.dataset)) return `{{ ${path} | default: ${quoted(words)} }}`.replace(words ? "" : ` | default: ''`, "");
    const date = `{{ ${path} | date: '%-d %B %Y' }}`;
    return words ? `{% if ${path} %}${date}{% else %}${words}{% endif %}` : date;
  };

  document.addEventListener("DOMContentLoaded", () => {
    dress(document);
    const opened = document.getElementById("board")?.dataset.focus;
    if (opened) document.getElementById(opened)?.focus();
    document.getElementById("picker-search").addEventListener("input", (event) => search(event.target.value));
    picker().addEventListener("close", () => {
      const field = place && document.getElementById(place.id);
      const choice = picker().querySelector("input[name=value]:checked");
      if (field && picker().returnValue === "insert" && choice) {
        const words = document.getElementById("picker-default").value.replace(/[{}%\n\r]/g, "").trim();
        put(field, liquid(choice, words), place.from, place.to);
      } else field?.focus();
    });
    form().addEventListener("input", (event) => { if (event.target.closest("#writing") || event.target.id === "field-name") saved = false; });
    form().addEventListener("submit", () => { saved = true; });
  });
  window.addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });
})();
