// Elements by description. Text is always text, never markup.

/** A new element; `on…` properties are listeners, the others attributes, unless false or null. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") made[name] = value;
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value === true ? "" : value);
  }
  return fill(made, ...children);
}

/** Replace what is in an element; children that are null, undefined or false are none. */
export function fill(holder, ...children) {
  holder.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return holder;
}

export const byId = (id) => document.getElementById(id);

export function button(text, onclick, properties = {}) {
  return element("button", { type: "button", onclick, ...properties }, text);
}

/** A labelled control. */
export function field(label, control, hint = null) {
  return element("label", { class: "field" }, element("span", {}, label), control, hint && element("small", {}, hint));
}

let clearing = 0;

/** Show what just happened, also to screen readers; `kind` is `good` or `bad`. */
export function notify(text, kind = "good") {
  const notice = byId("notice");
  (document.querySelector("dialog[open]") ?? document.body).append(notice); // what is outside a modal dialog is inert
  notice.dataset.kind = kind;
  notice.textContent = text;
  clearTimeout(clearing);
  clearing = setTimeout(() => { notice.textContent = ""; }, 8000);
}
