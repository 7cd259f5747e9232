"""Generated files: a path from the repository's root, and the text that belongs there."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[4]
Files = dict[str, str]


def as_json(value: Any) -> str:
    """Readable JSON with the keys in the order given."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def drift(files: Files, *, whole: str | None = None, root: Path = ROOT) -> list[str]:
    """What of ``files`` is missing, stale or, in the folder ``whole``, too much on the disk."""
    stale = (path for path, text in files.items() if _text(root / path) != text)
    return sorted({*stale, *_others(files, whole, root)})


def write(files: Files, *, whole: str | None = None, root: Path = ROOT) -> list[str]:
    """Bring the disk to what ``files`` says; returns what was changed."""
    changed = drift(files, whole=whole, root=root)
    for path in changed:
        if path in files:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(files[path], encoding="utf-8")
        else:
            (root / path).unlink()
    return changed


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _others(files: Files, whole: str | None, root: Path) -> set[str]:
    """The files directly in the folder ``whole`` that nothing generates."""
    if whole is None or not (root / whole).is_dir():
        return set()
    found = {path.relative_to(root).as_posix() for path in (root / whole).iterdir() if path.is_file()}
    return found - files.keys()
