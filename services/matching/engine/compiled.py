"""Compiling by Numba, cached on disk under a digest of every source that is compiled.

Numba's own cache looks at one file at a time: a loop would go on calling the rule of another file as it was before.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from numba import config, njit

_HERE = Path(__file__).parent
_SOURCES = [path.read_bytes() for path in sorted(_HERE.parent.rglob("*.py"))]
_DIGEST = hashlib.sha256(b"".join(text for text in _SOURCES if b"import compiled" in text or b"np.dtype(" in text))
_BASE = Path(os.environ.get("NUMBA_CACHE_DIR") or _HERE / "__pycache__")
config.CACHE_DIR = str(_BASE / f"compiled-{_DIGEST.hexdigest()[:12]}")  # type: ignore[attr-defined]

compiled = njit(cache=True, nogil=True)
