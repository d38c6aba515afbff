"""Two writers: the second is refused, and what was killed does not stand in the way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from genospark.core.locks import writing
from genospark.errors import BusyError

HOLD = """
import sys, time
from genospark.core.locks import writing
with writing(sys.argv[1], "train risk"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_of_a_stage_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(BusyError, match=rf"`train risk` runs on .*, process {holder.pid}, since 2"),
            writing(str(tmp_path), "train risk"),
        ):
            pass
        with writing(str(tmp_path), "train variants"):
            pass
        with pytest.raises(BusyError, match="`withdraw` cannot write now"), writing(str(tmp_path), "withdraw", alone=True):
            pass
    finally:
        holder.kill()
        holder.wait()
    with writing(str(tmp_path), "withdraw", alone=True), pytest.raises(BusyError), writing(str(tmp_path), "train risk"):
        pass
    with writing(str(tmp_path), "train risk"):
        pass
