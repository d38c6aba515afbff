"""Cohort genomics with deep learning on Apache Spark: files in at the front door, tables out at the back."""

__version__ = "0.1.0"
