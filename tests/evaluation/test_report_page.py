"""The report as a page: headings, links, size, paper, colours, and its first screen."""

import base64
import itertools
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deepwell.evaluation import report
from deepwell.evaluation.page import command

Maker = Callable[..., Path]
Changer = Callable[..., None]
CSS = (Path(report.__file__).with_name("templates") / "report.css").read_text(encoding="utf-8")
MEGABYTE = 1_000_000


def parsed(page: str) -> ElementTree.Element:
    return ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))


def words(root: ElementTree.Element, anchor: str) -> str:
    node = root.find(f".//*[@id='{anchor}']")
    assert node is not None
    return " ".join(" ".join(node.itertext()).split())


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["houses", "pictures", "customers"])
def test_headings_descend_one_step_at_a_time(make_run: Maker, name: str):
    root = parsed(report.render(make_run(name)))

    levels = [int(node.tag[1]) for node in root.iter() if re.fullmatch("h[1-6]", node.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("name", ["houses", "pictures", "customers"])
def test_every_link_leads_to_one_place_of_the_page(make_run: Maker, name: str):
    root = parsed(report.render(make_run(name)))

    ids = [node.get("id") for node in root.iter() if node.get("id")]
    links = [node.get("href") or "" for node in root.iter("a")]
    assert len(ids) == len(set(ids))
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    labels = [node.get("aria-labelledby") for node in root.iter("section")]
    assert all(label in ids for label in labels)


def test_language_is_set_and_tables_scroll_in_a_box_that_keys_reach(make_run: Maker):
    root = parsed(report.render(make_run("houses")))

    assert root.get("lang") == "en"
    boxes = [node for node in root.iter("div") if node.get("class") == "scroll"]
    assert boxes
    assert all(box.get("tabindex") == "0" and box.get("aria-label") for box in boxes)


@pytest.mark.parametrize("name", ["houses", "pictures", "customers"])
def test_every_table_of_the_report_scrolls_in_a_box_of_its_own(make_run: Maker, name: str):
    """A table of four columns can be wider than a phone."""
    root = parsed(report.render(make_run(name)))

    boxed = {table for box in root.iter("div") if box.get("class") == "scroll" for table in box}
    bare = [table for table in root.iter("table") if table not in boxed]
    assert all(len(table.findall("thead/tr/th")) <= 3 for table in bare)


def test_no_rule_makes_an_element_wider_than_a_phone():
    before, _, _ = CSS.partition("@media print {")
    for rule, body in re.findall(r"([^{}]+)\{([^{}]*)\}", before):
        for least, unit in re.findall(r"(?<![-\w])(?:min-)?width: ([\d.]+)(rem|px)", body):
            pixels = float(least) * (16 if unit == "rem" else 1)
            # the table of columns stands in a box that scrolls
            assert pixels <= 320 or rule.strip() == ".columns", (rule, pixels)


def test_letters_grow_where_a_figure_is_drawn_small():
    """A figure is 400 units wide; beside the margins a phone has 320 pixels."""
    found = re.search(r"@container \(max-width: (\d+)rem\) \{ \.figure text [^}]*?([\d.]+)px", CSS)
    assert found is not None
    assert float(found[1]) * 16 >= 320
    assert float(found[2]) * 320 / 400 >= 11


def test_option_of_a_command_is_not_torn_and_text_in_it_is_escaped():
    assert command('a "b" --set x=1') == 'a &#34;b&#34; <span class="word">--set</span> x=1'


def test_number_and_percent_sign_stay_on_one_line(make_run: Maker, change: Changer):
    folder = make_run("houses")
    change(folder, "evaluation", verdict="The network wins, beyond the 95 % interval.")

    page = report.render(folder)

    assert "beyond the 95\u202f% interval" in page
    assert not re.search(r"\d %(?!\w)", page.partition("</style>")[2])


def test_first_screen_has_question_score_baselines_verdict_and_threshold(make_run: Maker):
    text = words(parsed(report.render(make_run("houses"))), "opening")

    for said in (
        "Predicting Sale_Price from 29 columns",
        "RMSE: the typical size of an error",
        "23,410",
        "95 % interval 21,770 – 25,210",
        "The network beats the constant guess",
        "Success threshold met",
        "Gradient-boosted trees 24,010",
        "What to know first The training ended while the network was still getting better.",
        "engine.epochs=40",
        "Next Answer new rows.",
    ):
        assert said in text, said


def test_score_is_not_told_twice_by_the_verdict(make_run: Maker, change: Changer):
    folder = make_run("houses")
    verdict = (
        "The network beats the mean. Its RMSE is 23,400 (95 % interval 21,800 to 25,200). Its "
        "answers were chosen for another end than accuracy, which is 82.6 % by that."
    )
    change(folder, "evaluation", verdict=verdict)

    text = words(parsed(report.render(folder)), "opening")

    assert "The network beats the mean." in text
    assert "Its RMSE" not in text
    assert "Its answers were chosen for another end" in text


@pytest.mark.parametrize("per_class", [False, True])
def test_promise_about_all_rows_says_for_which_class_it_is_not_reached(
    make_run: Maker, change: Changer, per_class: bool
):
    folder = make_run("customers")
    reached = {"value": 0.92, "low": 0.89, "high": 0.95, "rows": 400}
    parts = {
        "no": {"value": 0.97, "low": 0.95, "high": 0.99, "rows": 306},
        "yes": {"value": 0.755, "low": 0.66, "high": 0.83, "rows": 94},
    }
    coverage = {"kind": "classes", "promised": 0.9, "rows": 150, "per_class": per_class}
    coverage |= {"reached": reached, "parts": parts, "size": 1.3, "single": 0.7}
    change(folder, "evaluation", decision={"notes": [], "coverage": coverage})

    text = words(parsed(report.render(folder)), "decision")

    assert "The test rows keep the promise." in text
    assert ("Not class by class (yes 75.5 %)" in text) != per_class
    assert ("--per-class" in text) != per_class


def leak(column: str, severity: str) -> dict[str, Any]:
    sentence = f'"{column}" is known only afterwards.'
    return {
        "column": column,
        "kind": "copy",
        "severity": severity,
        "target": "Sale_Price",
        "sentence": sentence,
        "action": f"--ignore {column}",
    }


def test_leak_is_the_first_thing_to_know(make_run: Maker, change: Changer):
    folder = make_run("houses")
    change(folder, "data", leaks=[leak("tax", "leak"), leak("fee", "suspect")])

    root = parsed(report.render(folder))

    first = root.find(".//ul[@class='todo-list']/li")
    assert first is not None
    said = " ".join("".join(first.itertext()).split())
    assert '"tax" is known only afterwards. 1 more finding of this kind.' in said
    assert said.endswith("deepwell train … --ignore tax")
    assert "Does a column give the answer away?" in words(root, "belief")


def audit(crossing: int, *, ordinary: bool = False) -> dict[str, Any]:
    copies = {
        "search": "near",
        "exact": 9,
        "near": 3,
        "crossing": crossing,
        "ordinary": ordinary,
        "left_out": 0,
        "examples": [],
    }
    verdict = f"{crossing} copies are on another side."
    return {"copies": copies, "group": None, "time": None, "verdict": verdict}


@pytest.mark.parametrize(
    ("found", "answer", "is_urgent"),
    [
        (audit(0), "No. 12 copies stayed on the side of their row.", False),
        (audit(4), "4 copies are on another side.", True),
        (audit(4, ordinary=True), "which is ordinary here", False),
    ],
)
def test_copies_on_both_sides(
    make_run: Maker, change: Changer, found: dict[str, Any], answer: str, is_urgent: bool
):
    folder = make_run("houses")
    change(folder, "data", audit=found)

    root = parsed(report.render(folder))

    assert answer in words(root, "belief")
    assert (found["verdict"] in words(root, "opening")) == is_urgent


@pytest.mark.parametrize("differs", [False, True])
def test_rows_that_differ_are_told_first(make_run: Maker, change: Changer, differs: bool):
    folder = make_run("houses")
    verdict = "Training and test rows differ."
    change(folder, "data", shift={"differs": differs, "columns": {}, "verdict": verdict})

    root = parsed(report.render(folder))

    assert (verdict in words(root, "opening")) == differs
    assert (verdict in words(root, "belief")) == differs


def test_second_look_at_the_test_rows_is_told_first(make_run: Maker):
    folder = make_run("houses")
    assert "scored once, at the end" in words(parsed(report.render(folder)), "belief")
    looks = [{"what": "end of the training"}, {"what": "deepwell evaluate"}]
    (folder / "looks.json").write_text(json.dumps(looks), encoding="utf-8")

    root = parsed(report.render(folder))

    assert "The test rows were looked at 2 times" in words(root, "opening")
    assert "scored once" not in words(root, "belief")


def test_worst_slice_is_among_the_first_things_to_know(make_run: Maker, change: Changer):
    folder = make_run("houses")
    worst = {
        **dict.fromkeys(("rows", "share", "value", "rest", "difference", "low", "high", "p"), 0.25),
        "columns": {"Street": "gravel"},
        "sentence": "Street gravel: 2 times as much.",
    }
    found = {"searched": 9, "measure": "mean absolute error", "sentence": "One.", "level": 0.05}
    change(folder, "evaluation", slices={**found, "found": [worst]})

    root = parsed(report.render(folder))

    assert "For some rows it is worse. Street gravel" in words(root, "opening")
    assert "gravel" in words(root, "slices")


def test_trees_are_not_called_a_network(make_run: Maker, change: Changer):
    folder = make_run("houses")
    change(folder, "layers", model="boosted_trees", parameters=0, rows=[])

    root = parsed(report.render(folder))

    text = words(root, "opening")
    assert "model boosted_trees · trained in 17.3 s" in text
    assert "This model 23,410" in text
    assert "model better by 56,460" in text
    assert "The model" in words(root, "network")


def test_choices_of_a_race_in_folds_were_made_on_held_out_rows(make_run: Maker):
    folder = make_run("houses")
    assert "440 other rows, the validation rows, made" in words(
        parsed(report.render(folder)), "belief"
    )
    race = {"models": [], "folds": 5, "rows": 2344, "verdict": "", "metric": "rmse"}
    text = json.dumps({**race, "title": "RMSE", "score": 1.0})
    (folder / "race.json").write_text(text, encoding="utf-8")

    text = words(parsed(report.render(folder)), "belief")

    assert "rows that were held out of each training made all choices" in text


def test_question_says_in_words_how_the_answer_is_judged(make_run: Maker):
    houses = words(parsed(report.render(make_run("houses"))), "question")
    customers = words(parsed(report.render(make_run("customers"))), "question")

    assert "a number: 12,789 … 755,000" in houses
    assert "Success is rmse < 25000" in houses
    assert "one of two classes: <=50K, >50K" in customers
    assert "Accuracy: the share of rows that are answered right" in customers


def noise(random: np.random.Generator, side: int) -> str:
    """A picture that cannot be compressed, as the report would show it."""
    import io

    from PIL import Image

    stream = io.BytesIO()
    pixels = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def test_largest_pictures_stay_below_three_megabytes(make_run: Maker, change: Changer):
    labels = tuple(f"class {k} {'x' * 60}" for k in range(200))
    folder = make_run("pictures", labels=labels)
    random = np.random.default_rng(0)
    mistakes = read(folder, "evaluation")["mistakes"]
    assert len(mistakes) == 24  # the most that the settings allow
    change(folder, "evaluation", mistakes=[m | {"picture": noise(random, 128)} for m in mistakes])

    assert len(report.render(folder).encode()) < 3 * MEGABYTE


def test_largest_table_stays_below_three_megabytes(make_run: Maker, change: Changer):
    folder = make_run("houses")
    random = np.random.default_rng(0)
    state, layers = read(folder, "data"), read(folder, "layers")
    result = read(folder, "evaluation")
    long = "a long text " * 30
    one = state["schema"]["columns"][0] | {"summary": long, "reason": long, "warnings": [long] * 3}
    columns = [one | {"name": f"{k} {'x' * 90}"} for k in range(20_000)]
    target = state["schema"]["columns"][-1]
    change(
        folder, "data", schema={"num_rows": 9, "columns": [*columns, target]}, notes=[long] * 999
    )
    change(folder, "layers", rows=[layers["rows"][0]] * 20_000)
    points = {"actual": random.normal(size=2000).tolist(), "predicted": [0.5] * 2000}
    names = [f"target {k}" for k in range(500)]
    change(
        folder,
        "evaluation",
        residuals=[{"target": name, **points} for name in names],
        by_target={name: {"rmse": 1.5, "mae": 0.5, "r2": 0.25} for name in names},
        mistakes=[m | {"values": {f"{k}": long for k in range(12)}} for m in result["mistakes"]],
    )
    lines = [
        json.dumps({"kind": "epoch", "epoch": k, "train": {"loss": 1 / k}}) for k in range(1, 9)
    ]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")

    page = report.render(folder)

    assert len(page.encode()) < 3 * MEGABYTE
    text = words(parsed(page), "data")
    assert "19,601 more columns in data.json" in text
    assert "Sale_Price" in text
    assert "19,200 more lines in layers.json" in words(parsed(page), "network")


# paper


def test_paper_is_white_and_figures_are_not_torn():
    before, _, paper = CSS.partition("@media print {")
    assert "@media screen and (prefers-color-scheme: dark)" in before  # dark is for screens alone
    assert "prefers-color-scheme" not in paper
    rule = re.search(r"([^{}]*)\{ break-inside: avoid; \}", paper)
    assert rule is not None
    assert {"figure", "tr"} <= {part.strip() for part in rule[1].split(",")}


# colours for eyes that lack a kind of cone

MACHADO = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""Machado, Oliveira and Fernandes (2009), of linear RGB, at full severity."""


def linear(colour: str) -> NDArray[np.float64]:
    rgb = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    ) @ np.clip(rgb, 0, 1)
    x, y, z = np.cbrt(np.maximum(xyz / np.array([0.95047, 1.0, 1.08883]), 1e-6))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("eye", list(MACHADO))
def test_colours_stay_apart_for_colour_blind_eyes(mode: str, eye: str):
    blocks = re.findall(r":root \{(.*?)\}", CSS, flags=re.DOTALL)
    palette = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", blocks[0]))
    if mode == "dark":
        palette |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", blocks[1]))
    seen = {name: lab(np.array(MACHADO[eye]) @ linear(value)) for name, value in palette.items()}

    for first, second in (("hit", "miss"), ("accent", "warn"), ("accent", "plain")):
        distance = float(np.linalg.norm(seen[first] - seen[second]))
        assert distance >= 12, (first, second, distance)
