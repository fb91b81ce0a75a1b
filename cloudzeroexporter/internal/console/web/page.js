"use strict";
// The buttons ask what scripts ask, and show the answer as it is.
const answer = document.getElementById("answer");
for (const button of document.querySelectorAll("button[data-post]")) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    answer.hidden = false;
    answer.textContent = "…";
    try {
      const response = await fetch(button.dataset.post, { method: "POST" });
      answer.textContent = JSON.stringify(await response.json(), null, 2);
    } catch (error) {
      answer.textContent = String(error);
    }
    button.disabled = false;
    answer.focus();
  });
}
