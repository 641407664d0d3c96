"""Makes the parts of the documentation that come from the code: tables, outputs and pictures.

    python docs/make.py            # make all of it; a second time changes nothing
    python docs/make.py --check    # only say whether the tables are up to date

Trains on `examples/`, offline, on one thread.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # the scripts of this folder, from anywhere
sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

import tables
from outputs import Trainings, make_place, run_page
from page import ROOT, pages, with_made_parts, with_outputs

HOUSES, CLOTHES, GLASS_BOX = "runs/houses-mlp", "runs/clothes-cnn", "runs/houses-nam"
"""The runs of tutorial.md, pictures.md and tabular.md from which the pictures are drawn."""


def main() -> int:
    """Make or check; return the exit code."""
    if sys.argv[1:] == ["--check"]:
        return check()
    if sys.argv[1:]:
        print(__doc__)
        return 2
    started = time.perf_counter()
    write_tables()
    with tempfile.TemporaryDirectory() as folder:
        write_outputs(Path(folder))
    print(f"Done in {time.perf_counter() - started:.0f} s.")
    return 0


def check() -> int:
    """Say which pages have old tables."""
    old = [page for page in pages() if _with_tables(page) != page.read_text(encoding="utf-8")]
    for page in old:
        print(f"{page.relative_to(ROOT)}: the tables are not those of the code; run `make docs`.")
    return 1 if old else 0


def _with_tables(page: Path) -> str:
    return with_made_parts(page.read_text(encoding="utf-8"), tables.make)


def write_tables() -> None:
    """Write the tables of all pages."""
    for page in pages():
        _write(page, _with_tables(page))


def write_outputs(folder: Path) -> None:
    """Run the commands of all pages, write what they print, and draw the pictures."""
    import pictures

    trainings = Trainings(folder / "done")
    for page in pages():
        print(f"{page.relative_to(ROOT)} …", flush=True)
        place = make_place(folder / page.stem)
        outputs = run_page(page, place, trainings)
        _write(page, with_outputs(page.read_text(encoding="utf-8"), outputs))
    runs = folder / "tutorial" / HOUSES, folder / "pictures" / CLOTHES
    runs = *runs, folder / "tabular" / GLASS_BOX
    for name, content in pictures.draw(*runs):
        _write(ROOT / "docs" / "pictures" / name, content)


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"  written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
