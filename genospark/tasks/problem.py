"""What a task tells the training about itself. Training knows nothing else of any task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensors = dict[str, Any]
"""TensorFlow tensors by the name of their column, each of shape [examples, ...]."""


@dataclass(frozen=True)
class Field:
    """A binary column of an example: one array of a fixed type and shape.

    Attributes:
        name: Name of the column.
        dtype: NumPy's name of the type; little-endian in the column.
        shape: Shape of one example's array.
        missing: The value that stands for not known.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    missing: float = 0

    @property
    def n_bytes(self) -> int:
        """Bytes of one example's array."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    def read(self, rows: list[bytes]) -> NDArray[Any]:
        """The arrays of some rows, [rows, *shape]."""
        return np.frombuffer(b"".join(rows), np.dtype(self.dtype).newbyteorder("<")).reshape(len(rows), *self.shape)


class Problem(ABC):
    """What ranks are told: the columns of an example, the network as it starts, and the loss. It travels to the ranks by pickle."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[Field, ...]:
        """What the network is fed."""

    @property
    @abstractmethod
    def labels(self) -> tuple[Field, ...]:
        """What it is to say."""

    @abstractmethod
    def network(self) -> Any:
        """The Keras network before the first step, from a dictionary of the inputs to its outputs."""

    @abstractmethod
    def known(self, labels: Tensors) -> Any:
        """How much each head can learn from a batch: its number (or weight) of known labels, float32 [heads]."""

    @abstractmethod
    def loss_sums(self, outputs: Any, labels: Tensors) -> Any:
        """Each head's loss, summed over what ``known`` counts, float32 [heads]."""
