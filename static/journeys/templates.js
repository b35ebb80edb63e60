// Choosing and writing the template of a message step, without leaving the journey.
(() => {
  const byId = (id) => document.getElementById(id);
  const chooser = () => byId("templates");
  const writer = () => byId("writing-dialog");
  const frame = () => byId("writing-frame");

  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target !== chooser()) return;
    if (!chooser().open) chooser().showModal();
    byId("templates-search").focus();
  });

  // What is chosen stands in the form as if it had been picked from the list, and is kept with the step.
  const use = (slug) => {
    const field = byId("field-f-template");
    if (!field) return;
    field.value = slug;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
    field.focus();
  };

  const write = (address) => {
    const inside = new URL(address, location.href);
    inside.searchParams.set("inside", "1");
    if (chooser().open) chooser().close();
    frame().src = inside.href;
    writer().showModal();
    frame().focus();
  };
  const leave = () => {
    if (frame().contentWindow?.cairnUnsaved && !window.confirm("Leave without saving what you wrote?")) return;
    writer().close();
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-write]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      write(link.href);
    }
    const chosen = event.target.closest?.("[data-use]");
    if (chosen) {
      chooser().close();
      use(chosen.dataset.use);
    }
    const looked = event.target.closest?.("[data-look]");
    if (looked) {
      chooser().querySelectorAll("[data-look][aria-current]").forEach((one) => one.removeAttribute("aria-current"));
      looked.setAttribute("aria-current", "true");
    }
    if (event.target === writer()) leave();
  });

  // A template that was written comes into the list of the form, and is chosen there; what else was typed stays.
  window.addEventListener("message", (event) => {
    if (event.origin !== location.origin || event.source !== frame()?.contentWindow) return;
    if (event.data.leave) { leave(); return; }
    if (!event.data.template) return;
    writer().close();
    const name = byId("open")?.value;
    const say = () => { byId("announce").textContent = event.data.said; };
    if (!name || !byId("field-f-template")) { say(); return; }
    htmx.ajax("GET", `${byId("editor").dataset.base}panel/${name}/`, { target: "#field-f-template", swap: "innerHTML", select: "#field-f-template > *" })
      .then(() => { use(event.data.template); say(); });
  });

  document.addEventListener("DOMContentLoaded", () => {
    writer()?.addEventListener("cancel", (event) => { event.preventDefault(); leave(); });
    writer()?.addEventListener("close", () => { frame().src = "about:blank"; byId("edit-template")?.focus(); });
    chooser()?.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      const items = [byId("templates-search"), ...chooser().querySelectorAll("[data-look]")];
      const at = items.indexOf(document.activeElement);
      if (at < 0) return;
      event.preventDefault();
      items[(at + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length].focus();
    });
  });
})();
