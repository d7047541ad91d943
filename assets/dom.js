// Elements are made here and nowhere else. Text only ever goes through text nodes: nothing in an order or a dead letter
// can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element; `attributes` are set as given, children are nodes or text. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An element of a drawing. */
export function drawing(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
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

/** A button that calls `draw` for the next part of something long, and goes once that gives false: nothing is left. `label` says how far it is. */
export function moreButton(label, draw) {
  const node = button(label(), () => {
    if (draw()) node.textContent = label();
    else node.remove();
  });
  node.classList.add("more");
  return node;
}
