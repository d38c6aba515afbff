#!/bin/sh
# Builds .venv from requirements.lock: uv into .tools, the locked packages (Horovod is compiled), Delta's jars, Spark's defaults.
# Needs python3.11 with venv, g++ and make; says in one line what is missing.
set -eu
cd "$(dirname "$0")/.."
UV_VERSION=0.13.9
log=.tools/setup.log

fail() {
    echo "error: $1" >&2
    echo "  next step: $2" >&2
    exit 7
}

PYTHON=$(command -v "${PYTHON:-python3.11}") || fail "no Python 3.11 on PATH" "apt-get install python3.11 python3.11-venv (or set PYTHON to one)"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || fail "$PYTHON is not Python 3.11" "set PYTHON to a Python 3.11"
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || fail "$PYTHON lacks the venv module" "apt-get install python3.11-venv"
for tool in g++ make; do
    command -v "$tool" >/dev/null || fail "no $tool on PATH; Horovod is compiled at set-up" "apt-get install g++ make"
done

mkdir -p .tools
if [ "$(.tools/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "$UV_VERSION" ]; then
    echo "setup: uv $UV_VERSION into .tools"
    "$PYTHON" -m venv .tools
    .tools/bin/python -m pip install -q --disable-pip-version-check "uv==$UV_VERSION" >"$log" 2>&1 ||
        fail "uv could not be installed from the package index (details in $log)" "check the network, then run make setup again"
fi

echo "setup: locked packages into .venv (Horovod compiles for 2 to 3 minutes the first time)"
[ -x .venv/bin/python ] || .tools/bin/uv venv -q --python "$PYTHON" .venv
# The machine's own certificates, where it has some: networks that inspect traffic need them.
if [ -n "$(ls /etc/ssl/certs 2>/dev/null)" ]; then
    UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-true}
    export UV_SYSTEM_CERTS
fi
# Each compiler process of Horovod takes up to 0.9 GB.
MAKEFLAGS="-j$(nproc)"
export MAKEFLAGS
.tools/bin/uv pip sync -q --python .venv/bin/python --require-hashes requirements.lock >"$log" 2>&1 ||
    fail "the locked packages could not be installed: $(grep -m1 -i -E 'error|failed' "$log" || echo "see $log") (details in $log)" \
        "check the network and free disk (4 GB), then run make setup again"
.tools/bin/uv pip install -q --python .venv/bin/python --no-deps -e . >"$log" 2>&1 || fail "genospark could not be installed (details in $log)" "mend it and run make setup again"
echo "setup: Delta's jars and Spark's defaults"
.venv/bin/python -m genospark.core.install conf/spark/local.conf
