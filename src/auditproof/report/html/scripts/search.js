"use strict";
// A search over what the page lists; without it the page is whole.
for (const place of document.querySelectorAll("[data-search]")) {
  const found = [...document.querySelectorAll(place.dataset.search)].map((node) => ({
    node,
    text: `${node.textContent} ${decodeURIComponent(node.id)} ${node.dataset.find ?? ""}`.toLowerCase(),
  }));
  const label = document.createElement("label");
  const input = document.createElement("input");
  const count = document.createElement("output");
  label.append("Search ", input);
  input.type = "search";
  input.placeholder = "secrets violated";
  place.append(label, " ", count);
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const { node, text } of found) {
      node.hidden = !words.every((word) => text.includes(word));
      left += node.hidden ? 0 : 1;
    }
    for (const section of document.querySelectorAll("main > section:has(tbody)")) {
      section.hidden = !section.querySelector("tbody tr:not([hidden])");
    }
    count.value = `${left} of ${found.length} ${place.dataset.what}`;
  };
  input.addEventListener("input", show);
  show();
}
