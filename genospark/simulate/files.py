"""Where a simulated cohort lies, and writing its tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pysam

from genospark.simulate.arrays import Floats, Ints, stream
from genospark.simulate.config import SimulateConfig
from genospark.simulate.diseases import Diseases
from genospark.simulate.people import People


@dataclass(frozen=True)
class SimulatedFiles:
    """Files of the cohort or of the fresh people.

    Attributes:
        genotypes: VCF with a .tbi next to it.
        pedigree: PED, six columns.
        covariates: Age, sex and ancestry.
        phenotypes: One column per disease: 0, 1, NA.
        expression: One row per person, cell type and state, one column per gene; TPM.
        reads: Folder with a BAM, a .bai next to it, of each person with reads, and regions.bed, what was sequenced; none for fresh people.
        annotation: GTF of the genes; fresh people share the cohort's, and the two files that follow.
        regulators: Genes that are transcription factors: a column geneId.
        gene_terms: Terms of genes, geneId and termId: NA for a gene that was looked at and has none, no line for one not looked at.
        single_cell: Counts of single cells of some of the cohort, where asked for.
        reference: FASTA with a .fai next to it; fresh people share the cohort's.
        key: Key of the pseudonyms, the same for the same seed; fresh people share the cohort's.
        truth: Folder with variants.tsv, genes.tsv, network.tsv, gene_terms.tsv and people.tsv, about everyone, and reads.tsv.
        fresh: Files of the fresh people, where asked for.
    """

    genotypes: Path
    pedigree: Path
    covariates: Path
    phenotypes: Path
    expression: Path
    reads: Path
    annotation: Path
    regulators: Path
    gene_terms: Path
    single_cell: Path
    reference: Path
    key: Path
    truth: Path
    fresh: SimulatedFiles | None = None

    @classmethod
    def under(cls, root: Path, folder: Path, fresh: SimulatedFiles | None = None) -> SimulatedFiles:
        """Files in ``folder``, with the reference and the truth in ``root``."""
        return cls(
            genotypes=folder / "genotypes.vcf.gz",
            pedigree=folder / "pedigree.ped",
            covariates=folder / "covariates.tsv",
            phenotypes=folder / "phenotypes.tsv",
            expression=folder / "expression.tsv.gz",
            reads=folder / "reads",
            annotation=root / "genes.gtf.gz",
            regulators=root / "regulators.tsv",
            gene_terms=root / "gene_terms.tsv",
            single_cell=root / "single_cell.h5ad",
            reference=root / "reference.fa",
            key=root / "pseudonym.key",
            truth=root / "truth",
            fresh=fresh,
        )


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a tab-separated file with a header, six significant digits, and NA for what is missing."""
    table.to_csv(path, sep="\t", index=False, na_rep="NA", float_format="%.6g", lineterminator="\n")


def _with_missing(table: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    # Nullable columns keep whole numbers whole next to NA.
    return table.convert_dtypes().mask(rng.random(table.shape) < share)


def write_pedigree(path: Path, people: People, group: slice) -> None:
    """Write a PED file: familyId, sampleId, fatherId, motherId (0 unknown), sex (1 male, 2 female), phenotype (-9 unknown)."""
    ids = np.array([*people.sample_ids, "0"])  # index -1, an unknown parent, is the last
    table = pd.DataFrame(
        {
            "#familyId": [f"F{family + 1:06d}" for family in people.family],
            "sampleId": ids[:-1],
            "fatherId": ids[people.father],
            "motherId": ids[people.mother],
            "sex": people.sex,
            "phenotype": -9,
        }
    )
    write_table(path, table[group])


def write_covariates(path: Path, covariates: pd.DataFrame, sample_ids: list[str], share: float, rng: np.random.Generator) -> None:
    """Write covariates, a share of the values as NA."""
    table = _with_missing(covariates, share, rng)
    table.insert(0, "sampleId", sample_ids)
    write_table(path, table)


def write_phenotypes(path: Path, config: SimulateConfig, labels: Ints, sample_ids: list[str], group: str) -> None:
    """Write labels [people, diseases], a share of them as NA; shuffled among the people where the configuration says so."""
    names = [disease.name for disease in config.diseases]
    rng = stream(config.seed, "missing labels", group)
    table = _with_missing(pd.DataFrame(labels, columns=names), config.missing_labels, rng)
    if config.permute_labels:
        # Shuffled with their gaps, so that the number of cases stays.
        shuffle = stream(config.seed, "permuted labels", group)
        table = table.apply(lambda column: column.to_numpy()[shuffle.permutation(len(column))])
    table.insert(0, "sampleId", sample_ids)
    write_table(path, table)


def write_expression(
    path: Path, config: SimulateConfig, tpm: Floats, gene_ids: list[str], sample_ids: list[str], rng: np.random.Generator
) -> None:
    """Write expression [people, contexts, genes] in block gzip, five significant digits, a share of the values as NA."""
    row_format = "\t".join(["%.5g"] * len(gene_ids))
    with pysam.BGZFile(str(path), "wb") as out:
        out.write(("\t".join(["sampleId", "cellType", "state", *gene_ids]) + "\n").encode())
        for sample_id, by_context in zip(sample_ids, tpm, strict=True):
            gaps = rng.random(by_context.shape) < config.missing_expression
            for (cell_type, state), values in zip(config.contexts, np.where(gaps, np.nan, by_context), strict=True):
                numbers = (row_format % tuple(values.tolist())).replace("nan", "NA")
                out.write(f"{sample_id}\t{cell_type}\t{state}\t{numbers}\n".encode())


def people_truth(config: SimulateConfig, people: People, diseases: Diseases, populations: tuple[str, ...]) -> pd.DataFrame:
    """Everyone's group, population, parts of liability, liability and true label, one row per person."""
    columns: dict[str, object] = {
        "sampleId": people.sample_ids,
        "group": np.where(np.arange(len(people)) < people.n_cohort, "cohort", "fresh"),
        "population": np.array(populations)[people.population],
    }
    values = diseases.parts | {"liability": diseases.liability, "label": diseases.labels.astype(np.int64)}
    for d, disease in enumerate(config.diseases):
        columns |= {f"{part}_{disease.name}": by_disease[:, d] for part, by_disease in values.items()}
    return pd.DataFrame(columns)
