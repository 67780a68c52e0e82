"""How page.py looks: light, dark and printed. Pure data."""

from typing import Final

__all__ = ["COLOURS", "STYLE"]

# Behind a deployment's GPUs, black letters on them; told apart also by who sees no red or green.
COLOURS: Final = ("#7cc7ee", "#f0b34a", "#5ec9a0", "#e79ac6", "#f4e04d", "#b9a7f5")

_RULES: Final = """
:root{--ink:#1c2024;--paper:#fff;--quiet:#5c6670;--line:#d5dadf;--free:#eceff2;--bad:#a32020}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--paper:#16191c;--quiet:#a3adb6;
--line:#3a4147;--free:#2a2f34;--bad:#ff9d94}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);
max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:1.8rem 0 .4rem}h3{font-size:1rem}
small,.quiet{color:var(--quiet);font-weight:normal}.lead{margin:.2rem 0}.bad{color:var(--bad)}
table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;
vertical-align:top;overflow-wrap:anywhere}th{font-weight:600;white-space:nowrap}
.nodes .quiet{font-size:.85rem}.tried{font-size:.85rem}.tried td:first-child{white-space:nowrap}
.tried tr{border-top:1px solid var(--line)}
.gpu{display:inline-block;min-width:1.9rem;padding:0 .2rem;margin:0 .15rem .15rem 0;
text-align:center;border-radius:3px;border:1px solid transparent;color:#000;
font:600 .8rem/1.6rem ui-monospace,monospace}
.free{background:var(--free);color:var(--quiet)}
.other{background:none;border-color:var(--quiet);color:var(--ink)}
.legend{list-style:none;padding:0}section{border-top:1px solid var(--line);margin-top:1.5rem}
.memory{display:flex;max-width:45rem;font-size:.75rem;line-height:1.3;color:#000}
.memory span{overflow:hidden;
padding:.2rem .3rem;white-space:nowrap;min-width:max-content;flex-basis:0}
.weights{background:#7cc7ee}.overhead{background:#f0b34a}.cache{background:#5ec9a0}
.spare{background:var(--free);color:var(--quiet)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.6rem 0}
dt{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere}
@media print{:root{--ink:#000;--paper:#fff;--quiet:#444;--line:#bbb;--free:#eee;--bad:#a00}
body{margin:0;max-width:none;font-size:10pt}tr,dl,.memory{break-inside:avoid}h2,h3{break-after:avoid}
.gpu{min-width:1.3rem}.nodes .quiet{font-size:8pt}
.gpu,.memory span{print-color-adjust:exact;-webkit-print-color-adjust:exact;border-color:#888}}
"""
_CELLS: Final = "".join(f".c{n}{{background:{one}}}" for n, one in enumerate(COLOURS))

STYLE: Final = _RULES.replace("\n", "") + _CELLS
