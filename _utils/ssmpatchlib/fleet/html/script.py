# SPDX-License-Identifier: Apache-2.0
"""The script of the page: sorts, filters and opens what the data block holds. Text goes in as text, never as markup."""

SCRIPT = r"""
"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const S = data.strings, LEVELS = data.levels, VERDICTS = data.verdicts, WORDS = data.words, PAGE = 50;
const H = {id: 0, verdict: 1, ended: 2, missing: 3, failed: 4, rejected: 5, pending: 6, level: 7, name: 8, address: 9,
  system: 10, product: 11, baseline: 12, group: 13, agent: 14, flags: 15, problem: 16, running: 17, patchGroup: 18,
  warnings: 19, rows: 20, held: 21};
const R = {id: 0, title: 1, state: 2, level: 3, classification: 4, severity: 5, cves: 6, installed: 7, available: 8,
  reason: 9, time: 10, held: 11};
const LACKING = new Set(["Missing", "Failed"]);
const STALE = 1, REBOOT = 2, FROZEN = 4;
const text = index => index < 0 ? "" : S[index];

function make(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class") node.className = value;
    else node.setAttribute(key, value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined && child !== "")
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  return node;
}
const badge = (kind, words) => make("span", {class: "badge " + kind.toLowerCase().replace(/[^a-z]+/g, "-")}, words);
const number = value => value.toLocaleString("en");
const levelBadge = rank => rank < 0 ? null : badge(LEVELS[rank], LEVELS[rank].toLowerCase());
const when = epoch => epoch ? new Date(epoch * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC" : "never";
function age(epoch) {
  if (!epoch) return "";
  const seconds = Math.max(0, data.made - epoch);
  if (seconds < 7200) return Math.round(seconds / 60) + " min";
  if (seconds < 172800) return Math.round(seconds / 3600) + " h";
  return Math.round(seconds / 86400) + " days";
}
const stateBadge = row => [badge(text(row[R.state]), text(row[R.state])),
  row[R.held] ? " " : "", row[R.held] ? badge("held", "held back") : ""];
const verdictBadge = host => badge(WORDS[host[H.verdict]], WORDS[host[H.verdict]]);

/* A sorted, filtered, paged table. Columns: {title, cell(item), key(item), kind, first: "descending"} */
function list(section, items, columns, options) {
  const search = section.querySelector("input"), body = section.querySelector("tbody");
  const head = section.querySelector("thead"), info = section.querySelector(".pager span");
  const [back, forth] = section.querySelectorAll(".pager button");
  const state = {sort: options.sort, down: options.down, page: 0, chip: options.chip || null, words: ""};
  let hay = null, shown = [];
  const headings = columns.map((column, index) => {
    const button = make("button", {type: "button", onclick: () => {
      state.down = state.sort === index ? !state.down : column.first === "descending";
      state.sort = index; state.page = 0; update();
    }}, column.title);
    return make("th", {class: column.kind || "", scope: "col"}, button);
  });
  head.replaceChildren(make("tr", {}, headings));
  function matches() {
    let found = items.map((_, index) => index);
    if (state.chip) found = found.filter(index => options.chips[state.chip](items[index]));
    const words = state.words.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) {
      hay = hay || items.map(item => options.words(item).toLowerCase());
      found = found.filter(index => words.every(word => hay[index].includes(word)));
    }
    const key = columns[state.sort].key, sign = state.down ? -1 : 1;
    const keys = new Map(found.map(index => [index, key(items[index])]));
    return found.sort((a, b) => {
      const x = keys.get(a), y = keys.get(b);
      return (x < y ? -1 : x > y ? 1 : 0) * sign || a - b;
    });
  }
  function draw() {
    const first = state.page * PAGE, some = shown.slice(first, first + PAGE);
    body.replaceChildren(...some.map(index => {
      const item = items[index];
      const cells = columns.map(column => make("td", {class: column.kind || ""}, column.cell(item)));
      return make("tr", {class: "open", onclick: event => {
        if (!event.target.closest("button")) options.open(item);
      }}, cells);
    }));
    if (!some.length)
      body.replaceChildren(make("tr", {}, make("td", {colspan: columns.length, class: "quiet"}, options.empty)));
    info.textContent = shown.length
      ? `${number(first + 1)}\u2013${number(first + some.length)} of ${number(shown.length)}` : "";
    back.disabled = state.page === 0;
    forth.disabled = first + PAGE >= shown.length;
    headings.forEach((heading, index) => {
      if (index === state.sort) heading.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
  }
  function update() { shown = matches(); draw(); }
  back.addEventListener("click", () => { state.page--; draw(); });
  forth.addEventListener("click", () => { state.page++; draw(); });
  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { state.words = search.value; state.page = 0; update(); }, 120);
  });
  const chips = [...section.querySelectorAll(".chip")];
  function choose(name) {
    state.chip = name || null; state.page = 0;
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.chip === (name || "")));
    update();
  }
  for (const chip of chips) chip.addEventListener("click", () => choose(chip.dataset.chip));
  update();
  return {choose};
}

const dialog = document.querySelector("dialog"), inside = dialog.querySelector(".inside");
function show(title, ...content) {
  const close = make("button", {type: "button", class: "tool", onclick: () => dialog.close()}, "Close");
  inside.replaceChildren(make("div", {class: "title"}, make("h2", {}, title), close), ...content.filter(Boolean));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}
dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });

function plainTable(titles, rows) {
  const heading = titles.map(([title, kind]) => make("th", {class: kind || "", scope: "col"}, make("span", {}, title)));
  const lines = rows.map(row =>
    make("tr", {}, row.map((cell, index) => make("td", {class: titles[index][1] || ""}, cell))));
  return make("div", {class: "scroll"}, make("table", {}, make("thead", {}, make("tr", {}, heading)),
    make("tbody", {}, lines)));
}
function facts(pairs) {
  return make("dl", {class: "facts"}, pairs.filter(([, value]) => value).map(([title, value]) =>
    make("div", {}, make("dt", {}, title), make("dd", {}, value))));
}
const byState = (a, b) => data.rows[b][R.level] - data.rows[a][R.level]
  || (text(data.rows[a][R.id]) < text(data.rows[b][R.id]) ? -1 : 1);
function showHost(host) {
  const flags = host[H.flags], warnings = host[H.warnings];
  const patches = [...host[H.rows]].sort(byState).map(index => data.rows[index]).map(row => [
    text(row[R.id]), stateBadge(row), levelBadge(row[R.level]),
    text(row[R.installed]), text(row[R.available]), text(row[R.classification]),
    text(row[R.cves]).split(",").map(cve => make("div", {class: "nobreak"}, cve)), text(row[R.reason])]);
  show(text(host[H.id]),
    facts([["Status", verdictBadge(host)], ["Report", when(host[H.ended]) + (flags & STALE ? " (stale)" : "")],
      ["Name", text(host[H.name])], ["Address", text(host[H.address])], ["System", text(host[H.system])],
      ["Product", text(host[H.product])], ["Salt", text(host[H.agent])],
      ["Baseline", text(host[H.baseline]) + (flags & FROZEN ? " (frozen)" : "")],
      ["Held back", host[H.held] ? number(host[H.held]) + " by the frozen set" : ""],
      ["Patch group", text(host[H.patchGroup])], [data.groupBy, text(host[H.group])],
      ["Reboot", flags & REBOOT ? "waits for a reboot" : ""], ["Running now", text(host[H.running])],
      ["Problem", text(host[H.problem])]]),
    warnings.length ? make("ul", {}, warnings.map(index => make("li", {}, text(index)))) : null,
    patches.length ? plainTable([["Package"], ["State"], ["Level"], ["Installed"], ["Available"],
      ["Classification", "broad"], ["CVEs", "broad"], ["Reason", "broad"]], patches)
      : make("p", {class: "note"}, host[H.ended] ? "No non-compliant patch." : "Nothing is known of its patches."));
}
function showPackage(entry) {
  const wanted = entry[0], rows = [];
  for (const host of data.hosts) for (const index of host[H.rows]) {
    const row = data.rows[index];
    if (row[R.id] !== wanted || !LACKING.has(text(row[R.state]))) continue;
    const open = make("button", {type: "button", class: "link", onclick: () => showHost(host)}, text(host[H.id]));
    rows.push([open, stateBadge(row), levelBadge(row[R.level]),
      text(row[R.installed]), text(row[R.available])]);
  }
  const most = 500;
  const titles = [["Host"], ["State"], ["Level"], ["Installed", "broad"], ["Available"]];
  show(text(wanted), plainTable(titles, rows.slice(0, most)),
    rows.length > most ? make("p", {class: "note"}, `and ${number(rows.length - most)} more hosts`) : null);
}

const count = index => host => host[index] ? number(host[index]) : make("span", {class: "quiet"}, "0");
const link = (open, index) => item =>
  make("button", {type: "button", class: "link", onclick: () => open(item)}, text(item[index]));
const verdictRank = [4, 0, 1, 2, 3];
const hostColumns = [
  {title: "Host", cell: link(showHost, H.id), key: host => text(host[H.id])},
  {title: "Status", cell: host => [verdictBadge(host), host[H.flags] & REBOOT ? [" ", badge("reboot", "reboot")] : null,
    host[H.flags] & STALE ? [" ", badge("stale", "stale")] : null].flat(), key: host => verdictRank[host[H.verdict]]},
  {title: "Level", cell: host => levelBadge(host[H.level]), key: host => host[H.level], first: "descending"},
  {title: "Missing", cell: count(H.missing), key: host => host[H.missing], kind: "count", first: "descending"},
  {title: "Failed", cell: count(H.failed), key: host => host[H.failed], kind: "count broad", first: "descending"},
  {title: "Pending", cell: count(H.pending), key: host => host[H.pending], kind: "count broad", first: "descending"},
  {title: "System", cell: host => text(host[H.system]), key: host => text(host[H.system]), kind: "broad"},
  {title: "Baseline", cell: host => text(host[H.baseline]), key: host => text(host[H.baseline]), kind: "broad"},
  ...(data.groupBy ? [{title: data.groupBy, cell: host => text(host[H.group]), key: host => text(host[H.group]),
    kind: "broad"}] : []),
  {title: "Report", cell: host => age(host[H.ended]), key: host => -host[H.ended], kind: "count broad"},
];
const verdictChips = Object.fromEntries(VERDICTS.map((name, index) => [name, host => host[H.verdict] === index]));
const hostList = list(document.getElementById("hosts"), data.hosts, hostColumns, {
  sort: 2, down: true, open: showHost, empty: "No host matches.",
  chips: {...verdictChips, STALE: host => host[H.flags] & STALE, HELD: host => host[H.held],
    REBOOT: host => host[H.flags] & REBOOT,
    UNSURE: host => host[H.verdict] > 1},
  words: host => [H.id, H.name, H.address, H.system, H.product, H.baseline, H.patchGroup, H.group, H.problem]
    .map(index => text(host[index])).join(" "),
});
list(document.getElementById("packages"), data.packages, [
  {title: "Package", cell: link(showPackage, 0), key: entry => text(entry[0])},
  {title: "Hosts", cell: entry => number(entry[1]), key: entry => entry[1], kind: "count", first: "descending"},
  {title: "Level", cell: entry => levelBadge(entry[2]), key: entry => entry[2], first: "descending"},
  {title: "To install", cell: entry => entry[3].map(text).join(", "), key: entry => entry[3].length, kind: "broad"},
], {sort: 1, down: true, open: showPackage, empty: "No package is missing.", chips: {},
  words: entry => text(entry[0]) + " " + entry[3].map(text).join(" ")});

for (const figure of document.querySelectorAll("button.figure")) figure.addEventListener("click", () => {
  const target = document.getElementById(figure.dataset.list);
  if (figure.dataset.chip) hostList.choose(figure.dataset.chip);
  target.scrollIntoView({behavior: "smooth"});
});
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
document.documentElement.dataset.ready = "yes";
})();
"""
