"""The report: complete, well formed, self-contained, readable, and honest about what is missing."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepwell.errors import RunError
from deepwell.evaluation import report

Maker = Callable[..., Path]
Changer = Callable[..., None]
TEMPLATES = Path(report.__file__).with_name("templates")


def parsed(page: str) -> ElementTree.Element:
    """The page as XML: fails if a tag is not closed or a value not escaped."""
    assert page.startswith("<!DOCTYPE html>")
    return ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))


def text_of(page: str, anchor: str | None = None) -> str:
    """All text of the page or of one chapter, in one line, every space a plain one."""
    root = parsed(page)
    node = root.find("body") if anchor is None else root.find(f".//*[@id='{anchor}']")
    assert node is not None
    return " ".join(" ".join(node.itertext()).split())


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["houses", "pictures", "customers"])
def test_page_is_well_formed_small_and_loads_nothing(make_run: Maker, name: str):
    page = report.render(make_run(name))

    tags = {node.tag for node in parsed(page).iter()}
    assert not tags & {"script", "link", "iframe", "object", "form"}
    without_pictures = re.sub(r'src="data:image/png;base64,[^"]*"', "", page)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|src=", without_pictures)
    assert "default-src 'none'" in page
    assert len(page.encode()) < 500_000


def test_chapters_come_in_the_order_of_the_story_and_are_linked(make_run: Maker):
    root = parsed(report.render(make_run("pictures")))

    sections = [node.get("id") for node in root.iter("section")]
    links = [node.get("href") for node in root.findall(".//nav//a")]
    assert sections == [
        "question",
        "data",
        "split",
        "answer",
        "training",
        "belief",
        "calibration",
        "failures",
        "mistakes",
        "diagnosis",
        "network",
        "reproduce",
    ]
    assert links == [f"#{name}" for name in sections]


def test_same_run_gives_same_page(make_run: Maker):
    folder = make_run("houses")

    assert report.render(folder) == report.render(folder)


def test_write_puts_the_page_into_the_run_folder(make_run: Maker):
    folder = make_run("customers")

    path = report.write(folder)

    assert path == folder / "report.html"
    assert path.read_text(encoding="utf-8") == report.render(folder)


def test_every_figure_and_picture_has_words(make_run: Maker):
    for name in ("houses", "pictures"):
        root = parsed(report.render(make_run(name)))
        drawings = list(root.iter("svg"))
        assert drawings
        for drawing in drawings:
            is_decoration = drawing.get("aria-hidden") == "true"
            assert is_decoration or (drawing.get("role") == "img" and drawing.get("aria-label"))
        assert all(image.get("alt") for image in root.iter("img"))


def test_headline_interval_and_unit(make_run: Maker):
    text = text_of(report.render(make_run("houses")), "opening")

    assert "RMSE on 586 test rows 23,410" in text
    assert "95 % interval 21,770 – 25,210" in text
    assert "in units of Sale_Price, lower is better" in text


def test_confidence_is_the_one_that_was_set(make_run: Maker):
    folder = make_run("houses")
    (folder / "config.toml").write_text("[evaluation]\nconfidence = 0.9\n", encoding="utf-8")

    assert "90 % interval 21,770" in text_of(report.render(folder), "opening")


def test_net_stands_beside_each_baseline_with_the_outcome(make_run: Maker):
    root = parsed(report.render(make_run("customers")))
    contest = root.find(".//figure[@class='contest']")
    assert contest is not None

    lines = [" ".join(" ".join(item.itertext()).split()) for item in contest.iter("li")]
    assert lines[0].startswith("This network 85.1 %")
    assert "net better by 9.0" in lines[1]
    assert "too close to call" in lines[2]
    assert "net worse by 2.1" in lines[3]
    assert len(contest.findall(".//svg[@class='track']")) == 4


def test_best_value_of_a_line_depends_on_the_direction(make_run: Maker):
    root = parsed(report.render(make_run("houses")))
    best: dict[str, list[bool]] = {}
    for row in root.findall(".//table[@class='metrics']/tbody/tr"):
        title = "".join(row[0].itertext()).split("\xa0")[0]
        best[title] = [cell[0].get("class") == "best-value" for cell in row.findall("td")]

    assert best["RMSE"] == [True, False, False, False]  # the lowest
    assert best["R²"] == [True, False, False, False]  # the highest


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("houses", "Success threshold met: asked was RMSE < 25,000, the test rows gave 23,412"),
        ("customers", "missed: asked was Accuracy ≥ 90 %, the test rows gave 85.1 %"),
    ],
)
def test_success_threshold(make_run: Maker, name: str, words: str):
    assert words in text_of(report.render(make_run(name)), "opening")


def test_metric_that_is_undefined_is_a_dash(make_run: Maker, change: Changer):
    folder = make_run("customers")
    evaluation = read(folder, "evaluation")
    evaluation["metrics"]["roc_auc"] = {"value": None, "low": None, "high": None}
    change(folder, "evaluation", metrics=evaluation["metrics"])

    assert re.search(r"ROC AUC\s+↑\s+–\s+–", text_of(report.render(folder), "answer"))


def test_values_from_the_data_cannot_become_markup(make_run: Maker, change: Changer):
    folder = make_run("houses")
    nasty = '<script>alert("1")</script>&amp;<img src=x onerror=y>'
    state, result = read(folder, "data"), read(folder, "evaluation")
    state["schema"]["columns"][0] |= {"name": nasty, "summary": nasty, "warnings": [nasty]}
    state["task"] |= {"targets": [nasty], "reason": nasty}
    state["split"] |= {"reason": nasty, "notes": [nasty]}
    result["mistakes"][0] |= {"actual": nasty, "detail": nasty, "values": {nasty: nasty}}
    result["residuals"][0]["target"] = nasty
    change(folder, "data", **state)
    change(folder, "evaluation", **(result | {"verdict": nasty}))
    finding = dict.fromkeys(("name", "title", "evidence", "cause", "action"), nasty)
    suspect = {"id": 1, "side": nasty, "given": nasty, "likely": nasty, "probability": 0.9}
    labels = {"found": 1, "suspects": [suspect]}
    found = {**finding, "severity": "warning"}
    change(folder, "diagnosis", findings=[found], measured={"labels": labels})
    (folder / "config.toml").write_text(f"# {nasty}\n", encoding="utf-8")

    page = report.render(folder)

    root = parsed(page)
    assert not list(root.iter("script"))
    assert not list(root.iter("img"))
    assert nasty in text_of(page)


def test_broken_characters_do_not_break_the_page(make_run: Maker, change: Changer):
    folder = make_run("houses")
    change(folder, "evaluation", verdict="a\x00b\x0b\ud800c")

    path = report.write(folder)

    assert "ab?c" in text_of(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "picture",
    ["https://example.org/a.png", "javascript:alert(1)", "data:text/html;base64,PGI+", "x"],
)
def test_only_pictures_inside_the_page_are_shown(make_run: Maker, change: Changer, picture: str):
    folder = make_run("pictures")
    mistakes = read(folder, "evaluation")["mistakes"][:1]
    change(folder, "evaluation", mistakes=[mistakes[0] | {"picture": picture}])

    page = report.render(folder)

    assert not list(parsed(page).iter("img"))
    assert picture not in page or picture == "x"


def test_small_pictures_are_shown_with_sharp_pixels(make_run: Maker):
    images = list(parsed(report.render(make_run("pictures"))).iter("img"))

    assert len(images) == 24
    assert {image.get("class") for image in images} == {"tiny"}
    assert images[0].get("alt") == "Row 0: actual T-shirt/top, predicted Dress"


def test_interrupted_run_says_so_and_how_to_go_on(make_run: Maker, change: Changer):
    folder = make_run("houses")
    (folder / "evaluation.json").unlink()
    (folder / "result.json").unlink()
    (folder / "diagnosis.json").unlink()
    change(folder, "status", state="interrupted", reason="Stopped by Ctrl-C.")

    page = report.render(folder)

    text = text_of(page)
    assert "This run was interrupted: Stopped by Ctrl-C." in text
    assert "deepwell resume runs/houses" in text
    assert "The test rows were not scored" in text
    ids = {node.get("id") for node in parsed(page).iter("section")}
    assert ids == {"question", "data", "split", "training", "network", "reproduce"}


def test_report_written_before_the_run_is_marked_finished_has_no_note(make_run: Maker):
    folder = make_run("pictures")

    assert read(folder, "status")["state"] == "running"
    assert "role='note'" not in report.render(folder).replace('"', "'")


def test_failed_run_says_why(make_run: Maker, change: Changer):
    folder = make_run("houses")
    change(folder, "status", state="failed", reason="The loss is not a number.")

    assert "This run failed: The loss is not a number." in text_of(report.render(folder))


def test_run_with_nothing_but_a_status(tmp_path: Path):
    (tmp_path / "status.json").write_text('{"state": "running"}', encoding="utf-8")

    page = report.render(tmp_path)

    assert "This run is not finished." in text_of(page)
    assert [node.get("id") for node in parsed(page).iter("section")] == ["reproduce"]


def test_folder_that_is_no_run(tmp_path: Path):
    with pytest.raises(RunError, match="is not a run folder"):
        report.render(tmp_path)


@pytest.mark.parametrize("content", ["{", "[1]", "\x80"])
def test_damaged_file_is_named(make_run: Maker, content: str):
    folder = make_run("houses")
    (folder / "evaluation.json").write_text(content, encoding="latin-1")

    with pytest.raises(RunError, match=r"evaluation\.json is damaged"):
        report.render(folder)


def test_without_baselines_only_the_net_is_shown(make_run: Maker, change: Changer):
    folder = make_run("houses")
    change(folder, "evaluation", baselines={}, comparisons=[])

    page = report.render(folder)

    assert "This network" in text_of(page, "opening")
    assert "Boosting" not in text_of(page)
    assert "Bold" not in text_of(page, "answer")
    assert "no simple model was trained beside it" in text_of(page, "belief")


def test_notes_on_the_split_are_told_once(make_run: Maker, change: Changer):
    folder = make_run("pictures")
    note = "43 training rows are also in the test file: left out."
    change(folder, "data", notes=[note, "Another."])

    page = report.render(folder)

    assert page.count(note) == 1
    assert note in text_of(page, "split")
    assert "Another." in text_of(page, "data")


def test_warnings_of_columns_are_shown_and_long_lists_are_folded(make_run: Maker, change: Changer):
    folder = make_run("houses")
    schema = read(folder, "data")["schema"]
    for one in schema["columns"][:10]:
        one["warnings"] = ["Look here."]
    change(folder, "data", schema=schema)

    page = report.render(folder)

    assert page.count("Look here.") == 10
    assert "2 more warnings" in text_of(page, "data")


def test_confusion_counts_shares_recall_and_precision(make_run: Maker, change: Changer):
    folder = make_run("customers")
    change(folder, "evaluation", confusion={"labels": ["a", "b"], "matrix": [[3, 1], [2, 0]]})

    root = parsed(report.render(folder))
    rows = root.findall(".//table[@class='confusion few']/tbody/tr")
    cells = [["|".join(cell.itertext()) for cell in row] for row in rows]
    foot = root.findall(".//table[@class='confusion few']/tfoot/tr/td")
    assert cells == [
        ["a|4", "3|75\u202f%", "1|25\u202f%", "75.0\u202f%"],
        ["b|2", "2|100\u202f%", "·", "0.0\u202f%"],
    ]
    assert ["".join(cell.itertext()) for cell in foot] == ["60.0\u202f%", "0.0\u202f%", ""]


def test_class_without_test_rows_has_no_recall(make_run: Maker, change: Changer):
    folder = make_run("customers")
    change(folder, "evaluation", confusion={"labels": ["a", "b"], "matrix": [[3, 0], [0, 0]]})

    root = parsed(report.render(folder))
    last = root.findall(".//table[@class='confusion few']/tbody/tr")[1][-1]
    assert last.text == "–"


def test_many_classes_are_told_as_their_most_confused_pairs(make_run: Maker):
    labels = tuple(f"kind {k}" for k in range(100))
    folder = make_run("pictures", labels=labels)
    matrix = np.array(read(folder, "evaluation")["confusion"]["matrix"])
    np.fill_diagonal(matrix, 0)
    i, j = np.unravel_index(matrix.argmax(), matrix.shape)

    page = report.render(folder)

    root = parsed(page)
    assert "confusion" not in {node.get("class", "").split(" ")[0] for node in root.iter("table")}
    first = root.find(".//section[@id='failures']//tbody/tr")
    assert first is not None
    shown = ["".join(cell.itertext()) for cell in first]
    assert shown[:3] == [labels[int(i)], labels[int(j)], str(matrix.max())]
    assert "Hardest classes" in text_of(page, "failures")


def test_several_targets_have_figures_each_and_a_table(make_run: Maker, change: Changer):
    folder = make_run("houses")
    one = read(folder, "evaluation")["residuals"][0]
    names = [f"target_{k}_with_a_very_long_name_{'x' * 80}" for k in range(8)]
    change(
        folder,
        "evaluation",
        residuals=[one | {"target": name} for name in names],
        by_target={name: {"rmse": 1234.0, "r2": None} for name in names},
    )

    page = report.render(folder)

    figures = parsed(page).findall(".//section[@id='failures']//svg")
    assert len(figures) == 12  # two for each of the first six
    assert "Without figures: target_6" in text_of(page, "failures")
    assert "1,234 –" in text_of(page, "answer")


def test_best_epoch_is_marked_and_explained(make_run: Maker):
    page = report.render(make_run("houses"))

    text = text_of(page, "training")
    assert "Epochs 60 of 100" in text
    assert "Best epoch 44" in text
    assert "best: epoch 44" in text
    labels = [node.get("aria-label") or "" for node in parsed(page).iter("svg")]
    assert any("The best epoch is 44." in label for label in labels)


def test_overfitting_is_named(make_run: Maker):
    folder = make_run("houses")
    lines = [
        {
            "kind": "epoch",
            "epoch": epoch,
            "step": epoch,
            "seconds": 0.1,
            "train": {"loss": 1 / epoch},
            "val": {"loss": 1 + abs(epoch - 3)},
            "learning_rate": 0.1,
            "best": epoch <= 3,
        }
        for epoch in range(1, 9)
    ]
    write_lines(folder, lines)

    assert "learn the training rows by heart" in text_of(report.render(folder), "training")


def write_lines(folder: Path, lines: list[dict[str, Any]], end: str = "") -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines) + end
    (folder / "metrics.jsonl").write_text(text, encoding="utf-8")


def test_torn_last_line_and_missing_validation(make_run: Maker):
    folder = make_run("houses")
    line = {"kind": "epoch", "epoch": 1, "step": 5, "train": {"loss": 0.5}, "val": None}
    write_lines(folder, [line], end='{"kind": "epo')

    assert "Epochs 1 of 100" in text_of(report.render(folder), "training")


def test_run_stopped_in_the_first_epoch_shows_its_steps(make_run: Maker):
    folder = make_run("houses")
    write_lines(folder, [{"kind": "step", "step": k, "epoch": 1, "loss": 9 - k} for k in (1, 2)])

    assert "Steps logged 2" in text_of(report.render(folder), "training")


def test_nan_losses_are_left_out(make_run: Maker):
    folder = make_run("houses")
    line = {"kind": "epoch", "step": 1, "val": {"loss": float("nan")}, "learning_rate": 0.1}
    losses = [(1, 2.0), (2, float("nan")), (3, float("inf"))]
    write_lines(folder, [line | {"epoch": e, "train": {"loss": loss}} for e, loss in losses])

    labels = [node.get("aria-label") for node in parsed(report.render(folder)).iter("svg")]
    assert any(label and "from 2 to 2" in label for label in labels)


def test_reproduction_has_command_seed_versions_and_settings(make_run: Maker):
    text = text_of(report.render(make_run("houses")), "reproduce")

    for words in (
        "deepwell train houses.csv --target Sale_Price",
        "Seed 0",
        "9c1f7ab29c1f7ab2",
        "AMD EPYC 9B45, 2 cores, 7.8 GiB memory",
        "torch 2.13.0",
        'method = "random"',
    ):
        assert words in text
    assert "/home/someone" not in text


def test_calibration_in_words(make_run: Maker):
    text = text_of(report.render(make_run("pictures")), "calibration")

    assert "The probabilities are slightly too high." in text
    assert "3.1 %" in text


# colours


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6}|\d+%)", block))


def luminance(rgb: np.ndarray) -> float:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def as_rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])


def contrast(first: np.ndarray, second: np.ndarray) -> float:
    high, low = sorted([luminance(first), luminance(second)], reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colours_have_the_contrast_of_wcag_aa(mode: str):
    css = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)
    palette = colours(blocks[0]) | (colours(blocks[1]) if mode == "dark" else {})
    rgb = {name: as_rgb(value) for name, value in palette.items() if value.startswith("#")}

    for ink in ("ink", "muted", "accent", "warn"):
        for paper in ("paper", "wash"):
            assert contrast(rgb[ink], rgb[paper]) >= 4.5, (ink, paper)
    assert contrast(rgb["ink"], rgb["warn-wash"]) >= 4.5
    assert contrast(rgb["accent"], rgb["accent-wash"]) >= 4.5
    assert contrast(rgb["paper"], rgb["warn"]) >= 4.5
    for line in ("accent", "plain", "warn"):
        assert contrast(rgb[line], rgb["paper"]) >= 3, line
    for heat in ("hit", "miss"):
        for step in range(1, 11):
            share = int(palette[f"s{step}"].rstrip("%")) / 100
            shade = share * rgb[heat] + (1 - share) * rgb["paper"]
            ink = rgb["paper"] if step >= 9 else rgb["ink"]
            assert contrast(ink, shade) >= 4.5, (heat, step)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colours_of_the_groups_can_be_seen(mode: str):
    sheet = (TEMPLATES / "sheet.css").read_text(encoding="utf-8")
    report_css = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", report_css, flags=re.DOTALL)[mode == "dark"]
    paper = as_rgb(colours(block)["paper"])
    found = re.findall(r"\.c\d \{ --c: (#[0-9a-f]{6})", sheet)
    assert len(found) == 20
    for colour in found[10:] if mode == "dark" else found[:10]:
        assert contrast(as_rgb(colour), paper) >= 3, colour


def test_notes_of_the_engine_stand_beside_the_learning_curves(make_run: Maker):
    folder = make_run("houses")
    assert "begin equal" not in text_of(report.render(folder), "training")
    note = {"kind": "note", "step": 0, "text": "All units of layer <0> begin equal."}
    path = folder / "metrics.jsonl"
    path.write_text(json.dumps(note) + "\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert "All units of layer <0> begin equal." in text_of(report.render(folder), "training")
