"""What the documents claim."""

from __future__ import annotations

import re
import subprocess

from support import ROOT

from genospark.schema.document import document


def test_table_docs_are_those_of_the_dictionary() -> None:
    assert (ROOT / "docs" / "tables.md").read_text() == document()


def test_readme_commands_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)
    commands = [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]
    assert commands[:2] == ["make demo", "make test"]
    for command in commands:
        if command.startswith("make "):
            assert subprocess.run([*command.split(), "-n"], cwd=ROOT, capture_output=True, check=False).returncode == 0, command


def test_every_dependency_has_a_line_of_why() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = [re.split(r"[=<>]", entry)[0] for entry in project["project"]["dependencies"] + project["dependency-groups"]["dev"]]
    architecture = (ROOT / "ARCHITECTURE.md").read_text()
    missing = [name for name in names if f"`{name}`" not in architecture]
    assert not missing


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "ARCHITECTURE.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (ROOT / target).exists(), f"{page.name}: {target}"
