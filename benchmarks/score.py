"""Scoring beside ``plink2 --score`` and beside a network's bare forward pass, on 100,000 people with 10,000 variants of packed tables.

Runs of ours and of the others take turns. Ours are whole stages, from the call to the committed table, in a Spark session that has run one
before; what a command takes that starts Spark is told, too. plink2 reads its own packed format, made from the same calls.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ingest_peers import ROOT, Runs, timed
from ingest_runs import quality
from memory import Memory, cpu_s
from packed_cohort import DISEASE, Cohort, make, weights
from results_io import row, write

FOLDER = ROOT / "build" / "bench-score"
COMMAND = "make bench-score"
PEOPLE, FEWER, VARIANTS = 100_000, 10_000, 10_000
SCORE = "PGS000001"
TIMES_BARE = 3
"""Of the bare forward pass: what scoring with a network may take."""
PEOPLE_AT_ONCE = 1_500
"""Of the bare forward pass; it takes a tenth longer 240 at a time, as scoring does."""
SAME = 1e-4
GROWTH = 1.25
USED_BY_REGRESSION = 500
SEED = 4


def cohort(people: int, variants: int) -> Path:
    """Folder of a cohort: its warehouse ``w``, ``calls.pgen``, and a scoring file in our format and in plink2's."""
    from genospark.core.session import session
    from genospark.ingest.pgs import IngestPgsConfig, ingest_pgs

    folder = FOLDER / f"{people}-{variants}"
    if not (folder / "made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        drawn = Cohort(people, variants)
        make(drawn, folder / "w", session("bench-score"), folder / "calls")
        source = folder / f"{SCORE}.txt"
        weights(drawn, source, SCORE)
        lines = source.read_text().splitlines(keepends=True)
        (folder / "weights.tsv").write_text("".join(line for line in lines if not line.startswith("#")))
        ingest_pgs(IngestPgsConfig(warehouse=str(folder / "w"), inputs=[str(source)]), session("bench-score"))
        (folder / "made").touch()
    return folder


def bundle(people: int, variants: int) -> Path:
    """A bundle of the network's default shape, drawn at random, that ships the network alone."""
    import pyarrow as pa

    from genospark.models.calibration import Calibration
    from genospark.models.risk import RiskNetworkConfig
    from genospark.models.spec import FeatureSpec, Variants
    from genospark.models.targets import Target
    from genospark.models.variant_columns import SCHEMA
    from genospark.tasks.risk import Pairs, built
    from genospark.tasks.risk_model import RiskModel, TargetModel

    drawn = Cohort(people, variants)
    sites, p = drawn.sites(), drawn.frequencies().astype(float)
    n, random = len(sites), np.random.default_rng(SEED)
    columns = [sites["CHROM"], sites["POS"] - 1, ["A"] * n, ["G"] * n, 2 * p, np.sqrt(2 * p * (1 - p)), np.full(n, 0.1)]
    arrays = [pa.array(values, entry.type) for values, entry in zip(columns, SCHEMA, strict=True)]
    features = Variants(pa.record_batch(arrays, schema=SCHEMA))
    spec = FeatureSpec(features, (), (), "none", (Target(DISEASE),))
    shape = RiskNetworkConfig().model_dump(mode="json")
    network = built(spec, shape, Pairs.none())
    drawn_weights = [random.normal(0, 0.01, array.shape).astype(np.float32) for array in network.get_weights()]
    coefficients = np.zeros((1 + shape["members"], n, 1), np.float32)
    some = random.choice(n, min(n, USED_BY_REGRESSION), replace=False)
    coefficients[:, some] = random.normal(0, 0.02, (len(coefficients), len(some), 1))
    shipped = (TargetModel(1.0, Calibration.none(spec.targets[0])),)
    model = RiskModel(spec, shape, Pairs.none(), drawn_weights, coefficients, np.zeros((len(coefficients), 1)), shipped)
    return model.bundle().save(FOLDER / f"{people}-{variants}" / "bundles")


def bare(people: int, variants: int) -> float:
    """Seconds of the forward pass alone, of as many people's packed calls in this process's memory, as many at a time as is fastest."""
    from genospark.models.bundle import load
    from genospark.tasks.risk_model import RiskModel, compiled

    (path,) = (FOLDER / f"{people}-{variants}" / "bundles").iterdir()
    model = RiskModel.of(load(path, "risk"))
    calls = np.random.default_rng(SEED).integers(0, 256, (people, model.spec.call_bytes), np.uint8)
    measurements = np.zeros((people, 0), np.float32)
    network, some = compiled(model), PEOPLE_AT_ONCE
    network(calls[:some], measurements[:some])
    begun = time.perf_counter()
    for first in range(0, people, some):
        network(calls[first : first + some], measurements[first : first + some]).numpy()
    return time.perf_counter() - begun


def apart(function: str, people: int, variants: int) -> str:
    """What one of this file's functions says in a process of its own, whose memory is not the driver's."""
    command = [sys.executable, __file__, "--apart", function, str(people), str(variants)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1]


class Timed:
    """Seconds by the clock and of processors, of runs that take turns."""

    def __init__(self, runs: dict[str, Callable[[], float]], repeats: int) -> None:
        self.clock, self.work = {name: Runs() for name in runs}, {name: Runs() for name in runs}
        for _ in range(repeats):
            for name, run in runs.items():
                before = cpu_s()
                self.clock[name].seconds.append(run())
                self.work[name].seconds.append(cpu_s() - before)

    def told(self, name: str) -> str:
        """Both."""
        return f"{self.clock[name]}; {self.work[name].least:.2f} s of a core"


def linear(folder: Path, people: int, variants: int, repeats: int, memory: Memory) -> list[dict[str, Any]]:
    """``score pgs`` beside plink2."""
    program = ["plink2", "--pfile", str(folder / "calls"), "--score", str(folder / "weights.tsv"), "1", "4", "6", "header"]
    program += ["cols=+scoresums", "--threads", str(os.cpu_count()), "--out", str(folder / "plink2")]

    def ours() -> float:
        return quality("score pgs", folder / "w")

    first = ours()
    found = Timed({"plink2": lambda: timed(program), "ours": ours}, repeats)
    command = [str(Path(sys.executable).with_name("genospark")), "score", "pgs", "--warehouse", str(folder / "w"), "--set", "rerun=true"]
    alone = timed(command)
    # Apart, since who watches memory takes time of its own; and late, when the driver has loaded what it ever loads.
    with memory:
        ours()
    theirs = pd.read_csv(f"{folder}/plink2.sscore", sep="\t").set_index("#IID")["SCORE1_SUM"]
    from genospark.core.session import session
    from genospark.core.storage import Warehouse

    sums = Warehouse(session("bench-score"), str(folder / "w")).small("pgsScores", ["sampleId", "scoreSum"]).set_index("sampleId")
    differs = float((sums["scoreSum"] - theirs).abs().max())
    ratio = found.clock["ours"].least / found.clock["plink2"].least
    return [
        row("linear: score pgs, warm session", found.told("ours"), "", "", None, COMMAND, found.told("plink2")),
        row("linear: score pgs over plink2 --score", round(ratio, 2), "x", "<= 1", ratio <= 1, COMMAND),
        row("linear: first run of a session", round(first, 1), "s", "", None, COMMAND),
        row("linear: the command, which starts Spark", round(alone, 1), "s", "", None, COMMAND),
        row("linear: largest difference from plink2's sums", f"{differs:.1e}", "", f"<= {SAME:g}", differs <= SAME, COMMAND),
    ]


def network(folder: Path, people: int, variants: int, repeats: int, memory: Memory) -> list[dict[str, Any]]:
    """``score risk`` with a network as default beside its forward pass."""

    path = apart("bundle", people, variants)

    def ours() -> float:
        return quality("score risk", folder / "w", bundle=path)

    first = ours()
    found = Timed({"bare": lambda: float(apart("bare", people, variants)), "ours": ours}, repeats)
    with memory:
        ours()
    ratio = found.clock["ours"].least / found.clock["bare"].least
    goal = f"<= {TIMES_BARE}"
    return [
        row("network: score risk, warm session", found.told("ours"), "", "", None, COMMAND, f"forward pass {found.clock['bare']}"),
        row("network: score risk over the forward pass", round(ratio, 2), "x", goal, ratio <= TIMES_BARE, COMMAND),
        row("network: first run of a session", round(first, 1), "s", "", None, COMMAND),
    ]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scale", type=float, default=1.0, help="share of the people and variants")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--apart", nargs=3, metavar=("FUNCTION", "PEOPLE", "VARIANTS"), help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.apart:
        function, people, variants = given.apart
        print({"cohort": cohort, "bundle": bundle, "bare": bare}[function](int(people), int(variants)))
        return
    variants = int(VARIANTS * given.scale)
    rows: list[dict[str, Any]] = []
    used: dict[str, list[Memory]] = {"pgs": [], "risk": []}
    # Workers that have loaded TensorFlow stay: linear scores come first.
    # Where a run takes two seconds, it takes more of them to tell a few hundredths.
    for name, measured, repeats in (("pgs", linear, 3 * given.repeats), ("risk", network, given.repeats)):
        for people in (int(FEWER * given.scale), int(PEOPLE * given.scale)):
            folder, memory = Path(apart("cohort", people, variants)), Memory()
            told = measured(folder, people, variants, repeats, memory)
            rows += told if len(used[name]) else []
            used[name].append(memory)
    for name, (fewer, more) in used.items():
        for kind in ("worker", "driver"):
            less, most_mb = fewer.most[kind], more.most[kind]
            figure = f"score {name}: peak memory of the {kind}, at {FEWER:,} and {PEOPLE:,} people"
            rows.append(row(figure, f"{less:.0f}, {most_mb:.0f}", "MB", f"<= {GROWTH:g} x", most_mb <= GROWTH * less, COMMAND))
        rows.append(row(f"score {name}: all peaks at {PEOPLE:,} people", str(more), "MB", "", None, COMMAND))
    if given.scale == 1:
        write("score", rows)
    for entry in rows:
        print(entry["figure"], entry["value"], entry["unit"], entry["goal"], entry["holds"], entry["peers"] or "")


if __name__ == "__main__":
    main()
