"""What set-up says where something is missing: one clear line and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

TOOLS = ("sh", "dirname", "mkdir", "cut", "grep", "nproc", "echo")


def _setup(tmp_path: Path, *programs: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs set-up in an empty copy, with nothing on PATH but the named programs."""
    path = tmp_path / "bin"
    path.mkdir()
    for name in (*TOOLS, *programs):
        found = sys.base_prefix + "/bin/python3.11" if name == "python3.11" else shutil.which(name)
        assert found is not None
        (path / name).symlink_to(found)
    (tmp_path / "deploy").mkdir()
    script = shutil.copy(ROOT / "deploy" / "setup.sh", tmp_path / "deploy")
    environment = {"PATH": str(path), "HOME": str(tmp_path)} | settings
    return subprocess.run([shutil.which("sh") or "sh", script], env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("programs", "says"),
    [
        (("g++", "make"), "no Python 3.11 on PATH"),
        (("python3.11", "make"), "no g++ on PATH"),
        (("python3.11", "g++"), "no make on PATH"),
    ],
)
def test_what_is_missing_is_said_in_one_line(tmp_path: Path, programs: tuple[str, ...], says: str) -> None:
    ran = _setup(tmp_path, *programs)
    assert ran.returncode == 7
    assert ran.stderr.splitlines()[0].startswith(f"error: {says}")
    assert "apt-get install" in ran.stderr.splitlines()[1]
    assert len(ran.stderr.splitlines()) == 2


def test_a_missing_network_is_said_in_one_line(tmp_path: Path) -> None:
    ran = _setup(
        tmp_path, "python3.11", "g++", "make", PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0", PIP_CONFIG_FILE=os.devnull
    )
    assert ran.returncode == 7
    assert ran.stderr.splitlines()[0].startswith("error: uv could not be installed")
    assert "check the network" in ran.stderr
