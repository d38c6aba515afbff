"""Which channels of the variant caller's windows pay: trainings without a group each, told by their validation loss.

Before the network, and the Bayesian caller in it, see a window, a group's channels say what they would if nothing were known. By default
the examples are those of ``make shipped-variants``. With ``--shipped`` nothing is trained: the shipped network, which has learnt to use all
channels, is shown windows without them, which takes minutes.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import pandas as pd
from results_io import row, write
from shipped_variants import ShippedConfig

from genospark.core.config import load
from genospark.core.ledger import Ledger, live_files
from genospark.core.pileup import BASES, INDEX, MODEL_CHANNELS
from genospark.core.progress import configure_logging, log
from genospark.errors import TableError
from genospark.models.bundle import load as load_bundle
from genospark.models.likelihoods import HEADS
from genospark.tasks.bundles import shipped
from genospark.tasks.variants import TASK, VariantModel, VariantProblem
from genospark.training.alone import train_alone
from genospark.training.feed import Feed
from genospark.training.variants import TrainVariantsConfig
from genospark.training.worker import RankJob, measured

Pileup = Any
"""uint8 tensor [windows, 1000, channels]."""
_ERRORS = {"slip_error": 20, "indel_error": 40, "base_error": 25, "strand_error": 40}
_USUAL = {"quality": 30, "mapping_quality": 60, "alternate_mapping_quality": 60} | _ERRORS
_BY_STRAND = [f"{{}}_{base}" for base in BASES] + ["deletion_{}", "indel1_{}", "indel2_{}", "spanning_{}"]


def nothing(*names: str) -> Callable[[Pileup], Pileup]:
    """Makes channels 0."""
    import numpy as np

    kept = np.array([name not in names for name in MODEL_CHANNELS], np.uint8)
    return lambda pileup: pileup * kept


def usual(*names: str) -> Callable[[Pileup], Pileup]:
    """Makes channels that say anything say what they usually do."""
    import numpy as np
    import tensorflow as tf

    known = {name: _USUAL.get(name, _USUAL.get(name.partition("_")[0], 0)) for name in names}
    values = np.array([known.get(name, 0) for name in MODEL_CHANNELS], np.uint8)
    return lambda pileup: tf.where((pileup > 0) & (values > 0), values, pileup)


def even(pileup: Pileup) -> Pileup:
    """Both strands show half of what they show together, as far as numbers of reads have halves."""
    import tensorflow as tf

    columns = list(range(len(MODEL_CHANNELS)))
    forward = [INDEX[name.format("forward")] for name in _BY_STRAND]
    reverse = [INDEX[name.format("reverse")] for name in _BY_STRAND]
    wide = tf.cast(pileup, tf.int32)
    both = tf.gather(wide, forward, axis=-1) + tf.gather(wide, reverse, axis=-1)
    parts = tf.concat([wide, both - both // 2, both // 2], axis=-1)
    for place, column in enumerate([*forward, *reverse]):
        columns[column] = len(MODEL_CHANNELS) + place
    return tf.cast(tf.gather(parts, columns, axis=-1), tf.uint8)


def one_indel(pileup: Pileup) -> Pileup:
    """There is no second indel, and no genotype of two."""
    import numpy as np
    import tensorflow as tf

    never = np.array([255 * (name == "indel_likelihood_12") for name in MODEL_CHANNELS], np.uint8)
    return tf.maximum(nothing(*(name for name in MODEL_CHANNELS if name.startswith("indel2_")))(pileup), never)


def groups() -> dict[str, Callable[[Pileup], Pileup]]:
    """What is taken out, by name."""
    return {
        "nothing": lambda pileup: pileup,
        "base qualities": usual(*(f"quality_{base}" for base in BASES)),
        "strands": even,
        "mapping qualities": usual("mapping_quality", "alternate_mapping_quality"),
        "reads of low mapping quality": nothing("low_mapping_quality"),
        "ends and other differences of alternate reads": nothing("alternate_end_distance", "alternate_mismatches"),
        "soft clips": nothing("soft_clips"),
        "gaps as aligned": nothing("deletion_forward", "deletion_reverse", "indels"),
        "second indel": one_indel,
        "likelihoods of indels": nothing(*(name for name in MODEL_CHANNELS if name.startswith("indel_likelihood"))),
        "how the sample's reads err": usual(*_ERRORS),
        "repeats of the reference": nothing("homopolymer", "repeat_unit", "repeat_length"),
    }


@dataclass(frozen=True)
class Without(VariantProblem):
    """A problem whose network sees windows without a group."""

    group: str = "nothing"

    def network(self) -> Any:
        import tensorflow as tf

        inner, change = super().network(), groups()[self.group]
        shape, dtype = inner.inputs[0].shape[1:], inner.inputs[0].dtype
        pileup = tf.keras.Input(shape, dtype=dtype, name="pileup")
        return tf.keras.Model({"pileup": pileup}, inner({"pileup": tf.keras.layers.Lambda(change)(pileup)}))


def examples(warehouse: Path, split: str, files: int | None) -> list[str]:
    """Parquet files of a split's examples, at most so many.

    Raises:
        TableError: There are none.
    """
    book = Ledger(str(warehouse.resolve()))
    committed = book.committed().get("variantExamples")
    found = [] if committed is None else live_files(book.location("variantExamples"), committed["version"], split=split)
    if not found:
        raise TableError(f"{warehouse}: no {split} examples", "make shipped-variants, or name another warehouse with --warehouse")
    return [f"file://{path}" for path in found[:files]]


def main() -> None:
    """Trains, and prints after each training what there is."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--warehouse", type=Path, default=Path("build/shipped-variants/warehouse"))
    options.add_argument("--epochs", type=int, default=4)
    options.add_argument("--files", type=int, help="of each split's examples, for a shorter training; all where not given")
    options.add_argument("--only", action="append", help="a group's name; repeatable; all where not given")
    options.add_argument("--shipped", action="store_true", help="measure the shipped network, without training")
    options.add_argument("--seeds", type=int, default=1, help="trainings of each; their spread says what differences mean")
    chosen = options.parse_args()
    configure_logging()
    warnings.simplefilter("ignore", FutureWarning)  # Petastorm's, one for each file
    stage = load(ShippedConfig, Path("conf/shipped-variants.yaml"), [], {}).stages["train variants"]
    config = TrainVariantsConfig.model_validate({"warehouse": "none", **stage})
    sides = [examples(chosen.warehouse, "train", chosen.files), examples(chosen.warehouse, "validation", chosen.files)]
    if chosen.shipped:
        report(of_shipped(sides[1], chosen.only or list(groups()), config.variant_density), chosen.files)
        return
    rows: list[dict[str, Any]] = []
    for seed in range(1, chosen.seeds + 1):
        for group in chosen.only or groups():
            log.info("without %s, seed %d", group, seed)
            problem = Without(_likelihood(), config.network.model_dump(), config.variant_density, group)
            job = RankJob(problem, *sides, "", config.batch_size, chosen.epochs, chosen.epochs, config.learning_rate, seed)
            losses = train_alone(job).losses
            rows.append({"without": group, "seed": seed, "at the start": losses[0], "best": min(losses)})
            found = pd.DataFrame(rows)
            whole = found[found["without"] == "nothing"].set_index("seed")["best"]
            found["times the whole's"] = found["best"] / found["seed"].map(whole)
            print(found.to_string(), flush=True)


