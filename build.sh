#!/usr/bin/env bash
# Builds the layer and one zip per service into .paygo/build/<target>/, only what changed.
#
#   ./build.sh [--target local|x86_64|arm64] [--manifest]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
./setup.sh python
# -I -S: nothing but the standard library, nothing from the caller's environment.
exec .venv/bin/python -I -S deploy/packages.py "$@"
