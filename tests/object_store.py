"""A real server of S3's protocol on loopback (moto's), and a proxy in front of it that fails at first."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import boto3
from support import ROOT

_POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
_BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


@dataclass(frozen=True)
class Store:
    """A server, and its one user."""

    endpoint: str
    key: str
    secret: str

    @property
    def variables(self) -> dict[str, str]:
        """Of the environment, as a user sets them."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def client(self) -> dict[str, str]:
        """Options of boto3's clients."""
        keys = {"aws_access_key_id": self.key, "aws_secret_access_key": self.secret}
        return {"endpoint_url": self.endpoint, "region_name": "us-east-1", **keys}

    def genospark(self, *words: str | Path, timeout: float = 600, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs the command against this store."""
        environment = (
            os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])} | self.variables | variables
        )
        command = [sys.executable, "-m", "genospark.cli", *map(str, words)]
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)


@contextmanager
def serving(log: Path, strict: bool) -> Iterator[Store]:
    """Starts a server with one user and an empty bucket `cohort`.

    With `strict` it checks credentials. It takes the signatures of Amazon's SDK for Java for wrong ones, so Spark needs one without.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    with log.open("w") as out:
        server = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=out, stderr=out)
        try:
            _wait(f"{endpoint}/moto-api/")
            first = Store(endpoint, "first", "secret").client
            boto3.client("s3", **first).create_bucket(Bucket="cohort")
            iam = boto3.client("iam", **first)
            iam.create_user(UserName="user")
            iam.put_user_policy(UserName="user", PolicyName="all", PolicyDocument=json.dumps(_POLICY))
            made = iam.create_access_key(UserName="user")["AccessKey"]
            if strict:
                # From now on requests need that user's signature.
                body = {"data": b"0", "headers": {"Content-Type": "text/plain"}, "method": "POST"}
                urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset-auth", **body))
            yield Store(endpoint, made["AccessKeyId"], made["SecretAccessKey"])
        finally:
            server.terminate()
            server.wait()


def _wait(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url)
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise TimeoutError(url)


@dataclass
class Failures:
    """What a proxy refused: every request's first `times` tries, by method and URL."""

    times: int
    seen: dict[str, int] = field(default_factory=dict)

    def refuses(self, request: str) -> bool:
        self.seen[request] = self.seen.get(request, 0) + 1
        return self.seen[request] <= self.times


@contextmanager
def failing_at_first(endpoint: str, times: int) -> Iterator[tuple[str, Failures]]:
    """A proxy that answers 503 to the first tries of every request and passes all others on."""
    failures = Failures(times)
    target = urlsplit(endpoint).netloc

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self._body()
            if failures.refuses(f"{self.command} {self.path} {self.headers.get('Range', '')}"):
                self._answer(503, {"Content-Type": "application/xml"}, _BUSY)
                return
            connection = http.client.HTTPConnection(target)
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("expect", "connection", "transfer-encoding"):
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in ("connection", "transfer-encoding")}
            self._answer(answer.status, headers, answer.read())
            connection.close()

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() != "content-length" or self.command == "HEAD":
                    self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(body)))
            elif not any(name.lower() == "content-length" for name in headers):
                self.send_header("Content-Length", "0")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", failures
    finally:
        server.shutdown()
        server.server_close()
