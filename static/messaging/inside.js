// The template editor within another page: tells it what was saved, and when one wants to leave.
(() => {
  const tell = (what) => parent.postMessage(what, location.origin);
  const saved = document.getElementById("saved");
  if (saved) {
    tell({ template: saved.dataset.template, said: saved.textContent });
    return;
  }
  window.cairnUnsaved = false;
  document.addEventListener("input", (event) => { if (event.target.closest("#writing") || event.target.id === "field-name") window.cairnUnsaved = true; });
  document.addEventListener("htmx:afterSettle", (event) => { if (event.detail.target?.id === "board") window.cairnUnsaved = true; });
  document.addEventListener("submit", () => { window.cairnUnsaved = false; });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-leave]")) return;
    event.preventDefault();
    tell({ leave: true });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open], .s-add[open]")) tell({ leave: true });
  });
})();
