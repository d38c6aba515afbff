"""Quality control beside plink2, each on what it has stored of the same cohort, and the speed of ``check-vcf`` on its text."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ingest_peers import Runs, timed
from ingest_runs import quality
from results_io import row

from genospark.core.progress import log
from genospark.ingest.vcf.bgzf import blocks

GOAL_TIME = 2.0
GOAL_MB = 100
_SITES = "qc components"
_STATISTICS = "qc variants"
_PLINK2 = {
    "qc prune": ["--set-all-var-ids", "@:#", "--indep-pairwise", "50", "5", "0.2"],
    _STATISTICS: ["--freq", "--hardy", "--missing"],
    _SITES: ["--set-all-var-ids", "@:#", "--extract", "{made}/qc-prune.prune.in", "--maf", "0.01", "--pca", "10", "approx"],
}


def compare(label: str, source: Path, warehouse: Path, made: Path, repeats: int, command: str) -> Iterator[list[dict[str, Any]]]:
    """Rows of the figures, again after each turn.

    Args:
        label: Name of the cohort.
        source: Its VCF.
        warehouse: Where ingest has put it.
        made: Folder with ``plink2.pgen`` of it; plink2 writes here.
        repeats: Turns.
        command: What to run to see the figures again.
    """
    text = sum(len(block) for _, block in blocks(str(source), 0))
    program = str(Path(sys.executable).with_name("genospark"))
    runs: dict[str, Runs] = {}
    counts: dict[str, int] = {}

    def once_more(name: str, run: Callable[[], float]) -> None:
        runs.setdefault(name, Runs()).once_more(run)
        log.info("bench-ingest %s: %s %s", label, name, runs[name])

    for turn in range(repeats):
        for stage, options in _PLINK2.items():
            # Pruning has no goal: both need it once.
            if turn == 0 or stage != "qc prune":
                once_more(stage, lambda stage=stage: quality(stage, warehouse))
                once_more(f"plink2 {stage}", lambda stage=stage, options=options: timed(_plink2(stage, options, made)))
        once_more("check-vcf", lambda: timed(["taskset", "-c", "0", program, "check-vcf", str(source)]))
        if turn == 0:
            counts = {"genospark": _kept(warehouse), "plink2": len((made / "qc-prune.prune.in").read_text().split())}
        yield list(_rows(label, runs, counts, text, command))


def _rows(label: str, runs: dict[str, Runs], counts: dict[str, int], text: int, command: str) -> Iterator[dict[str, Any]]:
    beside = {"genospark": str(runs["qc prune"]), "plink2": str(runs["plink2 qc prune"]), "plink2 keeps": counts["plink2"]}
    yield row(f"{label}: variants that qc prune keeps", counts["genospark"], "variants", "", None, command, beside)
    whats = {
        _STATISTICS: "qc variants (call rate, AF, HWE) from Delta tables, time by that of plink2 --freq --hardy --missing from .pgen",
        _SITES: "qc components (10, of pruned sites) from Delta tables, time by that of plink2 --pca approx from .pgen",
    }
    for stage, what in whats.items():
        ratio = round(runs[stage].least / runs[f"plink2 {stage}"].least, 2)
        beside = {"genospark": str(runs[stage]), "plink2": str(runs[f"plink2 {stage}"])}
        yield row(f"{label}: {what}", ratio, "ratio", f"<= {GOAL_TIME:g}", ratio <= GOAL_TIME, command, beside)
    speed = round(text / 1e6 / runs["check-vcf"].least)
    seconds = {"seconds": str(runs["check-vcf"]), "text": f"{text / 1e9:.2f} GB"}
    yield row(f"{label}: text that check-vcf checks on one core", speed, "MB/s", f">= {GOAL_MB}", speed >= GOAL_MB, command, seconds)


def _plink2(stage: str, options: list[str], made: Path) -> list[str]:
    filled = [option.format(made=made) for option in options]
    return ["plink2", "--pfile", str(made / "plink2"), *filled, "--threads", "2", "--out", str(made / stage.replace(" ", "-"))]


def _kept(warehouse: Path) -> int:
    from genospark.core.session import session
    from genospark.core.storage import Warehouse

    return Warehouse(session("bench-ingest"), str(warehouse)).read("prunedVariants").where("reason is null").count()
