"""The files of the specification's own test suite: what has to be accepted is, and what has to be refused is refused for its fault."""

from pathlib import Path

import pytest

from genospark.ingest.vcf.check import Report, check_file

SUITE = Path(__file__).resolve().parents[4].parent / "shared" / "data" / "vcf-conformance"
VERSIONS = ("4.1", "4.2", "4.4")
pytestmark = pytest.mark.skipif(not SUITE.is_dir(), reason=f"{SUITE} is absent")
# Which rules may be the reason for refusing files of a name; several names have files with several faults.
REASONS = {
    "CNV": "sv-svclaim info-number",
    "STR": "sv-repeat",
    "body_alt": "alt",
    "body_chrom": "chrom",
    "body_contiguous": "chrom-contiguous",
    "body_duplicated": "variant-repeated",
    "body_filter": "filter filter-repeated filter-zero",
    "body_format": "format format-key format-gt format-repeated gt",
    "body_id": "id id-repeated",
    "body_info": "info-number info-range info-type info-flag info-space info-repeated",
    "body_invalid_CNVTR": "sv-repeat sv-repeat-units sv-interval",
    "body_invalid_SV": "alt-type sv-svlen sv-svclaim sv-repeat sv-repeat-units meta-alt-type",
    "body_invalid_format": "format-needs sv-cn-length",
    "body_invalid_info": "sv-interval sv-svclaim sv-svlen-other sv-count",
    "body_invalid_sample_P": "sample-phase-set",
    "body_invalid_sample_format": "sample-interval sample-number",
    "body_no_newline": "file-line-end",
    "body_pos": "pos",
    "body_qual": "qual",
    "body_ref": "ref",
    "body_sample": "gt gt-allele sample-fields sample-number sample-type sample-repeated",
    "body_samples_ploidy": "sample-number",
    "body_unsorted": "pos-order",
    "empty": "file-empty sample-empty",
    "fileformat": "fileformat",
    "header": "columns-names columns-samples",
    "meta_0": "meta-pair meta-quotes meta-structure columns-missing",
    "meta_alt": "meta-number meta-type meta-quotes meta-order meta-alt-type meta-id meta-structure",
    "meta_assembly": "meta-pair meta-url",
    "meta_contig": "meta-key meta-id meta-structure",
    "meta_format": "meta-number meta-type meta-quotes meta-order meta-reserved",
    "meta_info": "meta-number meta-type meta-quotes meta-order meta-reserved",
    "meta_invalid_info_number": "meta-number",
    "meta_meta": "meta-number meta-type meta-values",
    "meta_pedigree": "meta-pedigree meta-structure meta-key",
    "meta_pedigreedb": "meta-pair meta-url",
    "meta_sample": "meta-key meta-sample meta-id meta-structure",
}


def reports(version: str, kind: str) -> dict[str, Report]:
    return {path.stem.removeprefix(f"{kind}_"): check_file(str(path)) for path in sorted((SUITE / version / kind).iterdir())}


def errors(report: Report) -> set[str]:
    return {finding.rule for finding in report.findings if finding.severity == "error"}


@pytest.mark.parametrize("version", VERSIONS)
def test_all_that_pass_are_accepted(version: str) -> None:
    found = reports(version, "passed")
    assert len(found) >= 25
    assert not {name: errors(report) for name, report in found.items() if report.errors}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_fails_is_refused_for_its_fault(version: str) -> None:
    found = reports(version, "failed")
    assert len(found) >= 190
    named = [name for name, report in found.items() if errors(report) & set(_reasons(name))]
    assert len(named) >= 0.95 * len(found), sorted(set(found) - set(named))


def _reasons(name: str) -> list[str]:
    return max((item for item in REASONS.items() if name.startswith(item[0])), key=lambda item: len(item[0]))[1].split()
