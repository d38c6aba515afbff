"""Inputs of stages that read several kinds of files: ``role=path`` entries."""

from __future__ import annotations

from pathlib import Path

from genospark.core.config import expand
from genospark.core.paths import place
from genospark.errors import ConfigError


def by_role(inputs: list[str], roles: tuple[str, ...], needed: tuple[str, ...]) -> dict[str, list[Path]]:
    """Files of each role that has any.

    Args:
        inputs: ``role=path`` entries; globs are expanded, and a path without a role has the first.
        roles: Known roles.
        needed: Roles of which at least one has to be given.

    Raises:
        ConfigError: An input's role is not known, or no role that is needed is given.
        InputError: A path names no file.
    """
    patterns: dict[str, list[str]] = {role: [] for role in roles}
    for entry in inputs:
        role, separator, path = entry.partition("=")
        if separator and role not in roles and ("/" in role or place(entry).exists()):
            # A path may itself have the sign in it.
            role, path = "", entry
        elif not separator:
            role, path = "", entry
        elif role not in roles:
            raise ConfigError(f"--input {entry}: no role {role}", f"write role=path with a role of {', '.join(roles)}")
        patterns[role or roles[0]].append(path)
    if not any(patterns[role] for role in needed):
        raise ConfigError(f"no file of {' or '.join(needed)} among the inputs", f"name one with --input {needed[0]}=PATH")
    return {role: expand(found) for role, found in patterns.items() if found}
