// The theme, before the page is drawn; then menu and search.
"use strict";

function storedTheme() {
  try { return localStorage.getItem("theme"); } catch { return null; }
}

const theme = storedTheme();
if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

// Sections with all words, those with the words in a heading first.
function find(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const hits = [];
  for (const entry of SEARCH_INDEX) {
    const head = (entry.title + " " + entry.heading).toLowerCase(), text = entry.text.toLowerCase();
    if (!words.every(w => head.includes(w) || text.includes(w))) continue;
    hits.push({ entry, rank: words.filter(w => head.includes(w)).length });
  }
  return { words, hits: hits.sort((a, b) => b.rank - a.rank).slice(0, 30) };
}

// The text around the first word, with all words marked; without markup from the text.
function excerpt(text, words) {
  const out = document.createElement("p");
  const at = Math.max(0, Math.min(...words.map(w => text.toLowerCase().indexOf(w)).filter(i => i >= 0), text.length) - 60);
  const part = (at > 0 ? "… " : "") + text.slice(at, at + 220);
  const pattern = new RegExp("(" + words.map(w => w.replace(/[^\p{L}\p{N}]/gu, "\\$&")).join("|") + ")", "giu");
  part.split(pattern).forEach((piece, i) => {
    const node = i % 2 ? document.createElement("mark") : document.createElement("span");
    node.textContent = piece;
    out.append(node);
  });
  return out;
}

function show(query) {
  const results = document.getElementById("results"), article = document.querySelector("article");
  results.hidden = !query.trim();
  article.hidden = !results.hidden;
  if (results.hidden) return;
  const { words, hits } = find(query);
  const heading = document.createElement("h1"), list = document.createElement("ol");
  heading.textContent = hits.length ? `Results for “${query}”` : `Nothing found for “${query}”`;
  for (const { entry } of hits) {
    const item = document.createElement("li"), link = document.createElement("a");
    link.href = entry.page;
    link.textContent = entry.heading === entry.title ? entry.title : `${entry.title}: ${entry.heading}`;
    link.addEventListener("click", () => { article.hidden = false; results.hidden = true; });
    item.append(link, excerpt(entry.text, words));
    list.append(item);
  }
  results.replaceChildren(heading, list);
}

document.addEventListener("DOMContentLoaded", () => {
  const menu = document.getElementById("menu"), button = document.getElementById("menu-button");
  button.addEventListener("click", () => {
    button.setAttribute("aria-expanded", String(menu.classList.toggle("open")));
  });
  document.getElementById("theme").addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try { localStorage.setItem("theme", next); } catch { /* files may have no storage */ }
  });
  const form = document.getElementById("search"), input = form.elements.q;
  form.addEventListener("submit", event => event.preventDefault());
  input.addEventListener("input", () => show(input.value));
  const query = new URLSearchParams(location.search).get("q");
  if (query) {
    input.value = query;
    show(query);
  }
  document.addEventListener("keydown", event => {
    if (event.key === "/" && !/INPUT|TEXTAREA/.test(document.activeElement.tagName)) {
      event.preventDefault();
      input.focus();
    }
  });
});