def of_shipped(files: list[str], names: list[str], density: tuple[float, float]) -> pd.DataFrame:
    """Cross-entropy of the shipped network, mean over validation positions with a known genotype, without each group."""
    model = VariantModel.of(load_bundle(shipped(TASK), TASK))
    rows = []
    for name in names:
        problem = Without(model.likelihood, model.shape, density, name)
        network = problem.network()
        network.set_weights(model.weights)
        loss, sums, known = measured(problem, network), 0.0, 0.0
        with closing(Feed(files, problem, 16, 0, 1)) as feed:
            for (inputs, labels), _ in takewhile(lambda batch: batch[1], feed.epoch()):
                sums += loss(inputs, labels).numpy()
                known += problem.known(labels).numpy()
        rows.append({"without": name, **dict(zip(HEADS, sums / known, strict=True))})
        print(pd.DataFrame(rows).to_string(), flush=True)
    return pd.DataFrame(rows)


def report(found: pd.DataFrame, files: int | None) -> None:
    """Writes what ``of_shipped`` found in so many files into results."""
    command = "benchmarks/ablation.py --shipped" + ("" if files is None else f" --files {files}")
    whole = found[found["without"] == "nothing"]
    rows = []
    for head in HEADS:
        for name, loss in zip(found["without"], found[head], strict=True):
            times = f"{loss / whole[head].iloc[0]:.3f} times the whole's" if len(whole) else None
            figure = f"shipped caller, {head}: validation loss without {name}"
            rows.append(row(figure, f"{loss:.5f}", "nats a site", "", None, command, times))
    write("ablation", rows)


def _likelihood() -> dict[str, Any]:
    from genospark.models.likelihoods import LikelihoodConfig

    # As tuned on these examples.
    return LikelihoodConfig(base_error=1e-3, strand_errors=30, indel_weight=0.7, indel_rate=1e-3).model_dump()


if __name__ == "__main__":
    main()
