"""URLs in meta lines."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+")


def is_url(text: str) -> bool:
    """Whether a text begins as a URL does."""
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", text))


def has_host(url: str) -> bool:
    """Whether the host of a URL can be one: an address, or a name that does not end in a number (RFC 1123, section 2.1)."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if parts.scheme == "file":
        return True
    if not host:
        return False
    if ":" in host:
        return True
    labels = host.rstrip(".").split(".")
    if all(_NUMBER.fullmatch(label) for label in labels):
        return len(labels) == 4 and all(len(label) < 4 and int(label) < 256 for label in labels)
    return all(_LABEL.fullmatch(label) for label in labels) and not _NUMBER.fullmatch(labels[-1])
