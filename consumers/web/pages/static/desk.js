// The release desk: artists are typed, completed and kept as chips; each change asks for a preview.
//
// htmx fills each picker's list of completions on "desk:typed" at its input, and the preview on "desk:change"
// at the form.
"use strict";

const desk = document.getElementById("desk");

function changed() {
  desk.dispatchEvent(new CustomEvent("desk:change", { bubbles: true }));
}

function chip(field, value, name) {
  const item = document.createElement("li");
  const shown = document.createElement("span");
  shown.textContent = name;
  const input = Object.assign(document.createElement("input"), { type: "hidden", name: field, value });
  const drop = Object.assign(document.createElement("button"), { type: "button", className: "plain", textContent: "×" });
  drop.dataset.drop = "";
  drop.setAttribute("aria-label", `Remove ${name}`);
  item.append(shown, input, drop);
  return item;
}

function add(picker, value, name) {
  const there = [...picker.querySelectorAll(".chips input")].some((input) => input.value === value);
  if (!there) picker.querySelector(".chips").append(chip(picker.dataset.field, value, name));
  picker.querySelector("[role=combobox]").value = "";
  close(picker);
  changed();
}

function close(picker) {
  const list = picker.querySelector("[role=listbox]");
  list.hidden = true;
  list.replaceChildren();
  mark(picker, null);
  picker.querySelector("[role=combobox]").setAttribute("aria-expanded", "false");
}

function marked(picker) {
  return picker.querySelector("[role=option][aria-selected=true]");
}

function mark(picker, option) {
  marked(picker)?.setAttribute("aria-selected", "false");
  const input = picker.querySelector("[role=combobox]");
  if (!option) return input.removeAttribute("aria-activedescendant");
  option.setAttribute("aria-selected", "true");
  option.scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", option.id);
}

document.addEventListener("input", (event) => {
  if (!desk.contains(event.target)) return;
  const picker = event.target.closest(".picker");
  if (!picker) return changed();
  if (event.target.value.trim() === "") return close(picker);
  event.target.dispatchEvent(new CustomEvent("desk:typed"));
});

desk.addEventListener("keydown", (event) => {
  const picker = event.target.closest(".picker");
  if (!picker || event.target.getAttribute("role") !== "combobox") return;
  const options = [...picker.querySelectorAll("[role=option]")];
  const at = options.indexOf(marked(picker));
  if (event.key === "ArrowDown" && options.length) mark(picker, options[(at + 1) % options.length]);
  else if (event.key === "ArrowUp" && options.length) mark(picker, options[(at <= 0 ? options.length : at) - 1]);
  else if (event.key === "Escape") close(picker);
  else if (event.key === "Enter") {
    const option = marked(picker), typed = event.target.value.trim();
    if (option) add(picker, option.dataset.value, option.dataset.name);
    else if (typed) add(picker, typed, typed);
  } else if (event.key === "Backspace" && event.target.value === "") {
    picker.querySelector(".chips li:last-child")?.remove();
    return changed();
  } else return;
  event.preventDefault();
});

// Before the input loses the focus, which would close the list.
desk.addEventListener("mousedown", (event) => {
  const option = event.target.closest("[role=option]");
  if (!option) return;
  event.preventDefault();
  add(option.closest(".picker"), option.dataset.value, option.dataset.name);
});

// What was typed and not taken is meant, too.
desk.addEventListener("focusout", (event) => {
  const picker = event.target.closest(".picker");
  if (!picker || event.target.getAttribute("role") !== "combobox") return;
  const typed = event.target.value.trim();
  if (typed) add(picker, typed, typed);
  else close(picker);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("drop" in button.dataset) {
    const picker = button.closest(".picker");
    button.closest("li").remove();
    picker.querySelector("[role=combobox]").focus();
    changed();
  }
  if (button.dataset.insteadOf) {
    const { insteadOf, value, name = value } = button.dataset;
    for (const input of desk.querySelectorAll(".chips input")) {
      if (input.value !== insteadOf) continue;
      input.closest("li").replaceWith(chip(input.name, value, name));
    }
    changed();
  }
  if (button.dataset.why) {
    const why = document.getElementById("why");
    why.closest("details").open = true;
    why.value = button.dataset.why;
    changed();
  }
});

document.addEventListener("htmx:afterSwap", (event) => {
  const picker = event.target.closest(".picker");
  if (!picker) return;
  const input = picker.querySelector("[role=combobox]");
  // Taken, or left, before the answer came.
  if (document.activeElement !== input || input.value.trim() === "") return close(picker);
  event.target.hidden = event.target.children.length === 0;
  input.setAttribute("aria-expanded", String(!event.target.hidden));
});

// What is wrong is said where the preview would be: too many requests, Redis away, no answer at all.
function failed(event) {
  let detail = "Refrain does not answer.";
  try {
    detail = JSON.parse(event.detail.xhr.response).detail;
  } catch { /* it was no problem+json */ }
  const said = Object.assign(document.createElement("p"), { className: "bad", textContent: detail });
  said.setAttribute("role", "alert");
  document.getElementById("preview").replaceChildren(said);
}
document.addEventListener("htmx:responseError", failed);
document.addEventListener("htmx:sendError", failed);
