# SPDX-License-Identifier: Apache-2.0
"""The script's second part: the filters, what they let through, and how the address has them."""

FILTERS = r"""
/* What can be filtered for, as it is called in the address, and the value that a host has. */
const named = index => host => text(host[index]) || "none";
const SELECTS = [
  {key: "level", title: "Level", values: () => [...LEVELS].reverse()},
  {key: "system", title: "System", of: named(H.system)},
  {key: "baseline", title: "Baseline", of: named(H.baseline)},
  {key: "patch_group", title: "Patch group", of: named(H.patchGroup)},
  {key: "ring", title: "Ring", of: named(H.ring)},
  {key: "group", title: data.groupBy || "Group", of: named(H.group)},
];
const STATUS = {...Object.fromEntries(VERDICTS.map((name, index) => [name, host => host[H.verdict] === index])),
  UNSURE: host => host[H.verdict] > 1, LACKING: host => host[H.missing] + host[H.failed] > 0,
  STALE: host => host[H.flags] & STALE, REBOOT: host => host[H.flags] & REBOOT, HELD: host => host[H.held],
  OLD: host => host[H.runsOld], CVES: host => host[H.open] > 0, EXPLOITED: host => host[H.exploited] > 0,
  UNSAID: host => host[H.open] < 0 || host[H.cveProblem] >= 0};
const KINDS = ["host", "package", "cve", "advisory"];
const filters = {q: "", status: ""}, opened = {kind: "", id: ""};
for (const each of SELECTS) filters[each.key] = "";
const anyFilter = () => Object.values(filters).some(Boolean);

/* Names of packages, CVEs and advisories with a number each; KEYS has those of every row, GROUPS of every group. */
const entries = [], numbers = new Map();
function entryOf(kind, id) {
  const key = kind + " " + id;
  if (!numbers.has(key)) numbers.set(key, entries.push({kind, id, hosts: 0, level: -1, more: new Set(), fixable: 0,
    exploited: false, advisories: new Set()}) - 1);
  return numbers.get(key);
}
const isLacking = data.rows.map(row => LACKING.has(text(row[R.state])));
const KEYS = data.rows.map((row, index) => !isLacking[index] ? [] : [entryOf("package", text(row[R.id])),
  ...several(text(row[R.cves])).map(id => entryOf("cve", id)),
  ...several(text(row[R.advisories])).map(id => entryOf("advisory", id))]);
const GROUPS = data.cveGroups.map(group => Int32Array.from(text(group[G.state]) === NOT_KNOWN ? [] : [
  ...group[G.ids].map(id => entryOf("cve", text(id))),
  ...several(text(group[G.advisories])).map(id => entryOf("advisory", id))]));
/* What a host says of its CVEs counts, and the CVEs of missing packages only where it says nothing of them. */
const rowCounts = (host, key) => data.hosts[host][H.cves] < 0 || entries[key].kind !== "cve";
const hasFix = data.cveGroups.map(group => text(group[G.state]) === FIXABLE);
for (const group of data.cveGroups) for (const id of group[G.exploited]) {
  const entry = entries[numbers.get("cve " + text(id))];
  if (entry) entry.exploited = true;
}

let hay = null;
function haystacks() {
  hay = hay || {
    hosts: data.hosts.map(host => [H.id, H.name, H.address, H.system, H.product, H.baseline, H.patchGroup, H.group,
      H.ring, H.oldCode, H.problem].map(index => text(host[index])).join(" ").toLowerCase()),
    rows: data.rows.map(row => [R.id, R.installed, R.available].map(index => text(row[index])).join(" ").toLowerCase()),
    groups: data.cveGroups.map(group => [G.package, G.installed, G.fixed].map(index => text(group[index])).join(" ")
      .toLowerCase()),
    advisories: data.cveGroups.map(group => text(group[G.advisories]).toLowerCase()),
    entries: entries.map(entry => entry.kind === "package" ? "" : entry.id.toLowerCase()),
  };
  return hay;
}
const MOST_WORDS = 20;
/* For each text the words that it has, a bit each. */
const masks = (texts, words) => texts.map(each => words.reduce((mask, word, bit) =>
  each.includes(word) ? mask | 1 << bit : mask, 0));

/* Who and what the filters let through. A word may be in what is known of the host, of the row, or of the entry. */
function choose() {
  const words = filters.q.toLowerCase().split(/\s+/).filter(Boolean).slice(0, MOST_WORDS);
  const full = 2 ** words.length - 1, level = LEVELS.indexOf(filters.level), empty = [];
  const inHost = words.length ? masks(haystacks().hosts, words) : empty;
  const inRow = words.length ? masks(haystacks().rows, words) : empty;
  const inEntry = words.length ? masks(haystacks().entries, words) : empty;
  const whole = inRow.map((mask, row) => KEYS[row].reduce((all, key) => all | inEntry[key], mask));
  const inGroup = words.length ? masks(haystacks().groups, words) : empty;
  const inNotices = words.length ? masks(haystacks().advisories, words) : empty;
  const inWhole = inGroup.map((mask, group) => GROUPS[group].reduce((all, key) => all | inEntry[key], mask));
  const groupPasses = (host, group) => (filters.level === "" || data.cveGroups[group][G.level] === level)
    && (!full || (inHost[host] | inWhole[group]) === full);
  const rowPasses = (host, row) => (filters.level === "" || data.rows[row][R.level] === level)
    && (!full || (inHost[host] | whole[row]) === full);
  const keyPasses = (host, row, key) => !full || entries[key].kind === "package"
    || (inHost[host] | inRow[row] | inEntry[key]) === full;
  /* An advisory that is searched for lets its CVEs through. */
  const groupKeyPasses = (host, group, key) => !full || (inHost[host] | inGroup[group] | inEntry[key]
    | (entries[key].kind === "cve" ? inNotices[group] : 0)) === full;
  const wanted = SELECTS.filter(each => each.of && filters[each.key]), status = STATUS[filters.status];
  const hosts = [];
  data.hosts.forEach((host, index) => {
    if (status && !status(host) || wanted.some(each => each.of(host) !== filters[each.key])) return;
    if (host[H.rows].some(row => rowPasses(index, row)) || filters.level === "" && (!full || inHost[index] === full
      || groupsOf(host).some(group => groupPasses(index, group)))) hosts.push(index);
  });
  return {hosts, rowPasses, keyPasses, groupPasses, groupKeyPasses};
}
let chosen = null;

/* Counts hosts by entry. Level and what else is told of an entry come from its distinct rows and groups. */
function addUp() {
  const last = new Int32Array(entries.length).fill(-1), hosts = new Int32Array(entries.length);
  const lastFixable = new Int32Array(entries.length).fill(-1), fixable = new Int32Array(entries.length);
  const seen = [], seenGroups = [];
  const countHost = (key, host, hasFix) => {
    if (last[key] !== host) { last[key] = host; hosts[key]++; }
    if (hasFix && lastFixable[key] !== host) { lastFixable[key] = host; fixable[key]++; }
  };
  for (const host of chosen.hosts) {
    for (const row of data.hosts[host][H.rows]) {
      if (!isLacking[row] || !chosen.rowPasses(host, row)) continue;
      const keys = KEYS[row], places = seen[row] || (seen[row] = new Uint8Array(keys.length));
      keys.forEach((key, place) => {
        if (!rowCounts(host, key) || !chosen.keyPasses(host, row, key)) return;
        places[place] = 1;
        countHost(key, host, true);
      });
    }
    for (const group of groupsOf(data.hosts[host])) {
      if (!chosen.groupPasses(host, group)) continue;
      const keys = GROUPS[group], places = seenGroups[group] || (seenGroups[group] = new Uint8Array(keys.length));
      for (let place = 0; place < keys.length; place++) {
        if (!chosen.groupKeyPasses(host, group, keys[place])) continue;
        places[place] = 1;
        countHost(keys[place], host, hasFix[group]);
      }
    }
  }
  for (const entry of entries) Object.assign(entry, {level: -1, more: new Set(), advisories: new Set()});
  const tell = (places, keys, level, name, advisories) => places.forEach((shown, place) => {
    if (!shown) return;
    const entry = entries[keys[place]], more = name(entry);
    entry.level = Math.max(entry.level, level);
    if (more) entry.more.add(more);
    if (entry.kind === "cve") advisories.forEach(id => entry.advisories.add(id));
  });
  seen.forEach((places, index) => {
    const row = data.rows[index];
    tell(places, KEYS[index], row[R.level], entry => text(row[entry.kind === "package" ? R.available : R.id]),
      several(text(row[R.advisories])));
  });
  seenGroups.forEach((places, index) => {
    const group = data.cveGroups[index];
    tell(places, GROUPS[index], group[G.level], () => text(group[G.package]), several(text(group[G.advisories])));
  });
  const found = {package: [], cve: [], advisory: []};
  entries.forEach((entry, key) => {
    Object.assign(entry, {hosts: hosts[key], fixable: fixable[key]});
    if (entry.hosts) found[entry.kind].push(entry);
  });
  return found;
}

/* The address after its # has the filters and what is open, so that it can be shared. */
function writeAddress() {
  const found = new URLSearchParams(Object.entries(filters).filter(([, value]) => value));
  if (opened.kind) found.set(opened.kind, opened.id);
  const words = found.toString();
  if (location.hash.slice(1) !== words)
    history.replaceState(null, "", words ? "#" + words : location.pathname + location.search);
}
function readAddress() {
  const found = new URLSearchParams(location.hash.slice(1));
  for (const key of Object.keys(filters)) filters[key] = found.get(key) || "";
  if (!Object.hasOwn(STATUS, filters.status)) filters.status = "";
  opened.kind = KINDS.find(kind => found.get(kind)) || "";
  opened.id = opened.kind ? found.get(opened.kind) : "";
}
"""
