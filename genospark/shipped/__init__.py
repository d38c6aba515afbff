"""Bundles that come with the package: a folder for each task, and in it one bundle under its version. Data alone, no code.

``make shipped-variants`` makes the variant caller.
"""
