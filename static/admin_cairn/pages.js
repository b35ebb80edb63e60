// Asks before what is hard to take back, and says so when a part of a page could not be fetched.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-question]");
  if (button && !window.confirm(button.dataset.question)) event.preventDefault();
});

const failed = (event) => {
  const place = event.detail.elt.closest(".c-fragment, .c-more");
  if (!place) return;
  const words = document.createElement("p");
  words.className = "c-empty";
  words.setAttribute("role", "status");
  words.textContent = "This part could not be loaded. Reload the page to try again.";
  (place.querySelector(".c-empty") || place.appendChild(words)).replaceWith(words);
  place.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
};
document.addEventListener("htmx:responseError", failed);
document.addEventListener("htmx:sendError", failed);
