"""All benchmarks, one after the other, each in a process of its own: `python -m benchmarks`, or `make bench`."""

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Runs each as it runs alone, with its own sizes; 1 if any found a ratio below what it asserts."""
    failed = []
    for module in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        print(f"── {module.stem}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{module.stem}"]).returncode:
            failed.append(module.stem)
    if failed:
        print(f"Below what they assert: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
