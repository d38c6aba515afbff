"""From reads to a VCF in one command, people called as a sheet calls them; by the Bayesian caller alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pysam
import pytest
from overstated_reads import Reads, write

from genospark.cli import main
from genospark.core.pileup import CHANNELS
from genospark.errors import InputError
from genospark.models.bundle import load
from genospark.models.likelihoods import LikelihoodConfig
from genospark.tasks.variants import Thresholds, VariantModel


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    names = ("network", "baseline")
    thresholds, plain = {name: Thresholds(20, 20) for name in names}, {name: [[0.0, 1.0], [0.0, 1.0]] for name in names}
    return VariantModel(LikelihoodConfig().model_dump(), {}, [], "baseline", thresholds, plain).bundle().save(tmp_path)


def test_people_are_called_as_the_sheet_does(tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Reads(variants=2e-3, overstated=0)
    files = {"Zoe": write(tmp_path / "a", made, "lane1"), "Ann": write(tmp_path / "b", Reads(overstated=0), "lane2")}
    lines = "".join(f"{name}\t{found.bam.relative_to(tmp_path)}\n" for name, found in files.items())
    (tmp_path / "sheet.tsv").write_text(f"sampleId\tpath\n{lines}")
    out, options = tmp_path / "out" / "calls.vcf.gz", ["--reference", str(files["Zoe"].fasta), "--bundle", str(bundle)]
    words = ["call", "--samples", str(tmp_path / "sheet.tsv"), *options, "--out", str(out), "--gvcf", str(tmp_path / "g")]
    assert main(words) == 0
    with pysam.VariantFile(str(out)) as file:
        assert sorted(file.header.samples) == ["Ann", "Zoe"]
        records = list(file)
    found = {record.start for record in records if record.samples["Zoe"]["GT"] == (0, 1)}
    assert len(found & set(made.sites)) > 0.9 * len(made.sites)
    assert len(found - set(made.sites)) < 0.1 * len(made.sites)
    assert not [record for record in records if record.start in made.sites and record.samples["Ann"]["GT"] == (0, 1)]
    assert sorted(path.name for path in (tmp_path / "g").glob("*.gz")) == ["Ann.g.vcf.gz", "Zoe.g.vcf.gz"]
    assert [path.name for path in out.parent.iterdir() if not path.name.startswith("calls.vcf.gz")] == []
    capsys.readouterr()
    assert main(["call", *options]) == 2
    assert "no reads are given" in capsys.readouterr().err


def test_a_bundle_of_other_channels_is_refused(bundle: Path) -> None:
    found = load(bundle, "variants")
    VariantModel.of(found)
    for channels in (list(CHANNELS)[:-3], [*CHANNELS[:-1], "other"], None):
        old = replace(found, definition={**found.definition, "channels": channels})
        with pytest.raises(InputError, match="trained on windows of other channels") as caught:
            VariantModel.of(old)
        assert "`ingest-reads`, `build-features variants` and `train variants` again" in caught.value.next_step
