"""Stage configuration: a YAML file, overrides from the command line, checked by pydantic."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from genospark.core import paths
from genospark.errors import ConfigError, InputError


class Settings(BaseModel):
    """A piece of configuration: unknown keys are errors, values do not change once checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StageConfig(Settings):
    """What every stage is told.

    Attributes:
        warehouse: Folder of the tables and bundles.
        rerun: Run even where the same run is already there.
    """

    warehouse: str
    rerun: bool = False

    def identity(self) -> dict[str, Any]:
        """What decides the stage's result, inputs and keys apart: a warehouse that is moved stays the same."""
        return self.model_dump(mode="json", exclude={"warehouse", "rerun", "inputs", "key_file", "crosswalk"})


def _add_to_one(fractions: tuple[float, float, float]) -> tuple[float, float, float]:
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise ValueError(f"{fractions} are not three shares that add to 1")
    return fractions


Fractions = Annotated[tuple[float, float, float], AfterValidator(_add_to_one)]
"""Shares of train, validation and test."""

Config = TypeVar("Config", bound=BaseModel)


def load(model: type[Config], path: Path | None, overrides: list[str], flags: dict[str, Any]) -> Config:
    """Reads a configuration.

    Args:
        model: What it must fit.
        path: YAML file, or None for defaults.
        overrides: ``a.b=value`` entries; values are YAML.
        flags: Values of command-line flags that were given.

    Raises:
        ConfigError: The file cannot be read, or a key or value does not fit.
    """
    values: dict[str, Any] = _read(path) if path else {}
    for entry in overrides:
        key, separator, text = entry.partition("=")
        if not separator:
            raise ConfigError(f"--set {entry}: no '='", "write it as --set section.key=value")
        try:
            _assign(values, key.split("."), yaml.safe_load(text))
        except yaml.YAMLError:
            raise ConfigError(f"--set {entry}: the value is not YAML", "quote it, for instance --set 'a.b=\"x: y\"'") from None
    values |= flags
    return checked(model, values)


def with_settings(config: Config, settings: dict[str, Any]) -> Config:
    """A configuration with some settings replaced, each by its place, such as ``network.dropout``.

    Raises:
        ConfigError: There is no such setting, or a value does not fit.
    """
    values = config.model_dump(mode="json")
    for key, value in settings.items():
        _assign(values, key.split("."), value)
    return checked(type(config), values)


def checked(model: type[Config], values: dict[str, Any]) -> Config:
    """A configuration made of values.

    Raises:
        ConfigError: A key or value does not fit.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _explained(model, first["type"], [str(part) for part in first["loc"]], first["msg"]) from None


def _explained(model: type[BaseModel], kind: str, keys: list[str], message: str) -> ConfigError:
    """What pydantic found, in the words of whoever wrote the configuration."""
    name = ".".join(keys) or "configuration"
    if kind == "missing":
        return ConfigError(f"no {name} is given", f"give it with --{name} or --set {name}=...")
    if kind != "extra_forbidden":
        return ConfigError(f"setting {name}: {message}", "give it a value that fits")
    section = model
    for key in keys[:-1]:
        inner = section.model_fields[key].annotation if key in section.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        section = inner
    alike = difflib.get_close_matches(keys[-1], section.model_fields, 1)
    hint = f"did you mean {alike[0]}? " if alike else ""
    return ConfigError(f"there is no setting {name}", f"{hint}the settings here are {', '.join(section.model_fields)}")


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})", "check the path given to --config"
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}", "mend that line") from None
    if not isinstance(values, dict | None):
        raise ConfigError(f"{path}: holds a {type(values).__name__}, not keys and values", "write it as `key: value` lines")
    return values or {}


def _assign(values: dict[str, Any], keys: list[str], value: object) -> None:
    for key in keys[:-1]:
        inner = values.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {'.'.join(keys)}: {key} is not a section", "name a key that the configuration has")
        values = inner
    values[keys[-1]] = value


def expand(patterns: list[str]) -> list[Path]:
    """The files that paths, URLs and globs of both name, each once, in order.

    Raises:
        InputError: A pattern names no file, or a path cannot be read.
    """
    files: dict[Path, None] = {}
    for pattern in patterns:
        found = paths.find(pattern)
        if not found:
            raise InputError(f"{pattern}: no such file", "check the path given to --input")
        for path in found:
            if path.is_dir():
                raise InputError(f"{path}: is a folder", f"name its files, for instance --input '{path}/*.vcf.gz'")
            files[paths.absolute(path)] = None
    if not files:
        raise InputError("no input files", "name them with --input PATH (repeatable, globs) or under `inputs` in the configuration")
    return list(files)
