from __future__ import annotations

from pathlib import Path

import pytest

from genospark.core.config import expand, load
from genospark.errors import ConfigError, InputError
from genospark.training.risk import TrainRiskConfig


def test_overrides_reach_nested_keys_and_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text("warehouse: w\nepochs: 3\nnetwork: {dropout: 0.1}\n")
    config = load(TrainRiskConfig, path, ["network.dropout=0.2", "network.hidden=[4, 2]"], {"warehouse": "v"})
    assert (config.warehouse, config.epochs, config.network.dropout, config.network.hidden) == ("v", 3, 0.2, (4, 2))


@pytest.mark.parametrize(
    ("text", "overrides", "says"),
    [
        ("warehouse: w\nepohcs: 3\n", [], "no setting epohcs"),
        ("warehouse: w\nnetwork: {dropuot: 0.1}\n", [], r"no setting network.dropuot(.|\n)*did you mean dropout"),
        ("warehouse: w\nepochs: many\n", [], "epochs"),
        ("warehouse: [w\n", [], "not YAML"),
        ("- warehouse\n", [], "list"),
        ("warehouse: w\n", ["epochs"], "no '='"),
        ("warehouse: w\n", ["epochs=2", "epochs.deep=1"], "epochs"),
        ("epochs: 3\n", [], "warehouse"),
        ("warehouse: w\nranks: 0\n", [], "ranks"),
        ("warehouse: w\nnetwork: {dropout: 2}\n", [], "network.dropout"),
        ("warehouse: w\nregression: {l1_ratios: []}\n", [], "regression.l1_ratios"),
    ],
)
def test_wrong_configuration_names_file_and_key(tmp_path: Path, text: str, overrides: list[str], says: str) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load(TrainRiskConfig, path, overrides, {})


def test_globs_name_each_file_once(tmp_path: Path) -> None:
    for name in ("b.vcf", "a.vcf"):
        (tmp_path / name).touch()
    assert [path.name for path in expand([f"{tmp_path}/*.vcf", f"{tmp_path}/a.vcf"])] == ["a.vcf", "b.vcf"]
    with pytest.raises(InputError, match=r"nothing\.vcf: no such file"):
        expand([f"{tmp_path}/nothing.vcf"])
    with pytest.raises(InputError, match="is a folder"):
        expand([str(tmp_path)])
