"""Roles of the topics of a bag, as a TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tacit._files import read_bytes, resolve
from tacit._registry import suggest
from tacit.errors import ConfigError

__all__ = ["read_roles"]

LARGEST = 2**24


def read_roles(path: Path) -> dict[str, str]:
    """Return the role of each topic or field in the table ``[roles]`` of a TOML file.

    Raises:
        ConfigError: naming the file, if it cannot be read or holds something else.
    """
    try:
        content = tomllib.loads(read_bytes(resolve(path), LARGEST).decode("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"the mapping of topics {path} cannot be read: {error}.") from error
    if unknown := [name for name in content if name != "roles"]:
        near = suggest(unknown[0], ("roles",))
        raise ConfigError(f"{path} has {unknown[0]!r}; expected only the table [roles].{near}")
    roles = content.get("roles")
    if not isinstance(roles, dict) or not roles or not all(isinstance(role, str) for role in roles.values()):
        raise ConfigError(f"""{path}: expected a table [roles] with lines such as "/topic.field" = "observation".""")
    return roles
