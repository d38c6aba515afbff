"""Starts the ranks of a training as Spark tasks. The only file that imports horovod.spark."""

from __future__ import annotations

import logging
import warnings

from pyspark.sql import SparkSession

from genospark.core import environment
from genospark.errors import TrainingError
from genospark.training.worker import RankJob, RankResult, train_rank

START_TIMEOUT_S = 300


def launch(spark: SparkSession, job: RankJob, ranks: int) -> RankResult:
    """Trains with `ranks` Horovod processes and checks that they end with the same weights.

    Args:
        spark: Session with at least `ranks` free task slots.
        job: What each rank is told.
        ranks: Number of processes.

    Returns:
        The result of rank 0.

    Raises:
        SetupError: Keras 3 is installed.
        TrainingError: There are too few slots, a rank failed, or ranks ended with different weights.
    """
    environment.check_keras()
    slots = spark.sparkContext.defaultParallelism
    if slots < ranks:
        raise TrainingError(f"{ranks} ranks need as many task slots and Spark has {slots}", "start more executors, or set ranks lower")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import horovod.spark
    logging.getLogger("horovod").setLevel(logging.WARNING)
    # Ranks are processes of their own: one thread each, or they take each other's cores.
    # They have their executor's environment; of the driver's, which may be another machine, they take nothing but these.
    settings = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "HOROVOD_LOG_LEVEL": "error", "PYTHONWARNINGS": "ignore"}
    try:
        results: list[RankResult] = horovod.spark.run(
            train_rank,
            args=(job,),
            num_proc=ranks,
            start_timeout=START_TIMEOUT_S,
            use_gloo=True,
            env=settings,
            verbose=0,
            # The workers' Python, not the driver's: on a cluster it is the one of the packed environment.
            executable=spark.sparkContext.pythonExec,
        )
    except Exception as error:
        raise TrainingError(f"a rank failed: {error}", "the failed rank's own message stands above; mend it and run again") from error
    return same_weights(results)


def same_weights(results: list[RankResult]) -> RankResult:
    """The result of rank 0, once all ranks are seen to agree.

    Raises:
        TrainingError: They do not: gradients were not averaged.
    """
    if len({result.digest for result in results}) != 1:
        digests = ", ".join(f"rank {result.rank} {result.digest[:8]}" for result in results)
        raise TrainingError(
            f"ranks ended with different weights ({digests})", "check that Keras 2 and one version of genospark run on all nodes"
        )
    return min(results, key=lambda result: result.rank)
