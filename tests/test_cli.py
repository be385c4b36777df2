"""The program itself: what it sets before anything is computed."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="PyTorch brings GNU's OpenMP on Linux")
@pytest.mark.parametrize(
    ("given", "spins"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "77"}, "77"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "0")],
    ids=["by default", "as told", "by a policy"],
)
def test_threads_wait_briefly_unless_told_otherwise(given: dict[str, str], spins: str) -> None:
    """What the library of threads itself says it goes by."""
    clean = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    command = [sys.executable, "-m", "i2i", "models", "--classes", "3"]
    environment = clean | given | {"OMP_DISPLAY_ENV": "VERBOSE"}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr
    assert set(re.findall(r"GOMP_SPINCOUNT = '(\d+)'", said)) == {spins}
