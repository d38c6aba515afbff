"""Quality control of a cohort: what variants and people are like, who is related, which variants are linked, where people come from.

Reads ``variants``, ``genotypes``, ``samples`` and what is known of people, and writes tables of its own: nothing is filtered away, what
would be stays with its reasons. Each stage is a file that knows Spark; what is computed on packed calls is in files that do not.
"""
