"""From a model's output to a calibrated probability, and to a percentile among people of like ancestry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from genospark.models.targets import Target, response, sigmoid

Floats = NDArray[np.float64]
Method = Literal["platt", "beta", "isotonic", "temperature", "line"]


@dataclass(frozen=True)
class Calibration:
    """How a target's outputs become its response.

    Attributes:
        method: ``platt``: slope and intercept of the logit (Platt 1999); ``beta``: weights of log p and -log(1 - p), and intercept (Kull
            et al. 2017); ``isotonic``: steps joined by lines, first the knots' logits, then their probabilities; ``temperature``: one
            slope, then an intercept a class; ``line``: slope and intercept of a continuous target.
        parameters: As `method` has them.
    """

    method: Method
    parameters: tuple[float, ...]

    @classmethod
    def none(cls, target: Target) -> Calibration:
        """Leaves outputs as they are."""
        if target.kind == "multiclass":
            return cls("temperature", (1.0,) + (0.0,) * len(target.classes))
        return cls("platt" if target.kind == "binary" else "line", (1.0, 0.0))

    def apply(self, target: Target, outputs: Floats) -> Floats:
        """Outputs [people, heads of the target] to probabilities, or standardised values, of the same shape."""
        if self.method == "isotonic":
            knots, values = np.array(self.parameters).reshape(2, -1)
            return np.interp(outputs, knots, values)
        if self.method == "beta":
            of_log, of_rest, intercept = self.parameters
            return sigmoid(intercept - of_log * np.logaddexp(0, -outputs) + of_rest * np.logaddexp(0, outputs))
        slope, *intercepts = self.parameters
        return response(target, slope * outputs + np.array(intercepts))


@dataclass(frozen=True)
class Reference:
    """Outputs of people that no model was fitted on, adjusted for ancestry as Khan et al. 2022 (Nat Med 28:1412) do.

    Attributes:
        means: Expected output by 1 and the ancestry components, [1 + components].
        spreads: Logarithm of its variance, likewise.
        quantiles: Of the standardised rest, ascending, at even shares from 0 to 1.
    """

    means: Floats
    spreads: Floats
    quantiles: Floats

    def percentiles(self, outputs: Floats, ancestry: Floats) -> Floats:
        """Percent of the reference below each output, [people].

        Args:
            outputs: [people].
            ancestry: Standardised components, [people, components].
        """
        design = np.concatenate([np.ones((len(outputs), 1)), ancestry], axis=1)
        rest = (outputs - design @ self.means) / np.exp(0.5 * (design @ self.spreads))
        return np.asarray(np.interp(rest, self.quantiles, np.linspace(0, 100, len(self.quantiles))), np.float64)
