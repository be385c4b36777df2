#!/usr/bin/env bash
# Makes .venv where there is none, installs i2i with its test extras, and runs the tests.
#   bash scripts/test.sh            the default suite
#   bash scripts/test.sh -m slow    what takes longer; any further arguments go to pytest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
i2i_install test
export NO_ALBUMENTATIONS_UPDATE=1
# A process a core, of one thread each, which torch's operations on small tensors use better than several.
processes="$(nproc)"
OMP_NUM_THREADS=1 exec .venv/bin/python -m pytest --numprocesses "$processes" "$@"
