"""Trainings of a single rank, each a Spark task, so that several run at once: folds and trials. Final fits are ``launch``'s."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict

import horovod.tensorflow as hvd
from pyspark.sql import SparkSession

from genospark.core import environment
from genospark.core.paths import place, write_whole
from genospark.training.worker import RankJob, RankResult, fitted


def train_alone(job: RankJob, report: Callable[[int, float], None] = lambda epoch, loss: None) -> RankResult:
    """Trains in this process, which may have trained before: Horovod's one rank is left running."""
    environment.check_keras()
    # As ranks, tasks are processes of one thread each, or they take each other's cores.
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    hvd.init()
    return fitted(job, report)


def train_each(spark: SparkSession, jobs: Sequence[RankJob]) -> list[RankResult]:
    """What becomes of each training, in the order of `jobs`; of those that were through when Spark was killed it is known already."""
    return spark.sparkContext.parallelize(jobs, max(1, len(jobs))).map(_trained).collect()


def _trained(job: RankJob) -> RankResult:
    told = place(f"{job.checkpoint}.json")
    if not (told.exists() and place(job.checkpoint).exists()):
        write_whole(told, json.dumps(asdict(train_alone(job))).encode())
    return RankResult(**json.loads(told.read_text()))
