"""What to simulate."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# Names become column names and parts of file lines.
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Share = Annotated[float, Field(ge=0, lt=0.9)]
Depth = Annotated[float, Field(ge=1, le=1000)]

MIN_VARIANTS_PER_CONTIG = 50


class Disease(BaseModel):
    """A binary disease and the share of people who have it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    prevalence: float = Field(gt=0, lt=1)


class Reads(BaseModel):
    """Sequencing reads of some of the cohort: paired, 150 bases, aligned.

    Attributes:
        people: How many people have reads, founders of different families.
        depth: Mean depth, duplicates not counted.
        depths: Range of the people's mean depths, drawn evenly on a scale of ratios; all have `depth` where not given.
        systematic_errors: Places for each base at which reads of one strand show the same wrong base, whoever it is.
        bases_per_contig: Bases at the start of each contig that are sequenced, or all where it is shorter; whole windows of 1,000.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    people: int = Field(default=9, ge=0)
    depth: Depth = 30
    depths: tuple[Depth, Depth] | None = None
    systematic_errors: float = Field(default=5e-4, ge=0, le=0.01)
    bases_per_contig: int = Field(default=300_000, ge=1000, multiple_of=1000)


class SingleCell(BaseModel):
    """Counts of single cells of some of the cohort.

    Attributes:
        people: How many people have them; with 0 no file is written.
        cells: Mean cells per person, cell type and state.
        counts: Mean counts per cell.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    people: int = Field(default=0, ge=0)
    cells: float = Field(default=20, gt=0)
    counts: float = Field(default=2000, gt=0)


class OwnDataConfig(BaseModel):
    """Diseases on the genotypes and expression that a warehouse holds, by the liability-threshold model; the causes are known.

    Attributes:
        seed: Source of every random draw.
        diseases: Diseases and their prevalences; each has causes of its own.
        variants: Causal variants of a disease, drawn from the common ones.
        genes: Causal genes of a disease, each in one cell type and state.
        heritability: Share of the variance of liability that the variants make.
        expression_share: Share that the genes' expression makes; the rest is noise.
        min_allele_frequency: Of a causal variant's rarer allele, among the people that are simulated.
        min_measured: Share of these people with a call at a causal variant, and with a value of a causal gene.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=7, ge=0)
    diseases: list[Disease] = Field(default=[Disease(name="simulated", prevalence=0.3)], min_length=1)
    variants: int = Field(default=10, ge=0)
    genes: int = Field(default=5, ge=0)
    heritability: float = Field(default=0.3, ge=0, lt=1)
    expression_share: float = Field(default=0.3, ge=0, lt=1)
    min_allele_frequency: float = Field(default=0.05, ge=0, le=0.5)
    min_measured: float = Field(default=0.9, gt=0, le=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.heritability + self.expression_share >= 1:
            raise ValueError("heritability and expression_share must leave something to noise: their sum is to be below 1")
        if not self.n_variants and not self.n_genes:
            raise ValueError("neither variants nor genes are causal: give variants and heritability, or genes and expression_share")
        if len({disease.name for disease in self.diseases}) < len(self.diseases):
            raise ValueError("diseases has a name twice")
        return self

    @property
    def n_variants(self) -> int:
        """Causal variants of each disease that explain something."""
        return self.variants if self.heritability else 0

    @property
    def n_genes(self) -> int:
        """Causal genes of each disease that explain something."""
        return self.genes if self.expression_share else 0


class SimulateConfig(BaseModel):
    """A cohort to simulate; equal configurations give equal files, byte for byte.

    Attributes:
        seed: Source of every random draw.
        people: People of the cohort.
        fresh_people: Further people of other families, written apart (to score as new patients).
        variants: VCF data records, split evenly over the contigs.
        contigs: Contigs, named chr1, chr2, ...
        contig_bases: Length of each; they grow where they would hold too few variants.
        genes: Genes, split evenly over the contigs.
        regulators: Transcription factors among the genes, spread over the contigs; a tenth of the genes where not given.
        terms: Terms that say what genes do, in two levels.
        cell_types: Cell types in which expression is measured.
        states: Cell states in which expression is measured.
        diseases: Diseases and their prevalences.
        missing_calls: Share of genotypes written as ``./.``.
        missing_expression: Share of expression values written as NA.
        missing_labels: Share of disease labels written as NA.
        missing_covariates: Share of covariate values written as NA.
        reads: Sequencing reads.
        single_cell: Counts of single cells.
        permute_labels: Shuffle the written labels of each disease among people (a null control); the truth stays.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=7, ge=0)
    people: int = Field(default=1000, ge=20)
    fresh_people: int = Field(default=0, ge=0)
    variants: int = 20000
    contigs: int = Field(default=2, ge=1)
    contig_bases: int = Field(default=2_500_000, ge=100_000)
    genes: int = Field(default=200, ge=1)
    regulators: int | None = Field(default=None, ge=0)
    terms: int = Field(default=8, ge=0)
    cell_types: list[Name] = Field(default=["Tcell", "Bcell", "Monocyte"], min_length=1)
    states: list[Name] = Field(default=["resting", "stimulated"], min_length=1)
    diseases: list[Disease] = Field(
        default=[
            Disease(name="cardiometabolic", prevalence=0.25),
            Disease(name="autoimmune", prevalence=0.12),
            Disease(name="neurological", prevalence=0.06),
        ],
        min_length=1,
    )
    missing_calls: Share = 0.005
    missing_expression: Share = 0.01
    missing_labels: Share = 0.05
    missing_covariates: Share = 0.02
    reads: Reads = Reads()
    single_cell: SingleCell = SingleCell()
    permute_labels: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.variants < MIN_VARIANTS_PER_CONTIG * self.contigs:
            raise ValueError(f"variants must be at least {MIN_VARIANTS_PER_CONTIG} per contig")
        if self.genes < self.contigs:
            raise ValueError("genes must be at least one per contig")
        if self.n_regulators > self.genes:
            raise ValueError("regulators must be at most as many as genes")
        if self.single_cell.people > self.people:
            raise ValueError("single_cell.people must be at most as many as people")
        for field, names in (
            ("cell_types", self.cell_types),
            ("states", self.states),
            ("diseases", [disease.name for disease in self.diseases]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"{field} has a name twice")
        return self

    @property
    def n_regulators(self) -> int:
        return self.genes // 10 if self.regulators is None else self.regulators

    @property
    def contexts(self) -> list[tuple[str, str]]:
        """Every (cell type, state), in the order of rows in the expression file."""
        return [(cell_type, state) for cell_type in self.cell_types for state in self.states]
