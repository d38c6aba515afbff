"""What reaching an object store takes, said once for fsspec, delta-rs and Spark.

Endpoint, region and credentials are those of the standard AWS environment variables, or of fsspec's own configuration.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

NEXT_STEP = "check the name, AWS_ENDPOINT_URL, and the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role)"
ATTEMPTS = 8
"""How often a request is made before a store that answers with an error, or not at all, is given up."""
# Fetched beyond what is asked for: much speeds up reading in order, little spares it where a task reads a header or a split.
_BLOCK_BYTES = 1 << 20
_SECRETS = {"key": ("fs.s3a.access.key", "AWS_ACCESS_KEY_ID"), "secret": ("fs.s3a.secret.key", "AWS_SECRET_ACCESS_KEY")}


def is_s3(url: str) -> bool:
    return url.startswith(("s3://", "s3a://"))


def canonical(url: str) -> str:
    """A URL as fsspec and delta-rs write it: `s3:`, where Hadoop writes `s3a:`."""
    return "s3://" + url[6:] if url.startswith("s3a://") else url


def for_hadoop(path: str) -> str:
    """A path or URL as Spark writes it."""
    return "s3a://" + path[5:] if path.startswith("s3://") else path


@cache
def configure() -> None:
    """Sets what fsspec's S3 does where the user's configuration says nothing."""
    from fsspec.config import conf

    settings = conf.setdefault("s3", {})
    settings.setdefault("config_kwargs", {"retries": {"total_max_attempts": ATTEMPTS, "mode": "standard"}})
    settings.setdefault("default_block_size", _BLOCK_BYTES)
    # Others write, too: Spark, delta-rs, and other machines.
    settings.setdefault("use_listings_cache", False)


def errors() -> tuple[type[Exception], ...]:
    """Classes of what libraries raise where a store, or a disk, does not answer as it should."""
    from botocore.exceptions import BotoCoreError, ClientError
    from deltalake.exceptions import DeltaError

    return OSError, BotoCoreError, ClientError, DeltaError


def delta_options(location: str) -> dict[str, str] | None:
    """delta-rs's options for a table; it reads credentials and region from the environment itself."""
    if not is_s3(location):
        return None
    known = _known()
    # A commit is a PUT that fails where the version is there: two writers cannot make the same one.
    options = {"max_retries": str(ATTEMPTS), "aws_conditional_put": "etag", "AWS_REGION": known["region"]}
    if known["endpoint"]:
        options |= {"AWS_ENDPOINT_URL": known["endpoint"], "AWS_ALLOW_HTTP": str(known["endpoint"].startswith("http://")).lower()}
    return options | {name: known[key] for key, (_, name) in _SECRETS.items() if known[key]}


def hadoop_options() -> dict[str, str]:
    """Hadoop's options for `s3a:`; its default providers read credentials from the environment, or from the machine's role."""
    known = _known()
    options = {"fs.s3a.attempts.maximum": str(ATTEMPTS), "fs.s3a.endpoint.region": known["region"]}
    if known["endpoint"]:
        secure = str(not known["endpoint"].startswith("http://")).lower()
        # Buckets as names of hosts are Amazon's own.
        path_style = {"fs.s3a.path.style.access": "true", "fs.s3a.connection.ssl.enabled": secure}
        options |= {"fs.s3a.endpoint": known["endpoint"], **path_style}
    return options | {name: known[key] for key, (name, _) in _SECRETS.items() if known[key]}


def _known() -> dict[str, str]:
    """Endpoint and region, and key and secret where fsspec's configuration has them; empty where not known."""
    from fsspec.config import conf

    configure()
    said: dict[str, Any] = conf["s3"]
    client = said.get("client_kwargs") or {}
    endpoint = said.get("endpoint_url") or client.get("endpoint_url")
    region = client.get("region_name") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return {
        "endpoint": endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "",
        "region": region or "us-east-1",
        "key": said.get("key") or "",
        "secret": said.get("secret") or "",
    }
