"""Run all campaigns, each at the size that every change must pass: `python -m tests.campaigns [big]`."""

from __future__ import annotations

import subprocess
import sys

NAMES = ("points", "kills", "power", "faults", "edits")

if __name__ == "__main__":
    failed = 0
    for name in NAMES:
        print(f"== {name}", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"tests.campaigns.{name}", *sys.argv[1:]]).returncode != 0
    sys.exit(failed)
