"""A cohort from a configuration: draw everything, then write it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genospark.core.pseudonyms import KEY_BYTES
from genospark.errors import ConfigError
from genospark.simulate.alleles import Contig
from genospark.simulate.ancestry import POPULATIONS
from genospark.simulate.arrays import stream
from genospark.simulate.config import SimulateConfig
from genospark.simulate.covariates import draw_covariates
from genospark.simulate.diseases import Diseases, draw_diseases, variant_truth
from genospark.simulate.expression import Expression, draw_expression, draw_heritability, expression_truth
from genospark.simulate.files import (
    SimulatedFiles,
    people_truth,
    write_covariates,
    write_expression,
    write_pedigree,
    write_phenotypes,
    write_table,
)
from genospark.simulate.genes import draw_genes, write_gtf
from genospark.simulate.genotypes import CommonVariants, draw_contig
from genospark.simulate.network import draw_network, network_truth
from genospark.simulate.people import People, draw_people
from genospark.simulate.reads import write_reads
from genospark.simulate.single_cell import write_single_cell
from genospark.simulate.terms import draw_terms, term_table
from genospark.simulate.vcf import write_fasta, write_vcf

MIN_FREQUENCY = 0.02  # of variants with effects


@dataclass(frozen=True)
class Drawn:
    """Everything about everyone, before a part of it is written."""

    people: People
    contigs: list[Contig]
    common: CommonVariants
    covariates: pd.DataFrame
    expression: Expression
    diseases: Diseases


def _quiet(_: str) -> None:
    """Progress that nobody listens to."""


def _common_variants(config: SimulateConfig, contigs: list[Contig]) -> CommonVariants:
    common = CommonVariants.of(contigs, config.people, MIN_FREQUENCY)
    per_contig = np.bincount(common.contig, minlength=config.contigs)
    if per_contig.min() < 2 * (len(config.diseases) + 1):
        raise ConfigError(
            f"{contigs[int(per_contig.argmin())].name} has only {per_contig.min()} variants with a minor allele frequency above "
            f"{MIN_FREQUENCY}, too few to give effects to",
            "raise `variants`, or lower `contigs`",
        )
    return common


def draw_cohort(config: SimulateConfig, progress: Callable[[str], None] = _quiet) -> Drawn:
    """Draw everything but write nothing."""
    people = draw_people(config.people, config.fresh_people, stream(config.seed, "people"))
    contigs = []
    for c, records in enumerate(np.array_split(np.arange(config.variants), config.contigs), start=1):
        progress(f"genotypes of {len(people):,} people on chr{c}")
        contigs.append(draw_contig(f"chr{c}", len(records), config.contig_bases, people, stream(config.seed, "contig", c), progress))
    common = _common_variants(config, contigs)

    progress("covariates, expression and diseases")
    covariates = draw_covariates(common, people, stream(config.seed, "covariates"))
    genes = draw_genes(config, common, stream(config.seed, "genes"))
    heritability = draw_heritability(config, stream(config.seed, "heritability"))
    network = draw_network(config, genes, heritability, stream(config.seed, "network"))
    terms = draw_terms(config, stream(config.seed, "terms"))
    expression = draw_expression(config, common, genes, heritability, network, terms, stream(config.seed, "expression"))
    diseases = draw_diseases(config, common, expression, covariates, people.population, stream(config.seed, "diseases"))
    return Drawn(people, contigs, common, covariates, expression, diseases)


def _write_group(config: SimulateConfig, drawn: Drawn, files: SimulatedFiles, group: str, members: slice) -> None:
    """Write the files of the cohort or of the fresh people."""
    files.genotypes.parent.mkdir(parents=True, exist_ok=True)
    sample_ids = drawn.people.sample_ids[members]
    gene_ids = [gene.id for gene in drawn.expression.genes]
    labels = drawn.diseases.labels[members].astype(np.int64)
    gaps = {kind: stream(config.seed, "missing", kind, group) for kind in ("calls", "covariates", "expression")}
    write_vcf(files.genotypes, drawn.contigs, members, sample_ids, config.missing_calls, gaps["calls"])
    write_pedigree(files.pedigree, drawn.people, members)
    write_covariates(files.covariates, drawn.covariates[members], sample_ids, config.missing_covariates, gaps["covariates"])
    write_phenotypes(files.phenotypes, config, labels, sample_ids, group)
    write_expression(files.expression, config, drawn.expression.tpm[members], gene_ids, sample_ids, gaps["expression"])


def _write_genes(config: SimulateConfig, drawn: Drawn, files: SimulatedFiles) -> None:
    """Write what users know about genes, and single cells where asked for."""
    expression = drawn.expression
    gene_ids = [gene.id for gene in expression.genes]
    terms = expression.terms
    write_gtf(files.annotation, expression.genes, [contig.name for contig in drawn.contigs])
    write_table(files.regulators, pd.DataFrame({"geneId": [gene_ids[g] for g in expression.network.regulators]}))
    write_table(files.gene_terms, term_table(gene_ids, terms.names, terms.annotated, terms.looked_at))
    if config.single_cell.people:
        rng = stream(config.seed, "single cell")
        write_single_cell(files.single_cell, config, expression.tpm, gene_ids, drawn.people.sample_ids, rng)


def _write_truth(config: SimulateConfig, drawn: Drawn, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    genes = expression_truth(config, drawn.expression, drawn.common, drawn.diseases.gene_effects)
    write_table(folder / "variants.tsv", variant_truth(config, drawn.diseases, drawn.common))
    write_table(folder / "genes.tsv", genes)
    expression, terms = drawn.expression, drawn.expression.terms
    gene_ids = [gene.id for gene in expression.genes]
    write_table(folder / "network.tsv", network_truth(expression.genes, expression.network, expression.network_effects))
    write_table(folder / "gene_terms.tsv", term_table(gene_ids, terms.names, terms.members, np.ones(len(gene_ids), dtype=np.bool_)))
    write_table(folder / "people.tsv", people_truth(config, drawn.people, drawn.diseases, POPULATIONS))


def simulate_cohort(config: SimulateConfig, out: Path, progress: Callable[[str], None] = _quiet) -> SimulatedFiles:
    """Simulate a cohort and write it as the standard files that users bring.

    Args:
        config: What to simulate.
        out: Folder to write, made where it does not exist; files of an earlier simulation are replaced. Fresh people lie in
            ``out/fresh``, the truth about everyone in ``out/truth``.
        progress: Told in a few words what is going on.

    Returns:
        Paths of the files.

    Raises:
        ConfigError: The configuration asks for more polymorphic sites than its contigs can hold, or has too few common variants.
    """
    drawn = draw_cohort(config, progress)
    fresh = SimulatedFiles.under(out, out / "fresh") if config.fresh_people else None
    files = SimulatedFiles.under(out, out, fresh)
    progress("files of the cohort")
    _write_group(config, drawn, files, "cohort", drawn.people.cohort)
    write_fasta(files.reference, drawn.contigs)
    # No secret, as nobody is real: the same seed makes the same tables.
    files.key.write_text(f"{stream(config.seed, 'pseudonyms').bytes(KEY_BYTES).hex()}\n")
    _write_genes(config, drawn, files)
    _write_truth(config, drawn, files.truth)
    write_reads(config, drawn.contigs, drawn.people, files, progress)
    if fresh:
        progress("files of the fresh people")
        _write_group(config, drawn, fresh, "fresh", drawn.people.fresh)
    return files
