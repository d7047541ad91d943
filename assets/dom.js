// Elements are made here and nowhere else. Text only ever goes through text nodes: nothing in an order can
// become markup.

/** An element; `attributes` are set as given, children are nodes or text. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** A button that calls `action`. */
export function button(label, action) {
  const node = element("button", { type: "button" }, label);
  node.addEventListener("click", action);
  return node;
}
