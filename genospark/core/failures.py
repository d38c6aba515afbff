"""Errors that our code raised inside Spark's Python workers, found again in what Spark makes of them."""

from __future__ import annotations

import re

from genospark import errors

_RAISED = re.compile(r"^genospark\.errors\.(\w+): (.*?)\n  next step: (.*?)$", re.MULTILINE | re.DOTALL)


def user_error(error: Exception) -> errors.GenosparkError | None:
    """The error of ours that made a Spark job fail, or None where it failed for another reason.

    Spark hands over a worker's traceback as text, which ends with the class and the message.
    """
    found = _RAISED.search(str(error))
    if found is None:
        return None
    name, problem, next_step = found.groups()
    kind = getattr(errors, name, errors.GenosparkError)
    made: errors.GenosparkError = kind(problem, next_step)
    return made
