"""The benchmark is no installed package: its modules are found from the repository's root, however pytest is run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
