# SPDX-License-Identifier: Apache-2.0
"""The script's last part: one host, package, CVE or advisory in a dialog, and what the controls do."""

DETAILS = r"""
const dialog = document.querySelector("dialog"), inside = dialog.querySelector(".inside");
const MOST = 500;
function show(kind, id, title, toCsv, ...content) {
  Object.assign(opened, {kind, id}); writeAddress();
  const close = make("button", {type: "button", class: "tool", onclick: () => dialog.close()}, "Close");
  const csv = toCsv ? make("button", {type: "button", class: "tool csv", onclick: toCsv}, "CSV") : null;
  inside.replaceChildren(make("div", {class: "title"}, make("h2", {id: "opened"}, breakable(title)),
    make("div", {class: "tools"}, csv, close)), ...content.flat().filter(Boolean));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  close.focus();
}
dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("close", () => { opened.kind = ""; writeAddress(); });

function facts(pairs) {
  return make("dl", {class: "facts"}, pairs.filter(([, value]) => value).map(([title, value]) =>
    make("div", {}, make("dt", {}, title), make("dd", {}, value))));
}
const byState = (a, b) => data.rows[b][R.level] - data.rows[a][R.level]
  || (text(data.rows[a][R.id]) < text(data.rows[b][R.id]) ? -1 : 1);
const stacked = ids => ids.map(id => make("div", {class: "nobreak"}, outside(id)));
const stateCell = row => make("span", {class: "badges"}, stateBadge(row), narrow(levelBadge(row[R.level])));
function patchCells(row) {
  const known = [...several(text(row[R.advisories])), ...several(text(row[R.cves]))];
  const name = text(row[R.id]), entry = entries[numbers.get("package " + name)];
  return [LACKING.has(text(row[R.state])) && entry ? link(name, () => showEntry(entry)) : name,
    stateCell(row), levelBadge(row[R.level]), text(row[R.installed]),
    text(row[R.available]), text(row[R.classification]), stacked(known), text(row[R.reason])];
}
/* The CVEs of a group: a few, and all of them on demand; those first that are exploited. */
const FEW = 3;
function cveLinks(group) {
  const known = new Set(group[G.exploited]), ids = [...group[G.ids]].sort((a, b) => known.has(b) - known.has(a));
  const shown = id => make("span", {class: "nobreak"}, outside(text(id)) || text(id), " ",
    known.has(id) ? badge("exploited", "exploited") : "");
  const some = ids.slice(0, FEW).map(shown), rest = ids.slice(FEW);
  return make("div", {class: "ids"}, some, rest.length ? make("details", {},
    make("summary", {}, `and ${number(rest.length)} more`), make("div", {class: "ids"}, rest.map(shown))) : null);
}
const SHORT = {"affected, no fix yet": "no fix yet", "fix kept out": "kept out", "fix available": "fix",
  "fix beyond the frozen set": "frozen"};
const groupState = group => make("span", {class: "badges"}, cveState(text(group[G.state])),
  narrow(levelBadge(group[G.level])));
function cveState(words) {
  return badge(words, [make("span", {class: "in-full"}, words), narrow(SHORT[words] || words)]);
}
function cveTableOf(host) {
  const groups = groupsOf(host).map(index => data.cveGroups[index]);
  if (!groups.length) return null;
  groups.sort((a, b) => b[G.exploited].length - a[G.exploited].length || b[G.level] - a[G.level]);
  return [make("h3", {}, "CVEs"), plainTable([["Package"], ["State"], ["Severity", "second"], ["CVEs"],
    ["Installed", "broad"], ["Fixed in", "second"], ["Advisories", "broad"], ["Reason", "broad"]],
    groups.map(group => [text(group[G.package]), groupState(group), levelBadge(group[G.level]), cveLinks(group),
      text(group[G.installed]), text(group[G.fixed]), someLinks(several(text(group[G.advisories]))),
      text(group[G.reason])]), "CVEs")];
}
const cveFact = host => host[H.open] < 0 ? "" : number(host[H.open])
  + (host[H.exploited] > 0 ? `, ${number(host[H.exploited])} exploited` : "");
const bothCves = host => host[H.rows].length + groupsOf(host).length;
const linesOf = host => [...host[H.rows].map(row => patchLine(host, data.rows[row])),
  ...groupsOf(host).map(index => data.cveGroups[index]).map(group => groupLine(host, group,
    group[G.ids].map(text).join(",")))];
function showHost(host) {
  const flags = host[H.flags], warnings = host[H.warnings];
  const rows = [...host[H.rows]].sort(byState).map(index => data.rows[index]);
  show("host", text(host[H.id]), text(host[H.id]), bothCves(host) ? () => saveCsv("patch-host", PATCH_TITLES,
    linesOf(host)) : null,
    facts([["Status", verdictBadge(host)], ["Report", when(host[H.ended]) + (flags & STALE ? " (stale)" : "")],
      ["Name", text(host[H.name])], ["Address", text(host[H.address])], ["System", text(host[H.system])],
      ["Product", text(host[H.product])], ["Salt", text(host[H.agent])],
      ["Baseline", text(host[H.baseline]) + (flags & FROZEN ? " (frozen)" : "")],
      ["Held back", host[H.held] ? number(host[H.held]) + " by the frozen set" : ""],
      ["Patch group", text(host[H.patchGroup])], ["Ring", text(host[H.ring])], [data.groupBy, text(host[H.group])],
      ["Reboot", flags & REBOOT ? "waits for a reboot" : ""], ["Old code", text(host[H.oldCode])],
      ["Open CVEs", cveFact(host)], ["CVEs not known", text(host[H.cveProblem])],
      ["Running now", text(host[H.running])],
      ["Problem", text(host[H.problem])]]),
    warnings.length ? make("ul", {}, warnings.map(index => make("li", {}, text(index)))) : null,
    rows.length ? plainTable([["Package"], ["State"], ["Level", "second"], ["Installed", "broad"],
      ["Available", "second"], ["Classification", "broad"],
      ["Advisories, CVEs", "broad"], ["Reason", "broad"]], rows.map(patchCells), "Patches")
      : make("p", {class: "note"}, host[H.ended] ? "No non-compliant patch." : "Nothing is known of its patches."),
    cveTableOf(host));
}
/* Where an entry is found: a host with a row, or with a group of CVEs. */
function placesOf(entry) {
  const wanted = numbers.get(entry.kind + " " + entry.id), places = [];
  const having = new Set(GROUPS.flatMap((keys, group) => keys.includes(wanted) ? [group] : []));
  for (const index of chosen.hosts) {
    const host = data.hosts[index];
    for (const row of host[H.rows])
      if (KEYS[row].includes(wanted) && rowCounts(index, wanted) && chosen.rowPasses(index, row)
        && chosen.keyPasses(index, row, wanted))
        places.push({host, row: data.rows[row]});
    if (having.size) for (const group of groupsOf(host))
      if (having.has(group) && chosen.groupPasses(index, group) && chosen.groupKeyPasses(index, group, wanted))
        places.push({host, group: data.cveGroups[group]});
  }
  return places;
}
function placeCells(one) {
  return ({host, row, group}) => [link(text(host[H.id]), () => showHost(host)),
    ...(one ? [] : [breakable(text(row ? row[R.id] : group[G.package]))]), row ? stateCell(row) : groupState(group),
    levelBadge(row ? row[R.level] : group[G.level]), text(row ? row[R.installed] : group[G.installed]),
    breakable(text(row ? row[R.available] : group[G.fixed])), ...(one ? [] : [text(row ? row[R.reason]
      : group[G.reason])])];
}
function entryFacts(entry) {
  const time = cveTimes.get(entry.id);
  if (entry.kind !== "cve") return null;
  return facts([["Severity", make("span", {class: "badges"}, levelBadge(entry.level), exploitedBadge(entry))],
    ["Fix available on", hostsOf(entry.fixable)], ["Advisories", entry.advisories.size && someLinks(entry.advisories)],
    ["First seen open", time && when(time.first)],
    ["Closed", time && time.closed ? `${hostsOf(time.closed)}, in ${span(time.mean)} on average` : ""]]);
}
function showEntry(entry) {
  const places = placesOf(entry), one = entry.kind === "package";
  const titles = [["Host"], ...(one ? [] : [["Package"]]), ["State"], ["Level", "second"], ["Installed", "broad"],
    [one ? "Available" : "Fixed in", one ? "" : "broad"], ...(one ? [] : [["Reason", "broad"]])];
  const about = outside(entry.id, "What the vendor says of it");
  show(entry.kind, entry.id, entry.id, () => saveCsv("patch-" + entry.kind, PATCH_TITLES,
    places.map(({host, row, group}) => row ? patchLine(host, row) : groupLine(host, group,
      entry.kind === "cve" ? entry.id : group[G.ids].map(text).join(",")))),
    about ? make("p", {}, about) : null, entryFacts(entry),
    make("p", {class: "note"}, `${hostsOf(new Set(places.map(({host}) => host)).size)} `
      + `${anyFilter() ? "that the filters let through" : "of the fleet"}.`),
    plainTable(titles, places.slice(0, MOST).map(placeCells(one)), "Hosts"),
    places.length > MOST ? make("p", {class: "note"}, `and ${number(places.length - MOST)} more; the CSV file has all`)
      : null);
}

const search = byId("search"), chips = [...document.querySelectorAll(".chip")], boxes = {}, idle = new Set();
for (const each of SELECTS) {
  const values = each.values ? each.values()
    : [...new Set(data.hosts.map(each.of))].sort((a, b) => a < b ? -1 : 1);
  if (!each.values && values.length < 2 && (values[0] || "none") === "none") idle.add(each.key);
  const box = make("select", {onchange: () => { filters[each.key] = box.value; update(); }},
    make("option", {value: ""}, "all"),
    values.map(value => make("option", {value}, each.values ? value.toLowerCase() : value)));
  boxes[each.key] = box;
  byId("selects").append(make("label", {}, make("span", {}, each.title), box));
}
function showFilters() {
  search.value = filters.q;
  for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.chip === filters.status));
  for (const [key, box] of Object.entries(boxes)) {
    // A link may name what this report no longer has: nothing matches then, and it is seen why.
    if (![...box.options].some(option => option.value === filters[key]))
      box.append(make("option", {value: filters[key]}, filters[key]));
    box.value = filters[key];
    box.parentNode.hidden = idle.has(key) && !filters[key];
  }
  byId("clear").hidden = !anyFilter();
}
function update() {
  chosen = choose();
  const found = addUp();
  hostTable.set(chosen.hosts.map(index => data.hosts[index]));
  for (const [kind, each] of Object.entries(tables)) each.set(found[kind]);
  const counted = [["package", "missing package", "missing packages"], ["cve", "CVE", "CVEs"],
    ["advisory", "advisory", "advisories"]]
    .map(([kind, one, more]) => `${number(found[kind].length)} ${found[kind].length === 1 ? one : more}`);
  byId("found").textContent = anyFilter()
    ? `Shown: ${number(chosen.hosts.length)} of ${hostsOf(data.hosts.length)}; ${counted.join(", ")}` : "";
  showFilters(); writeAddress();
}
function openFromAddress() {
  const {kind, id} = opened;
  const host = kind === "host" && data.hosts.find(each => text(each[H.id]) === id);
  const entry = entries[numbers.get(kind + " " + id)];
  if (host) showHost(host); else if (entry) showEntry(entry); else dialog.close();
}
let timer = 0;
search.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => { filters.q = search.value.trim(); update(); }, 150);
});
for (const chip of chips) chip.addEventListener("click", () => { filters.status = chip.dataset.chip; update(); });
byId("clear").addEventListener("click", () => {
  for (const key of Object.keys(filters)) filters[key] = "";
  update(); search.focus();
});
byId("patches-csv").addEventListener("click", () => saveCsv("patches", PATCH_TITLES, chosen.hosts.flatMap(index =>
  data.hosts[index][H.rows].filter(row => chosen.rowPasses(index, row)).map(row =>
    patchLine(data.hosts[index], data.rows[row])))));
for (const figure of document.querySelectorAll("button.figure")) figure.addEventListener("click", () => {
  for (const key of Object.keys(filters)) filters[key] = "";
  filters.status = figure.dataset.chip; update();
  byId(figure.dataset.list).scrollIntoView({behavior: "smooth"});
});
byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
addEventListener("hashchange", () => { readAddress(); update(); openFromAddress(); });
addEventListener("beforeprint", () => [hostTable, ...Object.values(tables)].forEach(each => each.resize(PRINTED)));
addEventListener("afterprint", () => [hostTable, ...Object.values(tables)].forEach(each => each.resize(PAGE)));
readAddress(); update();
if (opened.kind) openFromAddress();
document.documentElement.dataset.ready = "yes";
"""
