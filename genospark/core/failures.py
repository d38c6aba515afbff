"""What made a Spark job fail: errors of ours from its Python workers, and refusals of the machine or of object stores."""

from __future__ import annotations

import re

from genospark import errors
from genospark.core.stores import NEXT_STEP

_RAISED = re.compile(r"^genospark\.errors\.(\w+): (.*?)\n  next step: (.*?)$", re.MULTILINE | re.DOTALL)

_REFUSALS = (
    "No space left on device",
    "File too large",
    "Disk quota exceeded",
    "Permission denied",
    "Read-only file system",
    "Not a directory",
    "Mkdirs failed",
)
_STORE = re.compile(
    r".*(Access Denied|AccessDenied|Forbidden|InvalidAccessKeyId|SignatureDoesNotMatch|Unable to locate credentials|No AWS Credentials"
    r"|Unable to load (AWS )?credentials|NoSuchBucket|[Bb]ucket.* does not exist|Could not connect to the endpoint|SlowDown"
    r"|Service Unavailable|UnknownHostException|lacked the necessary privileges).*"
)
_MACHINE = re.compile(rf".*({'|'.join(_REFUSALS)}).*")


def user_error(error: Exception) -> errors.GenosparkError | None:
    """The error of ours that made a Spark job fail, or None where it failed for another reason.

    Spark hands over a worker's traceback as text, which ends with the class and the message.
    """
    if isinstance(error, errors.GenosparkError):
        return error
    found = _RAISED.search(str(error))
    if found is None:
        if machine := _MACHINE.search(str(error)):
            return errors.SetupError(f"the machine refused: {machine.group()[:200]}", "free disk, or check the permissions")
        if store := _STORE.search(str(error)):
            said = store.group().strip(" :")[:300]
            return errors.SetupError(f"an object store refused: {said}", NEXT_STEP)
        return None
    name, problem, next_step = found.groups()
    kind = getattr(errors, name, errors.GenosparkError)
    made: errors.GenosparkError = kind(problem, next_step)
    return made
