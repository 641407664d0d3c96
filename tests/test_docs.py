"""The pages cannot rot: their code and commands run, their tables are new, their links lead on."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
LONGEST = {"README.md": 150, "CONTRIBUTING.md": 60}
LONGEST_PAGE, LONGEST_DECISION = 200, 30


def script(name: str) -> ModuleType:
    """Load a script of the folder docs, under a name that nothing else has."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


page = script("page")
PAGES: list[Path] = page.pages()
TEXTS = [*PAGES, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


class Reader:
    """A person who types what stands in the pages. The same training is done once for all pages."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.trained: dict[str, Path] = {}

    def read(self, path: Path, place: Path, *, with_slow: bool) -> int:
        """Run the blocks of a page; return how many."""
        (place / "examples").symlink_to(ROOT / "examples", target_is_directory=True)
        namespace: dict[str, Any] = {"__name__": "__docs__"}
        count = 0
        for block in page.blocks(path.read_text(encoding="utf-8")):
            if not block.is_run or (block.is_slow and not with_slow):
                continue
            count += 1
            where = f"{path.name}, line {block.line}"
            if block.language == "python":
                source = "\n" * (block.line - 1) + block.body
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(source, str(path), "exec"), namespace)
                continue
            for index, command in enumerate(block.commands):
                expected = block.exit_code if index == len(block.commands) - 1 else 0
                assert self.run(command, place) == expected, f"{where}: {command}"
        return count

    def run(self, command: str, place: Path) -> int:
        if not command.startswith("deepwell "):
            return subprocess.run(["bash", "-c", command], cwd=place, check=False).returncode
        known = self.trained.get(command)
        if known is not None and not (place / "runs" / known.name).exists():
            shutil.copytree(known, place / "runs" / known.name)
            return 0
        from deepwell.cli.main import app

        before = set(place.glob("runs/*"))
        # processes that are started run the same command line
        typed = mock.patch.object(sys, "argv", ["deepwell", *page.arguments(command)])
        with contextlib.redirect_stdout(io.StringIO()), typed:
            code = app(page.arguments(command), prog_name="deepwell", standalone_mode=False) or 0
        made = set(place.glob("runs/*")) - before
        if command.startswith("deepwell train") and code == 0 and len(made) == 1:
            run = made.pop()
            self.trained[command] = self.store / f"{len(self.trained)}" / run.name
            shutil.copytree(run, self.trained[command])
        return code


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(tmp_path_factory.mktemp("trained"))


def check_page(path: Path, reader: Reader, place: Path, *, with_slow: bool) -> None:
    before = Path.cwd()
    os.chdir(place)
    try:
        reader.read(path, place, with_slow=with_slow)
    finally:
        os.chdir(before)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_code_and_commands_run(path: Path, reader: Reader, tmp_path: Path):
    check_page(path, reader, tmp_path, with_slow=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [p for p in PAGES if "<!-- slow -->" in p.read_text(encoding="utf-8")], ids=name_of
)
def test_slow_commands_run(path: Path, reader: Reader, tmp_path: Path):
    check_page(path, reader, tmp_path, with_slow=True)


def test_pages_have_blocks_that_run():
    runnable = {
        name_of(path): sum(block.is_run for block in page.blocks(path.read_text(encoding="utf-8")))
        for path in PAGES
    }
    assert runnable["README.md"] >= 6
    assert runnable["docs/tutorial.md"] >= 6
    assert runnable["docs/python.md"] >= 8


def test_every_command_is_one_that_is_run():
    for path in PAGES:
        for block in page.blocks(path.read_text(encoding="utf-8")):
            if block.language in ("text", "toml", "svg"):
                assert "deepwell train" not in block.body, f"{path.name}, line {block.line}"


def test_generated_tables_are_up_to_date():
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "make.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_links_lead_somewhere(path: Path):
    for match in LINK.finditer(path.read_text(encoding="utf-8")):
        target, _, anchor = match["target"].partition("#")
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        goal = (path.parent / target).resolve() if target else path
        assert goal.exists(), f"{name_of(path)}: {match['target']}"
        assert goal.is_relative_to(ROOT), f"{name_of(path)}: {match['target']}"
        if anchor and goal.suffix == ".md":
            assert anchor in anchors(goal), f"{name_of(path)}: {match['target']}"


def anchors(path: Path) -> set[str]:
    """The anchors that headings get on the usual sites for code."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_pages_are_short(path: Path):
    limit = LONGEST.get(path.name, LONGEST_PAGE)
    if path.parent.name == "decisions":
        limit = LONGEST_DECISION
    written = page.MADE.sub(
        "", path.read_text(encoding="utf-8")
    )  # tables may be as long as need be
    assert len(written.splitlines()) <= limit


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "pictures").glob("*.svg")), ids=name_of)
def test_pictures_are_sound_and_follow_light_and_dark(path: Path):
    from xml.etree import ElementTree

    text = path.read_text(encoding="utf-8")
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert "prefers-color-scheme: dark" in text
    used = {p for p in PAGES if path.name in p.read_text(encoding="utf-8")}
    assert used, f"no page shows {path.name}"


def test_first_page_leads_to_every_other():
    found = {
        match["target"].partition("#")[0]
        for match in LINK.finditer((ROOT / "README.md").read_text(encoding="utf-8"))
    }
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert pages <= found, pages - found


def test_decisions_are_numbered_in_order_as_their_titles_are():
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    for expected, path in enumerate(files, 1):
        title = path.read_text(encoding="utf-8").partition("\n")[0]
        assert (path.name[:4], title[2:6]) == (f"{expected:04}", f"{expected:04}"), path.name
