"""What to simulate."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# Names become column names and parts of file lines.
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Share = Annotated[float, Field(ge=0, lt=0.9)]

MIN_VARIANTS_PER_CONTIG = 50


class Disease(BaseModel):
    """A binary disease and the share of people who have it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    prevalence: float = Field(gt=0, lt=1)


class SimulateConfig(BaseModel):
    """A cohort to simulate; equal configurations give equal files, byte for byte.

    Attributes:
        seed: Source of every random draw.
        people: People of the cohort.
        fresh_people: Further people of other families, written apart (to score as new patients).
        variants: VCF data records, split evenly over the contigs.
        contigs: Contigs, named chr1, chr2, ...
        genes: Genes, split evenly over the contigs.
        cell_types: Cell types in which expression is measured.
        states: Cell states in which expression is measured.
        diseases: Diseases and their prevalences.
        missing_calls: Share of genotypes written as ``./.``.
        missing_expression: Share of expression values written as NA.
        missing_labels: Share of disease labels written as NA.
        missing_covariates: Share of covariate values written as NA.
        permute_labels: Shuffle the written labels of each disease among people (a null control); the truth stays.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=7, ge=0)
    people: int = Field(default=1000, ge=20)
    fresh_people: int = Field(default=0, ge=0)
    variants: int = 20000
    contigs: int = Field(default=2, ge=1)
    genes: int = Field(default=200, ge=1)
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
    permute_labels: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.variants < MIN_VARIANTS_PER_CONTIG * self.contigs:
            raise ValueError(f"variants must be at least {MIN_VARIANTS_PER_CONTIG} per contig")
        if self.genes < self.contigs:
            raise ValueError("genes must be at least one per contig")
        for field, names in (
            ("cell_types", self.cell_types),
            ("states", self.states),
            ("diseases", [disease.name for disease in self.diseases]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"{field} has a name twice")
        return self

    @property
    def contexts(self) -> list[tuple[str, str]]:
        """Every (cell type, state), in the order of rows in the expression file."""
        return [(cell_type, state) for cell_type in self.cell_types for state in self.states]
