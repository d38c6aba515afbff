"""What the risk model gains over the strongest simple ones, on 20,000 fresh simulated people of three ancestries, with five seeds.

``make bench-risk`` runs it. What is measured stands in build/bench-risk as it comes; a run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import risk_cohort
import risk_models
import risk_spark
from memory import cpu_s
from numpy.typing import NDArray
from results_io import HERE, row, write
from risk_models import Ours
from scipy import stats

from genospark.core.progress import configure_logging
from genospark.models.risk import RiskNetworkConfig
from genospark.models.targets import Target
from genospark.training.risk_fit import RegressionConfig
from genospark.training.risk_metrics import draws, interval, measures

COMMAND = "make bench-risk"
KEPT = HERE.parent / "build" / "bench-risk"
FRESH, ADDITIVE, INTERACTIONS = 20_000, 4_000, 20_000
RESAMPLES = 200
DISEASE = Target("")
L1 = RegressionConfig().shares
OVERALL = [f"covariates and {risk_models.N_PCS} PCs", "C+T", "ridge", "L1, variants", "L1, expression", "L1, early fusion"]

Floats = NDArray[np.float64]


def additive(seed: int, work: Path) -> dict[str, Any]:
    """Everything that is measured where effects add up."""
    data = risk_models.data_of(risk_cohort.simulate(seed, ADDITIVE + FRESH, "additive"), ADDITIVE, seed)
    config = RiskNetworkConfig()
    mine = risk_models.ours(data, work, seed, config, 32, 20)
    alone = risk_models.ours(risk_models.only(data, 0), work, seed, config, 32, 20)
    whole = np.concatenate([data.variants, data.expression, data.covariates])
    genetic, measured = (np.concatenate([part, data.covariates]) for part in (data.variants, data.expression))
    by_variants, by_expression, fused = (risk_models.linear(data, which, 1.0, L1) for which in (genetic, measured, whole))
    covariates = data.test.measurements[:, -len(data.spec.covariates) :].astype(float)
    covariates_too = data.validation.measurements[:, -len(data.spec.covariates) :].astype(float)
    n = len(risk_cohort.DISEASES)
    late = [
        risk_models.stacked(data, *(np.column_stack([v[:, d], e[:, d], c]) for v, e, c in pairs))[:, d]
        for d, pairs in (
            (d, [(by_variants[0], by_expression[0], covariates_too), (by_variants[1], by_expression[1], covariates)]) for d in range(n)
        )
    ]
    baselines = {
        OVERALL[0]: risk_models.linear(data, data.covariates, 1.0, L1)[1],
        OVERALL[1]: risk_models.clumped(data),
        OVERALL[2]: risk_models.linear(data, whole, 0.01, risk_models.RIDGE)[1],
        OVERALL[3]: by_variants[1],
        OVERALL[4]: by_expression[1],
        OVERALL[5]: fused[1],
        "late stacking": np.stack(late, axis=1),
        "cross-trait stacking": risk_models.stacked(data, *fused),
        "gradient boosting": risk_models.boosted(data, seed),
    }
    random = np.random.default_rng(seed)
    sides = {}
    for name in ("training", "validation", "test"):
        people = getattr(data, name)
        sides[name] = dataclasses.replace(people, labels=people.labels[random.permutation(len(people.labels))])
    null = risk_models.ours(dataclasses.replace(data, **sides), work, seed, config, 32, 5)
    labels = data.test.labels.astype(float)
    single = max(("L1, variants", "L1, expression"), key=lambda name: _auc(baselines[name], labels).mean())
    return {
        "auc": {name: _auc(scores, labels).tolist() for name, scores in (baselines | _named(mine)).items()},
        "networkShare": mine.share,
        "gain": _gain(mine.default, _best(baselines, labels), labels),
        "rarest": _gain(mine.default[:, :1], alone.default, labels[:, :1]),
        "rarestNetwork": _gain(mine.network[:, :1], alone.network, labels[:, :1]),
        "overSingle": _gain(mine.default, baselines[single], labels),
        "overFusion": _gain(mine.default, baselines["L1, early fusion"], labels),
        "null": {name: _auc(scores, sides["test"].labels.astype(float)).tolist() for name, scores in _named(null).items()},
        "calibration": _calibration(mine.default, labels, data.population, random),
    }


def interactions(kind: risk_cohort.Kind, seed: int, work: Path) -> dict[str, Any]:
    """What is measured where features interact."""
    data = risk_models.data_of(risk_cohort.simulate(seed, INTERACTIONS + FRESH, kind), INTERACTIONS, seed)
    mine = risk_models.ours(data, work, seed, RiskNetworkConfig(), 128, 12)
    whole = np.concatenate([data.variants, data.expression, data.covariates])
    fused = risk_models.linear(data, whole, 1.0, L1)
    baselines = {
        "ridge": risk_models.linear(data, whole, 0.01, risk_models.RIDGE)[1],
        "L1, early fusion": fused[1],
        "cross-trait stacking": risk_models.stacked(data, *fused),
        "gradient boosting": risk_models.boosted(data, seed),
    }
    # The oracle is the best regression with the true pairs beside the features.
    oracle = risk_models.stacked(data, *risk_models.linear(data, whole, 1.0, L1, data.terms))
    labels = data.test.labels.astype(float)
    best = _best(baselines, labels)
    ceiling, floor = _auc(oracle, labels).mean(), _auc(best, labels).mean()
    return {
        "auc": {name: _auc(scores, labels).tolist() for name, scores in (baselines | _named(mine) | {"oracle": oracle}).items()},
        "networkShare": mine.share,
        "pairs": len(mine.fitted.pairs),
        "gain": _gain(mine.default, best, labels),
        "closed": float((_auc(mine.default, labels).mean() - floor) / (ceiling - floor)),
        "calibration": _calibration(mine.default, labels, data.population, np.random.default_rng(seed)),
    }


def on_spark(seed: int, work: Path) -> dict[str, Any]:
    """The additive cohort through all stages on Spark; its AUCs are to be those of ``additive``."""
    cohort = risk_cohort.simulate(seed, ADDITIVE + FRESH, "additive")
    data = risk_models.data_of(cohort, ADDITIVE, seed)
    first = np.concatenate([data.training.measurements, data.validation.measurements])
    is_validation = np.arange(ADDITIVE) % 5 == 0
    order = np.argsort(np.concatenate([np.flatnonzero(~is_validation), np.flatnonzero(is_validation)]))
    measured = np.concatenate([first[order], data.test.measurements])[:, -len(data.spec.covariates) :]
    covariates = pd.DataFrame(measured, columns=[covariate.name for covariate in data.spec.covariates])
    scores, wgr, notes = risk_spark.scored(cohort, covariates, ADDITIVE, work)
    labels = cohort.labels[ADDITIVE:]
    # Each disease's score beside the covariates, weighed on validation people as the others are.
    known = covariates.to_numpy()
    sides = (np.flatnonzero(is_validation), np.arange(ADDITIVE, len(wgr)))
    wgr = np.stack(
        [
            risk_models.stacked(data, *(np.column_stack([wgr[side, d], known[side]]) for side in sides))[:, d]
            for d in range(labels.shape[1])
        ],
        axis=1,
    )
    return notes | {"auc": {"shipped default": _auc(scores, labels).tolist(), "Glow WGR": _auc(wgr, labels).tolist()}, "gain": None}


def _named(mine: Ours) -> dict[str, Floats]:
    return {"our regressions": mine.linear, "our network": mine.network, "our default": mine.default}


def _auc(scores: Floats, labels: Floats) -> Floats:
    once = np.ones((1, len(labels)))
    return np.array([measures(DISEASE)["AUC"](scores[:, [d]], labels[:, d], once)[0] for d in range(labels.shape[1])])


def _best(baselines: dict[str, Floats], labels: Floats) -> Floats:
    """The baseline of the largest mean AUC on these very people."""
    return baselines[max(baselines, key=lambda name: _auc(baselines[name], labels).mean())]


def _gain(one: Floats, other: Floats, labels: Floats) -> list[float]:
    """Difference of mean AUC and its 95% interval, on the same resampled people (everyone is a family of one)."""
    times = draws(np.arange(len(labels)).astype(str), np.ones(len(labels)), RESAMPLES)
    auc = measures(DISEASE)["AUC"]
    each = [auc(one[:, [d]], labels[:, d], times) - auc(other[:, [d]], labels[:, d], times) for d in range(labels.shape[1])]
    return list(interval(np.mean(each, axis=0)))


def _calibration(p: Floats, labels: Floats, population: NDArray[np.int64], random: np.random.Generator) -> dict[str, Any]:
    """ECE over all diseases together; ECE of each disease and ancestry beside its 95th percentile were risks perfect; slopes."""
    ece, slope = measures(DISEASE)["ECE"], measures(DISEASE)["calibration slope"]
    groups, slopes = [], []
    for disease in range(labels.shape[1]):
        for which in np.unique(population):
            mine = population == which
            risk = p[mine][:, [disease]]
            perfect = [ece(risk, (random.random(len(risk)) < risk[:, 0]) * 1.0, np.ones((1, len(risk))))[0] for _ in range(RESAMPLES)]
            found = ece(risk, labels[mine, disease], np.ones((1, len(risk))))[0]
            groups.append([float(found), float(np.quantile(perfect, 0.95))])
        times = draws(np.arange(len(labels)).astype(str), np.ones(len(labels)), RESAMPLES)
        slopes.append(list(interval(slope(p[:, [disease]], labels[:, disease], times))))
    pooled = ece(p.reshape(-1, 1), labels.ravel(), np.ones((1, labels.size)))[0]
    return {"pooled": float(pooled), "groups": groups, "slopes": slopes}


def _mean(values: list[float], digits: int = 4) -> tuple[float, float, float, str]:
    """Mean over seeds, its 95% interval (t), and both as text."""
    mean, n = float(np.mean(values)), len(values)
    if n == 1:
        return mean, float("nan"), float("nan"), f"{mean:.{digits}f}"
    reach = float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return mean, mean - reach, mean + reach, f"{mean:.{digits}f} ({mean - reach:.{digits}f} to {mean + reach:.{digits}f})"


def rows_of(found: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """All figures of what was measured so far."""
    rows = []

    def add(figure: str, text: object, unit: str, goal: str = "", holds: bool | None = None, peers: str | None = None) -> None:
        rows.append(row(figure, text, unit, goal, holds, COMMAND, peers))

    def aucs(kind: str, setting: str) -> None:
        for name in found[kind][0]["auc"]:
            each = np.array([entry["auc"][name] for entry in found[kind]])
            by_disease = ", ".join(f"{d} {value:.3f}" for d, value in zip(risk_cohort.DISEASES, each.mean(axis=0), strict=True))
            add(f"{setting}: mean AUC of {name}", _mean(list(each.mean(axis=1)))[3], "AUC (95% over seeds)", peers=by_disease)

    if entries := found.get("additive"):
        setting = f"additive, {ADDITIVE} people, {len(entries)} seeds"
        aucs("additive", setting)
        gain = _mean([entry["gain"][0] for entry in entries])
        add(f"1. {setting}: default minus best baseline", gain[3], "AUC (95% over seeds)", ">= -0.005", gain[0] >= -0.005)
        for key, name in (("rarest", "default"), ("rarestNetwork", "network")):
            value = _mean([entry[key][0] for entry in entries])
            goal, holds = (">= 0.01", value[0] >= 0.01) if key == "rarestNetwork" else ("", None)
            add(f"3. {setting}: rarest disease, {name} of all diseases minus of it alone", value[3], "AUC (95% over seeds)", goal, holds)
        value = _mean([entry["overSingle"][0] for entry in entries])
        add(f"4. {setting}: default minus best single modality", value[3], "AUC (95% over seeds)", ">= 0.02", value[0] >= 0.02)
        value = _mean([entry["overFusion"][0] for entry in entries])
        add(f"4. {setting}: default minus early-fusion L1", value[3], "AUC (95% over seeds)", ">= 0", value[0] >= 0)
        for name in entries[0]["null"]:
            value = _mean([float(np.mean(entry["null"][name])) for entry in entries])
            holds = None if len(entries) == 1 else value[1] <= 0.5 <= value[2]
            add(f"6. {setting}: permuted labels, mean AUC of {name}", value[3], "AUC (95% over seeds)", "0.5 inside", holds)
    for kind, name in (("pairs", "pairs of variants"), ("state", "state x genotype")):
        if entries := found.get(kind):
            setting = f"{name}, {INTERACTIONS} people, {len(entries)} seeds"
            aucs(kind, setting)
            closed = _mean([entry["closed"] for entry in entries], 3)
            figure = f"2. {setting}: share of the gap from best baseline to oracle that the default closes"
            add(figure, closed[3], "share (95% over seeds)", ">= 0.25", closed[0] >= 0.25)
            gain = _mean([entry["gain"][0] for entry in entries])
            low = min(entry["gain"][1] for entry in entries)
            peers = f"lowest end of a seed's paired interval over people {low:.4f}"
            add(f"2. {setting}: default minus best baseline", gain[3], "AUC (95% over seeds)", "> 0", low > 0, peers)
    if entries := found.get("spark"):
        value = float(np.mean(entries[0]["auc"]["shipped default"]))
        peers = None
        if "additive" in found:
            peers = f"by the same functions in one process {np.mean(found['additive'][0]['auc']['our default']):.4f}"
        add("all stages on Spark, additive, seed 1: mean AUC of the shipped default", round(value, 4), "AUC", peers=peers)
        value = float(np.mean(entries[0]["auc"]["Glow WGR"]))
        add("the same people: mean AUC of Glow's whole-genome regression and covariates", round(value, 4), "AUC")
    spent = sum(entry["coreSeconds"] for entries in found.values() for entry in entries) / 60
    add(f"work of {sum(map(len, found.values()))} parts", round(spent, 1), "min of a core", "<= 80, of two cores 40 min", spent <= 80)
    for kind, entries in found.items():
        if kind == "spark":
            continue
        parts = [entry["calibration"] for entry in entries]
        pooled = _mean([part["pooled"] for part in parts])
        add(f"5. {kind}: pooled ECE of the default", pooled[3], "ECE (95% over seeds)", "<= 0.02", pooled[0] <= 0.02)
        groups = np.array([part["groups"] for part in parts])
        over = int((groups[:, :, 0] > groups[:, :, 1]).sum())
        text = f"{over} of {groups[:, :, 0].size}"
        peers = f"1 in 20 were expected of perfect risks; largest excess {max(0.0, float((groups[:, :, 0] - groups[:, :, 1]).max())):.4f}"
        add(f"5. {kind}: ECE of disease and ancestry above the 95th percentile of perfect risks", text, "groups", "0", over == 0, peers)
        slopes = np.array([part["slopes"] for part in parts])
        holds = (slopes[:, :, 1] <= 1) & (slopes[:, :, 2] >= 1)
        for place, disease in enumerate(risk_cohort.DISEASES):
            value = _mean(list(slopes[:, place, 0]), 3)
            peers = f"{int(holds[:, place].sum())} of {len(slopes)} seeds' own intervals contain 1"
            # Of a single seed, by its own interval over people.
            inside = bool(holds[0, place]) if len(slopes) == 1 else value[1] <= 1 <= value[2]
            add(f"5. {kind}: calibration slope, {disease}", value[3], "slope (95% over seeds)", "1 inside", inside, peers)
    return rows


def _measured(kind: str, seed: int) -> dict[str, Any]:
    """One part, in a process of its own."""
    start, work = time.monotonic(), cpu_s()
    with tempfile.TemporaryDirectory() as scratch:
        values = PARTS[kind](seed, Path(scratch))
    return values | {"seconds": round(time.monotonic() - start, 1), "coreSeconds": round(cpu_s() - work, 1)}


PARTS: dict[str, Callable[[int, Path], dict[str, Any]]] = {
    "additive": additive,
    "pairs": partial(interactions, "pairs"),
    "state": partial(interactions, "state"),
    "spark": on_spark,
}


def main() -> None:
    """Measures and writes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--only", choices=list(PARTS), action="append", help="measure these parts")
    options.add_argument("--minutes", type=float, default=40, help="no further part is begun after that")
    options.add_argument("--again", action="store_true", help="measure again what an earlier run has left")
    options.add_argument("--processes", type=int, default=2, help="parts that are measured side by side")
    chosen = options.parse_args()
    configure_logging()
    KEPT.mkdir(parents=True, exist_ok=True)
    wanted = [(kind, seed) for seed in range(1, chosen.seeds + 1) for kind in chosen.only or PARTS if kind != "spark" or seed == 1]
    waiting = [(kind, seed) for kind, seed in wanted if chosen.again or not (KEPT / f"{kind}-{seed}.json").exists()]
    begun = time.monotonic()
    with ProcessPoolExecutor(chosen.processes, get_context("spawn")) as pool:
        going: dict[Future[dict[str, Any]], tuple[str, int]] = {}
        while waiting or going:
            while waiting and len(going) < chosen.processes and time.monotonic() - begun < 60 * chosen.minutes:
                part = waiting.pop(0)
                going[pool.submit(_measured, *part)] = part
            if not going:
                print(f"the time is up, left out: {waiting}")
                break
            done, _ = wait(going, return_when=FIRST_COMPLETED)
            for future in done:
                kind, seed = going.pop(future)
                values = future.result()
                (KEPT / f"{kind}-{seed}.json").write_text(json.dumps(values, indent=1) + "\n")
                print(f"{kind}, seed {seed}: {values['seconds']} s, gain {values['gain']}, closed {values.get('closed')}", flush=True)
                write("risk", rows_of(_kept(chosen.seeds)))
    rows = rows_of(_kept(chosen.seeds))
    write("risk", rows)
    for entry in rows:
        print(entry["figure"], entry["value"], entry["goal"], entry["holds"], entry["peers"] or "", sep=" | ")


def _kept(seeds: int) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for kind in PARTS:
        files = [KEPT / f"{kind}-{seed}.json" for seed in range(1, seeds + 1)]
        entries = [json.loads(path.read_text()) for path in files if path.exists()]
        if entries:
            found[kind] = entries
    return found


if __name__ == "__main__":
    main()
