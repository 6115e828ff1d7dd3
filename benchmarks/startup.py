"""Processor time until the command line and the library are there, beside bare Python.

python benchmarks/startup.py [--rounds 10]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

CALLS = {
    "python": [sys.executable, "-c", "pass"],
    "import workbench": [sys.executable, "-c", "import workbench"],
    "workbench --version": [sys.executable, "-m", "workbench", "--version"],
    "workbench --help": [sys.executable, "-m", "workbench", "--help"],
    "workbench plugins list": [sys.executable, "-m", "workbench", "plugins", "list"],
}


def processor_seconds(command: list[str]) -> float:
    """What a process and its children use."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system


def main() -> None:
    """Print a row a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {name: [] for name in CALLS}
    for _ in range(rounds):
        for name, command in CALLS.items():
            times[name].append(processor_seconds(command))
    print("| command | ms, median [least, most] |\n|---|---|")
    for name, seconds in times.items():
        middle, low, high = (1000 * f(seconds) for f in (statistics.median, min, max))
        print(f"| {name} | {middle:.0f} [{low:.0f}, {high:.0f}] |")


if __name__ == "__main__":
    main()
