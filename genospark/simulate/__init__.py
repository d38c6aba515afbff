"""Simulated cohorts: the same standard files that users bring, plus the truth behind them.

``simulate_cohort`` writes a VCF, a reference, a pedigree, covariates, phenotypes, expression and aligned reads, all from one seed.
Genotypes come from a coalescent model of three human populations, expression from cis eQTLs and shared factors, diseases from a liability
threshold over genotypes, expression and covariates; what was simulated is kept apart in ``truth/``. ``own_data`` draws
diseases on a warehouse's own genotypes and expression; it alone reads tables and knows Spark.
"""

from genospark.simulate.cohort import simulate_cohort
from genospark.simulate.config import Disease, Reads, SimulateConfig
from genospark.simulate.files import SimulatedFiles

__all__ = ["Disease", "Reads", "SimulateConfig", "SimulatedFiles", "simulate_cohort"]
