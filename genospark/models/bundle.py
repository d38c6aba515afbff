"""A trained model on disk: JSON and NumPy arrays, nothing that runs code when it is read. The same for every task."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genospark.core.paths import write_whole
from genospark.errors import InputError

FORMAT = 2


@dataclass(frozen=True)
class Bundle:
    """Everything that scoring needs.

    Attributes:
        task: Name of the task, which knows what `definition` and `arrays` mean.
        definition: All settings and features that decide a prediction, as JSON.
        weights: The network's arrays, in Keras' order.
        arrays: Other arrays by name, such as the baseline's coefficients.
        metrics: What was measured in training.
        lineage: Runs and tables it was made from, code version, configuration.
    """

    task: str
    definition: dict[str, Any]
    weights: Sequence[NDArray[Any]]
    arrays: dict[str, NDArray[Any]]
    metrics: list[dict[str, Any]] = field(default_factory=list)
    lineage: dict[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Task, and a hash of all that decides a prediction."""
        digest = hashlib.sha256(json.dumps(self._deciding(), sort_keys=True).encode())
        for array in (*self.weights, *(self.arrays[name] for name in sorted(self.arrays))):
            digest.update(np.ascontiguousarray(array).tobytes())
        return f"{self.task}-{digest.hexdigest()[:12]}"

    def _deciding(self) -> dict[str, Any]:
        return {"format": FORMAT, "task": self.task, "definition": self.definition}

    def save(self, folder: Path) -> Path:
        """Writes the bundle as ``<folder>/<version>`` and returns that path."""
        path = folder / self.version
        weights = {f"weight{index:03d}": array for index, array in enumerate(self.weights)}
        buffer = io.BytesIO()
        np.savez(buffer, **weights, **self.arrays)
        described = self._deciding() | {"metrics": self.metrics, "lineage": self.lineage}
        for name, content in (("arrays.npz", buffer.getvalue()), ("model.json", json.dumps(described, indent=1).encode())):
            write_whole(path / name, content)
        return path


def load(path: Path, task: str) -> Bundle:
    """Reads a bundle.

    Raises:
        InputError: It is not there, is damaged, was made by another format or for another task.
    """
    try:
        described = json.loads((path / "model.json").read_text())
        if described["format"] != FORMAT:
            raise InputError(f"{path}: bundle of format {described['format']}, this version reads {FORMAT}", "train again")
        if described["task"] != task:
            raise InputError(f"{path}: a bundle for {described['task']}, not for {task}", "name another with --set bundle=PATH")
        with (path / "arrays.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        weights = [arrays.pop(name) for name in sorted(arrays) if name.startswith("weight")]
        bundle = Bundle(task, described["definition"], weights, arrays, described["metrics"], described["lineage"])
    except FileNotFoundError as error:
        there = ", ".join(sorted(entry.name for entry in path.parent.glob(f"{task}-*"))) or "none"
        next_step = f"bundles in {path.parent}: {there}; name one with --set bundle=PATH, or make one with `train {task}`"
        raise InputError(f"{path}: no bundle there ({Path(error.filename or error.args[0]).name} is missing)", next_step) from None
    except (ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: damaged bundle ({error})", "train again, or copy it again") from None
    if bundle.version != path.name:
        raise InputError(f"{path}: its content is that of {bundle.version}", "copy it again under its own name")
    return bundle
