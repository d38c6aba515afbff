"""Where figures go: ``results/<name>.json``, rows of figure, value, unit, goal, holds, peers and command, and a table in RESULTS.md."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# People of public data and simulations need no secret; the same names make the same tables.
os.environ.setdefault("GENOSPARK_KEY", "a key for benchmarks, which is no secret")
COLUMNS = ("figure", "value", "unit", "goal", "holds", "peers", "command")


def row(figure: str, value: object, unit: str, goal: str, holds: bool | None, command: str, peers: object = None) -> dict[str, Any]:
    """One figure. `holds` is None where the figure has no goal."""
    return dict(zip(COLUMNS, (figure, value, unit, goal, holds, peers, command), strict=True))


def update(name: str, start: str, rows: list[dict[str, Any]]) -> None:
    """Writes rows in the place of those whose figure begins with `start`; others stay as an earlier run has left them."""
    path = HERE / "results" / f"{name}.json"
    before = json.loads(path.read_text()) if path.exists() else []
    write(name, [*(entry for entry in before if not entry["figure"].startswith(start)), *rows])


def write(name: str, rows: list[dict[str, Any]]) -> None:
    """Writes ``results/<name>.json`` and rebuilds ``RESULTS.md`` from all results."""
    (HERE / "results" / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n")
    lines = ["# Results", "", "Made by the commands named; `-` where a figure has no goal.", ""]
    for path in sorted((HERE / "results").glob("*.json")):
        found = json.loads(path.read_text())
        lines += [
            f"## {path.stem}",
            "",
            f"Command: `{found[0]['command']}`",
            "",
            "| figure | value | unit | goal | holds | peers |",
            "|---|---|---|---|---|---|",
        ]
        for entry in found:
            holds = {True: "yes", False: "**no**", None: "-"}[entry["holds"]]
            lines.append(
                f"| {entry['figure']} | {entry['value']} | {entry['unit']} | {entry['goal'] or '-'} | {holds} | {entry['peers'] or ''} |"
            )
        lines.append("")
    (HERE / "RESULTS.md").write_text("\n".join(lines))
