"""Association of variants with phenotypes, from packed calls.

Reads ``genotypes``, ``phenotypes``, ``traits``, ``covariates`` and what quality control has written, and writes tables of its own. A file a
stage knows Spark; kernels (``blocks``, ``linear``, ``logistic``, ``score``) know a block of variants and NumPy alone.
"""
