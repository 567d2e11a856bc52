# SPDX-License-Identifier: Apache-2.0
"""The script's third part: sorted and paged tables."""

TABLES = r"""
const PAGE = 50, PRINTED = 500;
const heading = (title, kind) => make("th", {class: kind || "", scope: "col"}, make("span", {}, title));

/* A sorted, paged table. Columns: {title, cell(item), key(item), csv(item), kind, first: "descending"}; one without a
   cell is for the CSV file alone. */
function table(section, columns, options) {
  const shownColumns = columns.filter(column => column.cell);
  const body = section.querySelector("tbody"), info = section.querySelector(".pager span");
  const [back, forth] = section.querySelectorAll(".pager button");
  const state = {sort: options.sort, down: true, page: 0, size: PAGE};
  let items = [];
  const headings = shownColumns.map((column, index) => make("th", {class: column.kind || "", scope: "col"},
    make("button", {type: "button", onclick: () => {
      state.down = state.sort === index ? !state.down : column.first === "descending";
      state.sort = index; state.page = 0; sort(); draw();
    }}, column.title)));
  section.querySelector("thead").replaceChildren(make("tr", {}, headings));
  function sort() {
    const key = shownColumns[state.sort].key, sign = state.down ? -1 : 1;
    const keyed = items.map((item, index) => [key(item), index, item]);
    keyed.sort(([x, a], [y, b]) => (x < y ? -1 : x > y ? 1 : 0) * sign || a - b);
    items = keyed.map(each => each[2]);
  }
  function line(item) {
    const cells = shownColumns.map(column => make("td", {class: column.kind || ""}, column.cell(item)));
    return make("tr", {class: "open", onclick: event => {
      if (!event.target.closest("button, a")) options.open(item);
    }}, cells);
  }
  function draw() {
    const first = state.page * state.size, some = items.slice(first, first + state.size);
    body.replaceChildren(...some.map(line));
    if (!some.length)
      body.replaceChildren(make("tr", {}, make("td", {colspan: shownColumns.length, class: "quiet"}, options.empty)));
    info.textContent = some.length
      ? `${number(first + 1)}\u2013${number(first + some.length)} of ${number(items.length)}` : "";
    section.querySelector("h2 span").textContent = number(items.length);
    back.disabled = state.page === 0;
    forth.disabled = first + state.size >= items.length;
    section.querySelector(".pager div").hidden = items.length <= state.size;
    headings.forEach((each, index) => {
      if (index === state.sort) each.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else each.removeAttribute("aria-sort");
    });
  }
  back.addEventListener("click", () => { state.page--; draw(); });
  forth.addEventListener("click", () => { state.page++; draw(); });
  section.querySelector(".csv").addEventListener("click", () => saveCsv(options.file, columns.map(each => each.title),
    items.map(item => columns.map(column => (column.csv || column.key)(item)))));
  return {
    set(found) { items = found; state.page = 0; sort(); draw(); },
    resize(size) { state.size = size; state.page = 0; draw(); },
  };
}

function plainTable(titles, rows, label) {
  const lines = rows.map(row =>
    make("tr", {}, row.map((cell, index) => make("td", {class: titles[index][1] || ""}, cell))));
  return make("table", {"aria-label": label}, make("thead", {}, make("tr", {},
    titles.map(([title, kind]) => heading(title, kind)))), make("tbody", {}, lines));
}
/* On a narrow screen a badge of a column that is hidden there. */
const narrow = node => node && make("span", {class: "narrow"}, node);
/* A name may be broken after its dots and hyphens rather than within its words. */
const breakable = words => words.split(/(?<=[._:-])/).flatMap((part, index) => index ? [make("wbr"), part] : [part]);
const link = (words, open) => make("button", {type: "button", class: "link", onclick: open}, breakable(words));

const verdictRank = [4, 0, 1, 2, 3];
const hostCount = (title, index, kind) => ({title, cell: host => count(host[index]), key: host => host[index],
  kind: "count " + kind, first: "descending"});
/* Words as long as people's are not broken; one that would need too much room is. */
const LONGEST = 14;
const longWord = index => data.hosts.some(host => text(host[index]).split(/[\s-]/).some(word => word.length > LONGEST));
const hostText = (title, index, seen) => ({title, key: host => text(host[index]),
  kind: seen && !longWord(index) ? "broad whole" : "broad name", cell: seen ? host => text(host[index]) : null});
const hostTable = table(byId("hosts"), [
  {title: "Host", cell: host => link(text(host[H.id]), () => showHost(host)), key: host => text(host[H.id])},
  {title: "Status", cell: host => make("span", {class: "badges"}, verdictBadge(host), narrow(levelBadge(host[H.level])),
    host[H.flags] & REBOOT ? badge("reboot", "reboot") : null, host[H.flags] & STALE ? badge("stale", "stale") : null),
    key: host => verdictRank[host[H.verdict]], csv: host => VERDICTS[host[H.verdict]]},
  {title: "Level", cell: host => levelBadge(host[H.level]), key: host => host[H.level], first: "descending",
    csv: host => levelWord(host[H.level]).toUpperCase(), kind: "second"},
  hostCount("Missing", H.missing, ""), hostCount("Failed", H.failed, "broad"),
  hostCount("Pending", H.pending, "broad"),
  ...(tellsCves ? [{title: "CVEs", cell: host => host[H.open] < 0 ? make("span", {class: "quiet"}, "?")
    : [count(host[H.open])], key: host => host[H.exploited] * 1e6 + host[H.open], kind: "count broad",
    first: "descending", csv: host => host[H.open] < 0 ? "" : host[H.open]},
  {title: "Exploited CVEs", key: host => host[H.exploited] < 0 ? "" : host[H.exploited]}] : []),
  {title: "Rejected", key: host => host[H.rejected]},
  hostText("System", H.system, true), hostText("Baseline", H.baseline),
  hostText("Patch group", H.patchGroup, data.hosts.some(host => host[H.patchGroup] >= 0)),
  hostText("Ring", H.ring, data.hosts.some(host => host[H.ring] >= 0)),
  ...(data.groupBy ? [hostText(data.groupBy, H.group, true)] : []),
  {title: "Report", cell: host => age(host[H.ended]), key: host => -host[H.ended], kind: "count broad",
    csv: host => utc(host[H.ended])},
  hostText("Address", H.address), hostText("Problem", H.problem),
  {title: "Reboot pending", key: host => host[H.flags] & REBOOT ? "yes" : "no"},
  {title: "Old code", key: host => text(host[H.oldCode])},
], {sort: 2, open: host => showHost(host), empty: "No host matches.", file: "patch-hosts"});

const nameOf = title => ({title, cell: entry => link(entry.id, () => showEntry(entry)), key: entry => entry.id});
const countOf = (title, key, kind) => ({title, cell: entry => number(entry[key]), key: entry => entry[key],
  kind: "count " + kind, first: "descending"});
const entryTable = (kind, title, more, file) => table(byId(kind), [
  nameOf(title), countOf("Hosts", "hosts", ""),
  {title: "Level", cell: entry => levelBadge(entry.level), key: entry => entry.level, first: "descending",
    csv: entry => levelWord(entry.level).toUpperCase()},
  {title: more, cell: entry => someOf(entry.more), key: entry => entry.more.size, kind: "broad", first: "descending",
    csv: entry => [...entry.more].sort().join(" ")},
  ...(kind === "packages" ? [] : [{title: "Link", cell: entry => outside(entry.id, "vendor"), kind: "broad whole",
    key: entry => address(entry.id)}]),
], {sort: 1, open: entry => showEntry(entry), empty: "Nothing matches.", file});
const exploitedBadge = entry => entry.exploited ? badge("exploited", "exploited") : null;
const firstSeen = entry => cveTimes.get(entry.id)?.first || 0, meanOf = entry => cveTimes.get(entry.id)?.mean || 0;
const closedBy = entry => cveTimes.get(entry.id)?.closed || 0;
/* What has to be done first: exploited, then by severity, then by hosts. */
const urgency = entry => (entry.exploited ? 1e10 : 0) + (entry.level + 1) * 1e8 + entry.hosts;
const cveTable = table(byId("cves"), [
  nameOf("CVE"), countOf("Hosts", "hosts", ""), countOf("Fix on", "fixable", "second"),
  {title: "Severity", cell: entry => make("span", {class: "badges"}, levelBadge(entry.level), exploitedBadge(entry)),
    key: urgency, first: "descending", csv: entry => levelWord(entry.level).toUpperCase()},
  {title: "Exploited", key: entry => entry.exploited ? "yes" : "no"},
  {title: "Packages", cell: entry => someOf(entry.more), key: entry => entry.more.size, kind: "broad",
    first: "descending", csv: entry => [...entry.more].sort().join(" ")},
  {title: "Advisories", cell: entry => someLinks(entry.advisories), key: entry => entry.advisories.size, kind: "broad",
    first: "descending", csv: entry => [...entry.advisories].sort().join(" ")},
  ...(cveTimes.size ? [{title: "Known for", cell: entry => age(firstSeen(entry)), key: entry => -firstSeen(entry),
    kind: "count broad", csv: entry => utc(firstSeen(entry))}, {title: "Closed by", key: closedBy},
    {title: "Mean time", cell: entry => closedBy(entry) ? span(meanOf(entry)) : "", key: meanOf, kind: "count broad",
      csv: entry => closedBy(entry) ? meanOf(entry) : ""}] : []),
  {title: "Link", cell: entry => outside(entry.id, "vendor"), kind: "broad whole", key: entry => address(entry.id)},
], {sort: 3, open: entry => showEntry(entry), empty: "Nothing matches.", file: "patch-cves"});
const SOME = 4;
function someOf(names) {
  const sorted = [...names].sort();
  return sorted.slice(0, SOME).join(", ") + (sorted.length > SOME ? ` and ${number(sorted.length - SOME)} more` : "");
}
function someLinks(names) {
  const sorted = [...names].sort(), more = sorted.length - SOME;
  return [...sorted.slice(0, SOME).flatMap((id, index) => [index ? ", " : "", outside(id)]),
    more > 0 ? ` and ${number(more)} more` : ""];
}
const tables = {
  package: entryTable("packages", "Package", "To install", "patch-packages"),
  cve: cveTable,
  advisory: entryTable("advisories", "Advisory", "Packages", "patch-advisories"),
};
"""
