# SPDX-License-Identifier: Apache-2.0
"""The style sheet of the page: light, dark, narrow and printed."""

STYLE = """
:root {
  color-scheme: light;
  --page: #f4f6f8; --card: #ffffff; --text: #17202b; --soft: #5c6a7a; --edge: #dde3ea; --hover: #eef2f7;
  --track: #e7ecf1; --control: #8290a0; --accent: #2563c4;
  --shade: 0 1px 2px rgb(16 32 56 / 7%), 0 1px 8px rgb(16 32 56 / 4%);
  --good: #1f9d61; --bad: #d5394c; --unsure: #d99a1c; --none: #8896a7; --away: #5d6b7c; --wait: #7c5cd1;
  --critical: #a3182f; --high: #dc4b35; --medium: #e39b28; --low: #5a8fd6; --info: #8fa3b8; --unspec: #b3bfcb;
  --good-text: #14774a; --bad-text: #c02a3d; --unsure-text: #8a5d05; --wait-text: #6a48c0; --high-text: #b93a26;
  --low-text: #2f66ad;
}
@media (prefers-color-scheme: dark) { :root:not([data-theme="light"]) {
  color-scheme: dark;
  --page: #10151b; --card: #19202a; --text: #e6ebf1; --soft: #9aa8b8; --edge: #2b3644; --hover: #222c38;
  --track: #2a3441; --control: #66758a; --accent: #7fb0ff; --shade: none;
  --good: #3cbf80; --bad: #f26d78; --unsure: #e8b44a; --none: #8493a4; --away: #a3b0bf; --wait: #a78bf0;
  --critical: #f87186; --high: #f5876b; --medium: #eebb5f; --low: #79a8ea; --info: #7c90a6; --unspec: #5a6a7b;
  --good-text: #5dd39b; --bad-text: #ff8a94; --unsure-text: #f0c264; --wait-text: #b9a2f5; --high-text: #f8987f;
  --low-text: #8fb8f0;
} }
:root[data-theme="dark"] {
  color-scheme: dark;
  --page: #10151b; --card: #19202a; --text: #e6ebf1; --soft: #9aa8b8; --edge: #2b3644; --hover: #222c38;
  --track: #2a3441; --control: #66758a; --accent: #7fb0ff; --shade: none;
  --good: #3cbf80; --bad: #f26d78; --unsure: #e8b44a; --none: #8493a4; --away: #a3b0bf; --wait: #a78bf0;
  --critical: #f87186; --high: #f5876b; --medium: #eebb5f; --low: #79a8ea; --info: #7c90a6; --unspec: #5a6a7b;
  --good-text: #5dd39b; --bad-text: #ff8a94; --unsure-text: #f0c264; --wait-text: #b9a2f5; --high-text: #f8987f;
  --low-text: #8fb8f0;
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
main, header, footer { max-width: 1240px; margin: 0 auto; padding: 0 24px; }
header { display: flex; align-items: flex-start; justify-content: space-between; gap: 16px; padding-top: 28px; }
h1 { margin: 0; font-size: 26px; line-height: 1.2; letter-spacing: -.01em; }
h2 { margin: 0 0 14px; font-size: 15px; font-weight: 650; }
header p { margin: 4px 0 0; color: var(--soft); overflow-wrap: anywhere; }
button, input { font: inherit; color: inherit; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.tool { border: 1px solid var(--edge); background: var(--card); border-radius: 8px; padding: 6px 12px;
  white-space: nowrap; }
.tool:hover, .chip:hover { background: var(--hover); }
.card { background: var(--card); border: 1px solid var(--edge); border-radius: 12px; box-shadow: var(--shade);
  padding: 18px 20px; min-width: 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 14px; margin: 22px 0 14px; }
.figure { display: flex; flex-direction: column; justify-content: flex-start; text-align: left;
  border-left: 4px solid var(--edge); padding: 12px 16px; }
button.figure:hover { background: var(--hover); }
.figure b { display: block; font-size: 27px; line-height: 1.25; font-weight: 650; letter-spacing: -.01em; }
.figure span, .figure small { display: block; } .figure small { color: var(--soft); font-size: 12.5px; }
.figure.compliant { border-left-color: var(--good); } .figure.non-compliant { border-left-color: var(--bad); }
.figure.unknown { border-left-color: var(--unsure); } .figure.reboot { border-left-color: var(--wait); }
.figure.stale { border-left-color: var(--none); } .figure.patches { border-left-color: var(--high); }
.figure.cves { border-left-color: var(--critical); }
.charts { display: grid; grid-template-columns: repeat(12, 1fr); gap: 14px; margin-bottom: 14px; }
.charts > * { grid-column: span 6; } .charts > .third { grid-column: span 4; } .charts > .wide { grid-column: span 8; }
.ring { display: flex; align-items: center; gap: 16px; flex-wrap: wrap; }
.donut { width: 152px; flex: none; } .donut .middle { font-size: 19px; font-weight: 650; fill: var(--text); }
.donut .below { font-size: 10.5px; fill: var(--soft); }
ul.legend { list-style: none; margin: 0; padding: 0; flex: 1; min-width: 130px; }
ul.legend li { display: flex; white-space: nowrap; justify-content: space-between; gap: 12px; padding: 2px 0; }
.mark { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 8px; }
.bars { display: grid; grid-template-columns: fit-content(46%) minmax(60px, 1fr) auto; gap: 9px 14px; margin: 0;
  align-items: center; }
.bars dt { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bars dd { margin: 0; } .bars .number { text-align: right; color: var(--soft); white-space: nowrap; }
.third .bars { grid-template-columns: minmax(0, 1fr) auto; gap: 2px 12px; grid-auto-flow: row dense; }
.third .bars dt { grid-column: 1; } .third .bars .number { grid-column: 2; }
.third .bars .bar { grid-column: 1 / -1; margin-bottom: 8px; }
.stack { display: block; width: 100%; height: 14px; border-radius: 4px; }
.trend { width: 100%; height: auto; display: block; } .trend text { font-size: 12px; fill: var(--soft); }
.trend .grid { stroke: var(--edge); } .trend .line { fill: none; stroke: var(--good); stroke-width: 2.5;
  stroke-linejoin: round; } .trend .area { fill: var(--good); opacity: .12; } .trend .dot { fill: var(--good); }
.track { fill: var(--track); } .empty { stroke: var(--track); }
rect.compliant { fill: var(--good); } rect.non-compliant { fill: var(--bad); } rect.unknown { fill: var(--unsure); }
rect.no-report { fill: var(--none); } rect.unreachable { fill: var(--away); }
circle.compliant { stroke: var(--good); } circle.non-compliant { stroke: var(--bad); }
circle.unknown { stroke: var(--unsure); } circle.no-report { stroke: var(--none); }
circle.unreachable { stroke: var(--away); }
.mark.compliant { background: var(--good); } .mark.non-compliant { background: var(--bad); }
.mark.unknown { background: var(--unsure); } .mark.no-report { background: var(--none); }
.mark.unreachable { background: var(--away); }
rect.critical { fill: var(--critical); } rect.high { fill: var(--high); } rect.medium { fill: var(--medium); }
rect.low { fill: var(--low); } rect.informational { fill: var(--info); } rect.unspecified { fill: var(--unspec); }
.note { color: var(--soft); margin: 8px 0 0; }
.warnings { border-left: 4px solid var(--unsure); margin-bottom: 14px; } .warnings ul { margin: 0; padding-left: 20px; }
.list { margin-bottom: 14px; }
.list .head { display: flex; flex-wrap: wrap; gap: 10px 14px; align-items: center; margin-bottom: 12px; }
.list .head h2 { margin: 0; margin-right: auto; }
input[type=search], select { border: 1px solid var(--control); border-radius: 8px; background: var(--page);
  padding: 7px 12px; width: 100%; min-width: 0; }
.filters { margin-bottom: 14px; } .filters .head { display: flex; gap: 14px; align-items: end; margin-bottom: 12px; }
.filters label { display: block; min-width: 0; } .filters label span { color: var(--soft); font-size: 13px; }
.filters .search { flex: 1; } #found:empty { display: none; }
#selects { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 10px 14px;
  margin-bottom: 14px; }
.chips { display: flex; flex-wrap: wrap; gap: 6px; }
.chip { white-space: nowrap; border: 1px solid var(--control); background: transparent; border-radius: 99px;
  padding: 3px 12px;  font-size: 13.5px; }
.chip[aria-pressed=true] { background: var(--accent); border-color: var(--accent); color: var(--card); }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-size: 13px; font-weight: 600; color: var(--soft); white-space: nowrap;
  border-bottom: 1px solid var(--edge); padding: 0; }
th, td { vertical-align: top; }
th button, th > span { display: block; width: 100%; text-align: inherit; border: 0; background: none; padding: 7px 10px;
  font-weight: inherit; color: inherit; }
th[aria-sort] button { color: var(--text); } th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
td { padding: 7px 10px; border-bottom: 1px solid var(--edge); overflow-wrap: anywhere; }
td .link { min-width: min(190px, 34vw); } td.name { min-width: 84px; } td.whole { overflow-wrap: normal; }
.narrow { display: none; } .badges { display: flex; flex-wrap: wrap; gap: 3px 4px; }
a { color: var(--accent); }
tbody tr:last-child td { border-bottom: 0; }
tbody tr.open { cursor: pointer; } tbody tr.open:hover { background: var(--hover); }
.count { text-align: right; white-space: nowrap; } .nobreak { min-width: 118px; }
.quiet { color: var(--soft); }
.link { border: 0; background: none; padding: 0; color: var(--accent); text-align: left; overflow-wrap: anywhere; }
.link:hover { text-decoration: underline; }
.badge { display: inline-block; border-radius: 5px; padding: 0 7px; font-size: 13px; white-space: nowrap;
  border: 1px solid currentcolor; }
.badge.compliant { color: var(--good-text); } .badge.non-compliant, .badge.missing { color: var(--bad-text); }
.badge.failed, .badge.critical { color: var(--critical); } .badge.high { color: var(--high-text); }
.badge.unknown, .badge.medium { color: var(--unsure-text); } .badge.low { color: var(--low-text); }
.badge.installedpendingreboot, .badge.reboot { color: var(--wait-text); }
.badge.installedrejected { color: var(--high-text); }
.badge.no-report, .badge.unreachable, .badge.informational, .badge.unspecified, .badge.stale,
.badge.held { color: var(--soft); }
.pager { display: flex; align-items: center; justify-content: space-between; gap: 12px; margin-top: 12px;
  color: var(--soft); } .pager div { display: flex; gap: 8px; } .pager button:disabled { opacity: .4; cursor: default; }
dialog { width: min(1240px, calc(100vw - 24px)); max-height: calc(100vh - 32px); border: 1px solid var(--edge);
  border-radius: 14px; background: var(--card); color: var(--text); padding: 0; overflow: auto; }
dialog::backdrop { background: rgb(8 14 22 / 55%); }
dialog .inside { padding: 20px 24px 24px; }
.title .tools { display: flex; gap: 8px; flex: none; align-items: start; }
dialog .title { display: flex; justify-content: space-between; gap: 14px; align-items: flex-start; }
dialog h3 { font-size: 15px; margin: 18px 0 6px; }
.ids { display: flex; flex-wrap: wrap; gap: 0 12px; } .ids .nobreak { white-space: nowrap; }
summary { cursor: pointer; }
.badge.exploited { color: var(--card); background: var(--critical); border-color: var(--critical); }
.badge.fix-available { color: var(--good-text); } .badge.affected-no-fix-yet { color: var(--bad-text); }
.badge.fix-kept-out, .badge.fix-beyond-the-frozen-set { color: var(--unsure-text); }
dialog h2 { font-size: 19px; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 10px 18px;
  margin: 0 0 16px; }
.facts dt { color: var(--soft); font-size: 13px; } .facts dd { margin: 0; overflow-wrap: anywhere; }
footer { color: var(--soft); font-size: 13px; padding: 8px 24px 32px; } footer p { margin: 0 0 6px; }
@media (max-width: 1000px) { .broad { display: none; } }
@media (max-width: 900px) { .charts > *, .charts > .third, .charts > .wide { grid-column: span 12; } }
@media (max-width: 640px) {
  main, header { padding-left: 14px; padding-right: 14px; } h1 { font-size: 22px; } .card { padding: 14px; }
  .figures { grid-template-columns: repeat(2, 1fr); gap: 10px; }
  .figure.cves { grid-column: 1 / -1; } .ids .nobreak { white-space: normal; } .figure b { font-size: 22px; }
  .broad, .second, .in-full { display: none; } .narrow { display: inline; } th button, th > span, td { padding: 6px; }
  .bars { grid-template-columns: minmax(0, 1fr) auto; gap: 2px 12px; grid-auto-flow: row dense; }
  .bars dt { grid-column: 1; } .bars .number { grid-column: 2; }
  .bars .bar { grid-column: 1 / -1; margin-bottom: 8px; } .ring { justify-content: center; }
  dialog .inside { padding: 14px; } footer { padding-left: 14px; padding-right: 14px; }
  #selects { grid-template-columns: repeat(2, minmax(0, 1fr)); } .list .head h2 { width: 100%; }
  .filters .head { flex-wrap: wrap; } .filters .search { flex-basis: 100%; }
  .facts { grid-template-columns: repeat(2, minmax(0, 1fr)); } .trend text { font-size: 18px; }
}
@media print {
  :root, :root[data-theme] { color-scheme: light; --page: #fff; --card: #fff; --text: #000; --soft: #444;
    --edge: #bbb; --track: #eee; --shade: none; --good: #1f9d61; --bad: #d5394c; --unsure: #d99a1c; --none: #8896a7;
    --away: #5d6b7c; --critical: #a3182f; --high: #dc4b35; --medium: #e39b28; --low: #5a8fd6; --info: #8fa3b8; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 11px; } .tool, .chips, .pager, .search, #selects { display: none !important; }
  .card { break-inside: avoid; }
  .list.card { break-inside: auto; } tr { break-inside: avoid; } thead { display: table-header-group; }
}
"""
