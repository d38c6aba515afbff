"""The back door: a bundle and the tables of any cohort in, scores out. Fits nothing."""
