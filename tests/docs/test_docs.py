"""What the documents claim."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from support import ROOT, Cohort

from genospark.cli import parser
from genospark.schema.document import document


def test_table_docs_are_those_of_the_dictionary() -> None:
    assert (ROOT / "docs" / "tables.md").read_text() == document()


def _commands(page: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_readme_begins_with_the_two_commands_that_ci_runs() -> None:
    assert _commands("README.md")[:2] == ["make demo", "make test"]
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_readme_commands_run(cohort: Cohort, tmp_path: Path) -> None:
    """The README's commands as they stand, with the small cohort in the place of the demo's."""
    commands = [command for command in _commands("README.md") if not command.startswith("make ")]
    assert len(commands) == 4
    shown = []
    for command in commands:
        command = command.replace("$(cat docs/person.sql)", (ROOT / "docs" / "person.sql").read_text())
        words = shlex.split(command.replace("demo/input", str(cohort.files)).replace("--warehouse demo", f"--warehouse {cohort.path}"))
        words = [str(tmp_path / "W") if word == "W" else word for word in words]
        ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
        assert ran.returncode == 0, ran.stderr[-2000:]
        shown.append(ran.stdout)
    assert shown[2] == shown[3]
    assert len(set(shown[3].split()) & {"common", "rarer"}) > 0


def test_readme_shows_the_query_that_its_commands_run() -> None:
    (shown,) = re.findall(r"```sql\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown == (ROOT / "docs" / "person.sql").read_text()


def test_usage_commands_are_the_command_lines() -> None:
    for command in _commands("docs/usage.md"):
        program, *words = shlex.split(command)
        if program == "genospark":
            parser().parse_args(words)


def test_usage_examples_run(cohort: Cohort, tmp_path: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "usage.md").read_text(), re.DOTALL)
    assert len(examples) == 3
    named = {"W": tmp_path / "W", "cohort-fields": tmp_path / "fields", "cohort.vcf.gz": cohort.files / "genotypes.vcf.gz"}
    # One page: an example may use what an earlier one has imported.
    known: dict[str, object] = {}
    for code in examples:
        for name, path in named.items():
            code = code.replace(f'"{name}"', repr(str(path)))
        exec(compile(code, "usage.md", "exec"), known)


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
