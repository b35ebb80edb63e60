// The flow of a live journey is made as small as it takes to be seen whole across, down to what can still be read.
document.addEventListener("DOMContentLoaded", () => {
  const canvas = document.querySelector(".j-live .j-canvas");
  const room = canvas?.parentElement.clientWidth - 32;
  if (canvas && room < canvas.scrollWidth && matchMedia("(min-width: 40.01rem)").matches) {
    canvas.style.zoom = Math.max(0.7, room / canvas.scrollWidth);
  }
});

// Who stands at a step: one tick chooses all of them.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) document.querySelectorAll("[name=who]").forEach((one) => { one.checked = event.target.checked; });
});
