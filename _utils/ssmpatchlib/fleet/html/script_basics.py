# SPDX-License-Identifier: Apache-2.0
"""The script's first part: the data, elements, badges, links, CSV."""

BASICS = r"""
const data = JSON.parse(document.getElementById("data").textContent);
const S = data.strings, LEVELS = data.levels, VERDICTS = data.verdicts, WORDS = data.words;
const H = {id: 0, verdict: 1, ended: 2, missing: 3, failed: 4, rejected: 5, pending: 6, level: 7, name: 8, address: 9,
  system: 10, product: 11, baseline: 12, group: 13, agent: 14, flags: 15, problem: 16, running: 17, patchGroup: 18,
  warnings: 19, rows: 20, held: 21, ring: 22, oldCode: 23,
  runsOld: 24, cves: 25, open: 26, exploited: 27, cveProblem: 28};
const R = {id: 0, title: 1, state: 2, level: 3, classification: 4, severity: 5, cves: 6, installed: 7, available: 8,
  reason: 9, time: 10, held: 11, advisories: 12};
/* A group of CVEs of a host that are alike; data.cveSets has the groups of hosts. */
const G = {package: 0, installed: 1, state: 2, fixed: 3, level: 4, advisories: 5, exploited: 6, ids: 7, published: 8,
  reason: 9};
const groupsOf = host => host[H.cves] < 0 ? [] : data.cveSets[host[H.cves]];
const FIXABLE = "fix available", NOT_KNOWN = "unknown";
const cveTimes = new Map(data.cveTimes.map(([id, first, closed, mean]) => [data.strings[id], {first, closed, mean}]));
const tellsCves = data.hosts.some(host => host[H.cves] >= 0);
const STALE = 1, REBOOT = 2, FROZEN = 4;
const LACKING = new Set(["Missing", "Failed"]);
const STATES = {Missing: "missing", Failed: "failed", InstalledRejected: "rejected",
  InstalledPendingReboot: "pending reboot"};
const text = index => index < 0 ? "" : S[index];
const several = words => words.split(",").map(word => word.trim()).filter(Boolean);
const byId = id => document.getElementById(id);

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
const hostsOf = value => number(value) + (value === 1 ? " host" : " hosts");
const levelWord = rank => rank < 0 ? "" : LEVELS[rank].toLowerCase();
const levelBadge = rank => rank < 0 ? null : badge(LEVELS[rank], levelWord(rank));
const utc = epoch => epoch ? new Date(epoch * 1000).toISOString().slice(0, 19) + "Z" : "";
const when = epoch => epoch ? utc(epoch).slice(0, 16).replace("T", " ") + " UTC" : "never";
function age(epoch) {
  if (!epoch) return "";
  return span(Math.max(0, data.made - epoch));
}
function span(seconds) {
  if (seconds < 7200) return Math.round(seconds / 60) + " min";
  return seconds < 172800 ? Math.round(seconds / 3600) + " h" : Math.round(seconds / 86400) + " days";
}
const stateBadge = row => [badge(text(row[R.state]), STATES[text(row[R.state])] || text(row[R.state])),
  row[R.held] ? " " : "", row[R.held] ? badge("held", "held back") : ""];
const verdictBadge = host => badge(WORDS[host[H.verdict]], WORDS[host[H.verdict]]);
const count = value => value ? number(value) : make("span", {class: "quiet"}, "0");

/* Where vendors explain an id. Only an id of exactly its vendor's form has an address, and only that address. */
const ADDRESSES = [
  [/^(CVE-\d{4}-\d{4,})$/, "https://www.cve.org/CVERecord?id=$1"],
  [/^(RH[SBE]A-\d{4}:\d{4,})$/, "https://access.redhat.com/errata/$1"],
  [/^(EL[SBE]A-\d{4}-\d{4,})$/, "https://linux.oracle.com/errata/$1.html"],
  [/^(R[LX][SBE]A-\d{4}:\d{4,})$/, "https://errata.rockylinux.org/$1"],
  [/^(ALAS2-20(?:2[5-9]|[3-9]\d)-\d+)$/, "https://alas.aws.amazon.com/AL2/$1.html"],
  [/^(ALAS2023-20(?:2[5-9]|[3-9]\d)-\d+)$/, "https://alas.aws.amazon.com/AL2023/$1.html"],
  [/^SUSE-([SRFO]U)-(\d{4}):(\d{4,}-\d+)$/, "https://www.suse.com/support/update/announcement/$2/suse-$1-$2$3/"],
  [/^(D[SL]A-\d+-\d+)$/, "https://security-tracker.debian.org/tracker/$1"],
  [/^(USN-\d+-\d+)$/, "https://ubuntu.com/security/notices/$1"],
  [/^(FEDORA-(?:EPEL-)?\d{4}-[0-9a-f]{10})$/, "https://bodhi.fedoraproject.org/updates/$1"],
];
function address(id) {
  const known = ADDRESSES.find(([form]) => form.test(id));
  if (!known) return "";
  const found = id.replace(known[0], known[1]);
  return found.startsWith("https://www.suse.com/") ? found.toLowerCase() : found;
}
function outside(id, words) {
  const href = address(id);
  return href ? make("a", {href, target: "_blank", rel: "noopener noreferrer external"}, words || id) : words ? "" : id;
}

/* As in CSV files that the runner writes, a leading apostrophe keeps spreadsheets from taking a text for a formula,
   also where semicolons or tabs divide the cells. */
const FORMULA = /^\s*[=+\-@\t\r\n|%\uff1d\uff0b\uff0d\uff20]/;
const DIVIDED = /([;\t])(?=[\s"']*[=+\-@\t\r\n|%\uff1d\uff0b\uff0d\uff20])/g;
function csvCell(value) {
  if (typeof value === "number") return String(value);
  const plain = String(value ?? "").replace(DIVIDED, "$1'"), safe = FORMULA.test(plain) ? "'" + plain : plain;
  return /[",\r\n]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
}
function saveCsv(name, titles, lines) {
  const pieces = [titles, ...lines].map(line => line.map(csvCell).join(",") + "\r\n");
  const href = URL.createObjectURL(new Blob(pieces, {type: "text/csv"}));
  make("a", {href, download: name + ".csv"}).click();
  setTimeout(() => URL.revokeObjectURL(href), 60000);
}
const PATCH_TITLES = ["Host", "Package", "State", "Level", "Installed", "Available", "Classification", "CVEs",
  "Advisories", "Reason", "Patch group", "Ring", "System"];
const patchLine = (host, row) => [text(host[H.id]), text(row[R.id]), text(row[R.state]), LEVELS[row[R.level]],
  text(row[R.installed]), text(row[R.available]), text(row[R.classification]), text(row[R.cves]),
  text(row[R.advisories]), text(row[R.reason]), text(host[H.patchGroup]), text(host[H.ring]), text(host[H.system])];
const groupLine = (host, group, ids) => [text(host[H.id]), text(group[G.package]), text(group[G.state]),
  LEVELS[group[G.level]], text(group[G.installed]), text(group[G.fixed]), "", ids, text(group[G.advisories]),
  text(group[G.reason]), text(host[H.patchGroup]), text(host[H.ring]), text(host[H.system])];
"""
