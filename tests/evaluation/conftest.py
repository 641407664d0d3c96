"""Run folders that look real, made without training: houses, pictures, customers."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Json = dict[str, Any]
GARMENTS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
TITLES = {
    "rmse": "RMSE",
    "mae": "Mean absolute error",
    "median_error": "Median absolute error",
    "r2": "R²",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "specificity": "Specificity",
    "f1": "F1",
    "mcc": "Matthews correlation",
    "log_loss": "Log loss",
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
}


DIAGNOSIS: Json = {
    "findings": [
        {
            "name": "unconverged",
            "title": "The training ended while the network was still getting better.",
            "severity": "warning",
            "evidence": "The last 4 epochs of 20 brought 12\u202f% of the fall.",
            "cause": "Too few epochs.",
            "action": "deepwell train a.csv --config runs/a/config.toml --set engine.epochs=40",
        }
    ],
    "measured": {
        "curve": {
            "rows": [100, 200, 400],
            "errors": [0.4, 0.3, 0.25],
            "spread": [0.02, 0.01, 0.01],
            "repetitions": 3,
            "floor": 0.15,
            "scale": 2.5,
            "exponent": 0.5,
            "now": {"rows": 400, "error": 0.275, "low": 0.26, "high": 0.28},
            "more": [
                {"factor": 2, "rows": 800, "error": 0.238, "low": 0.22, "high": 0.25},
                {"factor": 4, "rows": 1600, "error": 0.2125, "low": 0.19, "high": 0.24},
            ],
        },
        "spread": {"kind": "squared", "networks": 6, "error": 4.0, "bias": 3.0, "variance": 1.0},
    },
}


def write_run(folder: Path, files: Json, lines: list[Json], config: str) -> Path:
    """Write the files of a run folder."""
    folder.mkdir(parents=True)
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text, encoding="utf-8")
    (folder / "config.toml").write_text(config, encoding="utf-8")
    return folder


def around(value: float, spread: float) -> Json:
    return {"value": value, "low": value - spread, "high": value + 1.1 * spread}


def manifest(name: str, rows: int, command: str) -> Json:
    return {
        "created": "2025-11-20T05:32:10+00:00",
        "command": command,
        "seed": 0,
        "versions": {
            "deepwell": "0.1.0",
            "python": "3.11.7",
            "torch": "2.13.0",
            "numpy": "2.4.1",
            "polars": "2.1.0",
            "scikit-learn": "1.9.0",
        },
        "hardware": {
            "system": "Linux-6.1-x86_64-with-glibc2.36",
            "processor": "AMD EPYC 9B45",
            "cores": 2,
            "memory_gib": 7.8,
            "device": "cpu",
        },
        "data": {
            "path": f"/home/someone/data/{name}.csv",
            "name": name,
            "digest": "9c1f7ab2" * 8,
            "rows": rows,
        },
    }


def learning_lines(epochs: int, best: int, score: str, scale: float, rising: bool) -> list[Json]:
    """Lines of metrics.jsonl: smooth curves with noise, the validation loss has a least value."""
    random = np.random.default_rng(3)
    lines: list[Json] = []
    for epoch in range(1, epochs + 1):
        train = 0.9 * np.exp(-epoch / (0.35 * best)) + 0.06 + 0.004 * random.standard_normal()
        late = max(0, epoch - best) / best
        val = 0.85 * np.exp(-epoch / (0.35 * best)) + 0.11 + 0.03 * late
        val += 0.002 * random.standard_normal() + (0 if epoch == best else 0.006)
        step = 25 * epoch
        for at in (step - 24, step - 12):
            loss = train * (1 + 0.2 * random.standard_normal())
            lines.append({"kind": "step", "step": at, "epoch": epoch, "loss": loss})
        values = [1 - 0.8 * loss if rising else loss for loss in (train, val)]
        lines.append(
            {
                "kind": "epoch",
                "epoch": epoch,
                "step": step,
                "seconds": 0.31,
                "train": {"loss": train, score: scale * values[0]},
                "val": {"loss": val, score: scale * values[1]},
                "learning_rate": 0.0005 * (1 + np.cos(np.pi * epoch / epochs)),
                "best": epoch <= best and (epoch < best / 2 or epoch == best),
            }
        )
    return lines


def column(name: str, kind: str, role: str = "input", **more: Any) -> Json:
    reason = {"number": "all values are numbers", "category": "few different texts"}
    return {
        "name": name,
        "kind": kind,
        "role": role,
        "reason": reason.get(kind, f"looks like {kind}"),
        "missing": 0,
        "distinct": 12,
        "summary": "1 … 90",
        "warnings": [],
        **more,
    }


def comparison(baseline: str, metric: str, difference: float, outcome: str) -> Json:
    ends = sorted([0.7 * difference, 1.3 * difference])
    if outcome == "undecided":
        ends = [-abs(difference), 3 * abs(difference)]
    return {
        "baseline": baseline,
        "metric": metric,
        "difference": difference,
        "low": ends[0],
        "high": ends[1],
        "outcome": outcome,
    }


def evaluation(task: str, primary: str, metrics: Json, baselines: Json, **more: Any) -> Json:
    return {
        "task": task,
        "targets": [],
        "labels": [],
        "primary": primary,
        "rows": {},
        "metrics": metrics,
        "titles": {name: TITLES[name] for name in metrics},
        "baselines": baselines,
        "baseline_titles": {
            "constant": "Mean of the training rows"
            if task == "regression"
            else "The most frequent class",
            "linear": "Linear model (ridge)" if task == "regression" else "Logistic regression",
            "boosting": "Gradient-boosted trees",
        },
        "baseline_seconds": {"constant": 0.001, "linear": 0.21, "boosting": 1.84},
        "comparisons": [],
        "verdict": "",
        "success": None,
        "confusion": None,
        "calibration": None,
        "residuals": None,
        "mistakes": [],
        **more,
    }


def house_columns() -> list[Json]:
    names = [
        "MS_SubClass",
        "MS_Zoning",
        "Lot_Frontage",
        "Lot_Area",
        "Street",
        "Neighborhood",
        "Bldg_Type",
        "House_Style",
        "Overall_Cond",
        "Year_Built",
        "Year_Remod_Add",
        "Roof_Style",
        "Exterior_1st",
        "Mas_Vnr_Area",
        "Foundation",
        "Total_Bsmt_SF",
        "Heating",
        "Central_Air",
        "First_Flr_SF",
        "Second_Flr_SF",
        "Gr_Liv_Area",
        "Full_Bath",
        "Bedroom_AbvGr",
        "Garage_Cars",
        "Garage_Area",
        "Wood_Deck_SF",
        "Yr_Sold",
        "Longitude",
        "Latitude",
    ]
    texts = {"MS_SubClass", "MS_Zoning", "Street", "Neighborhood", "Bldg_Type", "House_Style"}
    columns = [column(n, "category" if n in texts else "number") for n in names]
    columns[2] |= {"missing": 490, "summary": "21 … 313"}
    columns[4] |= {"warnings": ["99.6 % of the rows have the same value."]}
    columns[5] |= {"summary": "North_Ames 15 %, College_Creek 9 %, Old_Town 8 %, 25 more"}
    price = column("Sale_Price", "number", "target", distinct=1032, summary="12,789 … 755,000")
    return [*columns, price]


def regression_pairs(rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    random = np.random.default_rng(1)
    actual = np.exp(random.normal(12, 0.4, rows)).round(-2)
    predicted = actual * np.exp(random.normal(0.01, 0.12, rows))
    return actual, predicted


def houses(folder: Path) -> Path:
    """A regression with all parts of a report."""
    actual, predicted = regression_pairs(586)
    worst = np.argsort(-np.abs(predicted - actual))[:24]
    columns = house_columns()
    baselines = {
        "constant": _regression_metrics(79870.0, 58210.0, 43110.0, -0.002),
        "linear": _regression_metrics(29120.0, 17380.0, 11930.0, 0.866),
        "boosting": _regression_metrics(24010.0, 14820.0, 9480.0, 0.909),
    }
    result = evaluation(
        "regression",
        "rmse",
        _regression_metrics(23412.0, 14105.0, 9012.0, 0.914),
        baselines,
        targets=["Sale_Price"],
        rows={"train": 1904, "val": 440, "test": 586},
        comparisons=[
            comparison("constant", "rmse", -56458.0, "better"),
            comparison("linear", "rmse", -5708.0, "better"),
            comparison("boosting", "rmse", -598.0, "undecided"),
        ],
        verdict="The network beats the constant guess and the linear model beyond the interval. "
        "Against gradient boosting it is too close to call.",
        success={
            "expression": "rmse < 25000",
            "metric": "rmse",
            "operator": "<",
            "threshold": 25000.0,
            "value": 23412.0,
            "met": True,
        },
        residuals=[
            {"target": "Sale_Price", "actual": actual.tolist(), "predicted": predicted.tolist()}
        ],
        mistakes=[
            {
                "id": int(i) * 5,
                "actual": f"{actual[i]:,.0f}",
                "predicted": f"{predicted[i]:,.0f}",
                "detail": f"off by {abs(predicted[i] - actual[i]):,.0f}",
                "values": {one["name"]: "North_Ames" for one in columns[:-1]},
                "picture": None,
            }
            for i in worst
        ],
    )
    return write_run(
        folder,
        {
            "status": {"state": "finished", "reason": ""},
            "manifest": manifest("houses", 2930, "deepwell train houses.csv --target Sale_Price"),
            "data": {
                "schema": {"num_rows": 2930, "columns": columns},
                "notes": ["Column Pool_QC is empty in each row and was ignored."],
                "task": {
                    "name": "regression",
                    "reason": "Sale_Price is a number with 1,032 different values, so the task is "
                    "regression.",
                    "targets": ["Sale_Price"],
                    "labels": [],
                },
                "split": {
                    "reason": "Rows were divided at random: no group or time column was named.",
                    "rows": {"train": 1904, "val": 440, "test": 586},
                    "duplicates": 6,
                    "notes": [],
                },
            },
            "layers": {
                "rows": [
                    layer("encoder.embeddings.0", "Embedding", "(batch, 8)", 128),
                    layer("body.0", "Linear", "(batch, 256)", 31232),
                    layer("body.1", "ReLU", "(batch, 256)", 0),
                    layer("body.2", "Linear", "(batch, 128)", 32896),
                    layer("body.3", "ReLU", "(batch, 128)", 0),
                    layer("head", "Linear", "(batch, 1)", 129),
                ],
                "parameters": 64385,
                "trainable": 64385,
                "model": "mlp",
                "settings": {"hidden_sizes": [256, 128], "activation": "relu", "dropout": 0.1},
            },
            "evaluation": result,
            "result": {"seconds": {"training": 17.3, "evaluation": 2.4}},
            "diagnosis": DIAGNOSIS,
        },
        learning_lines(60, 44, "mae", 90000, rising=False),
        'target = ["Sale_Price"]\n\n[split]\nmethod = "random"\n\n[engine]\nepochs = 100\n',
    )


def layer(name: str, kind: str, shape: str, parameters: int) -> Json:
    row = {"name": name, "kind": kind, "output_shape": shape, "parameters": parameters}
    return {**row, "trainable": parameters}


def _regression_metrics(rmse: float, mae: float, median: float, r2: float) -> Json:
    return {
        "rmse": around(rmse, 0.07 * rmse),
        "mae": around(mae, 0.04 * mae),
        "median_error": around(median, 0.06 * median),
        "r2": around(r2, 0.015),
    }


def class_metrics(accuracy: float, spread: float = 0.005) -> Json:
    values = {
        "accuracy": accuracy,
        "balanced_accuracy": accuracy - 0.001,
        "precision": accuracy + 0.0005,
        "recall": accuracy - 0.001,
        "specificity": 1 - (1 - accuracy) / 9,
        "f1": accuracy - 0.0006,
        "mcc": accuracy - 0.008,
        "log_loss": 2.3 * (1 - accuracy) + 0.05,
        "roc_auc": 1 - (1 - accuracy) / 20,
        "average_precision": 1 - (1 - accuracy) / 3,
    }
    return {name: around(value, spread) for name, value in values.items()}


def confusion(num_classes: int, rows_each: int, right: float) -> list[list[int]]:
    random = np.random.default_rng(2)
    wrong = random.dirichlet(np.full(num_classes - 1, 0.25), num_classes)
    matrix = np.zeros((num_classes, num_classes), dtype=int)
    for i in range(num_classes):
        found = round(rows_each * min(0.995, right + 0.05 * random.standard_normal()))
        matrix[i, i] = found
        matrix[i, [k for k in range(num_classes) if k != i]] = random.multinomial(
            rows_each - found, wrong[i]
        )
    return matrix.tolist()


def garment(random: np.random.Generator) -> str:
    """Return a small grey picture as a data URL."""
    from PIL import Image

    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    a, b = random.uniform(0.3, 0.8, 2)
    shape = (np.abs(x / a) ** 3 + np.abs(y / b) ** 3 < 1) * random.uniform(120, 255)
    noise = random.normal(0, 12, shape.shape) * (shape > 0)
    pixels = np.clip(shape + noise, 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def reliability_bins(over: float) -> list[Json]:
    counts = [0, 0, 14, 60, 130, 180, 260, 420, 900, 8036]
    return [
        {
            "predicted": (k + 0.5) / 10 if count else 0.0,
            "observed": max(0.0, (k + 0.5) / 10 - over * (1 - k / 10) - 0.01) if count else 0.0,
            "count": count,
        }
        for k, count in enumerate(counts)
    ]


def pictures(folder: Path, labels: tuple[str, ...] = GARMENTS) -> Path:
    """A classification of pictures into several classes."""
    random = np.random.default_rng(4)
    many = len(labels)
    result = evaluation(
        "multiclass",
        "accuracy",
        class_metrics(0.9261),
        {
            "constant": {name: around(0.1, 0.0) for name in class_metrics(0.1)},
            "linear": class_metrics(0.8437, 0.007),
        },
        targets=["label"],
        labels=list(labels),
        rows={"train": 51000, "val": 9000, "test": 10000},
        comparisons=[
            comparison("constant", "accuracy", 0.8261, "better"),
            comparison("linear", "accuracy", 0.0824, "better"),
        ],
        verdict="The network beats the constant guess and logistic regression beyond the interval.",
        confusion={"labels": list(labels), "matrix": confusion(many, 10000 // many, 0.92)},
        calibration={"error": 0.031, "bins": reliability_bins(0.12)},
        mistakes=[
            {
                "id": 97 * k,
                "actual": labels[k % many],
                "predicted": labels[(k + 3) % many],
                "detail": f"{99 - k} % sure",
                "values": {},
                "picture": garment(random),
            }
            for k in range(24)
        ],
    )
    layers = [
        layer(f"layer{1 + k // 8}.{k % 8}.conv", "Conv2d", "(batch, 64, 14, 14)", 36864)
        for k in range(40)
    ]
    return write_run(
        folder,
        {
            "status": {"state": "running", "reason": ""},
            "manifest": manifest("fashion", 70000, "deepwell train fashion-mnist/"),
            "data": {
                "schema": {
                    "num_rows": 60000,
                    "columns": [
                        column("image", "image", distinct=0, summary="28 × 28, grey"),
                        column("label", "category", "target", distinct=many),
                    ],
                },
                "notes": [],
                "task": {
                    "name": "multiclass",
                    "reason": f"label has {many} different values, so the task is classification.",
                    "targets": ["label"],
                    "labels": list(labels),
                },
                "split": {
                    "reason": "The test rows are those of the given test files; the others were "
                    "divided so that each class has the same share in each part.",
                    "rows": {"train": 51000, "val": 9000, "test": 10000},
                    "duplicates": 0,
                    "notes": ["43 training rows are also in the test file: left out."],
                },
            },
            "layers": {
                "rows": layers,
                "parameters": 11173962,
                "trainable": 11173962,
                "model": "resnet18",
                "settings": {"stem": "small", "mean": [0.286], "std": [0.353]},
            },
            "evaluation": result,
            "result": {"seconds": {"training": 512.0, "evaluation": 9.5}},
            "diagnosis": DIAGNOSIS,
        },
        learning_lines(8, 8, "accuracy", 1.0, rising=True),
        "[engine]\nepochs = 8\n",
    )


def customers(folder: Path) -> Path:
    """A classification of rows into two classes; the net loses against boosting."""
    result = evaluation(
        "binary",
        "accuracy",
        class_metrics(0.851, 0.007),
        {
            "constant": {**class_metrics(0.761, 0.009), "roc_auc": {"value": None}},
            "linear": class_metrics(0.8489, 0.007),
            "boosting": class_metrics(0.8722, 0.006),
        },
        targets=["income"],
        labels=["<=50K", ">50K"],
        rows={"train": 31747, "val": 7326, "test": 9769},
        comparisons=[
            comparison("constant", "accuracy", 0.09, "better"),
            comparison("linear", "accuracy", 0.0021, "undecided"),
            comparison("boosting", "accuracy", -0.0212, "worse"),
        ],
        verdict="The network is worse than gradient boosting beyond the interval: use that model.",
        success={
            "expression": "accuracy >= 0.9",
            "metric": "accuracy",
            "operator": ">=",
            "threshold": 0.9,
            "value": 0.851,
            "met": False,
        },
        confusion={"labels": ["<=50K", ">50K"], "matrix": [[6980, 451], [1004, 1334]]},
        calibration={"error": 0.012, "bins": reliability_bins(0.02)},
        mistakes=[
            {
                "id": 17 * k,
                "actual": ">50K",
                "predicted": "<=50K",
                "detail": "99 % sure",
                "values": {"age": "23", "occupation": "Handlers-cleaners", "hours_per_week": "12"},
                "picture": None,
            }
            for k in range(12)
        ],
    )
    return write_run(
        folder,
        {
            "status": {"state": "finished", "reason": ""},
            "manifest": manifest("adult", 48842, "deepwell train adult.csv --target income"),
            "data": {
                "schema": {
                    "num_rows": 48842,
                    "columns": [
                        column("age", "number"),
                        column("occupation", "category", missing=2809),
                        column("hours_per_week", "number"),
                        column("income", "category", "target", distinct=2),
                    ],
                },
                "notes": [],
                "task": {
                    "name": "binary",
                    "reason": "income has two different values, so the task is classification.",
                    "targets": ["income"],
                    "labels": ["<=50K", ">50K"],
                },
                "split": {
                    "reason": "Each class has the same share in each part.",
                    "rows": {"train": 31747, "val": 7326, "test": 9769},
                    "duplicates": 52,
                    "notes": [],
                },
            },
            "layers": {
                "rows": [layer("head", "Linear", "(batch, 1)", 105)],
                "parameters": 105,
                "trainable": 105,
                "model": "linear",
                "settings": {},
            },
            "evaluation": result,
            "result": {"seconds": {"training": 9.1, "evaluation": 3.0}},
            "diagnosis": DIAGNOSIS,
        },
        learning_lines(20, 12, "accuracy", 0.9, rising=True),
        "[engine]\nepochs = 20\n",
    )


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Make a fake run by name: houses, pictures or customers."""
    makers = {"houses": houses, "pictures": pictures, "customers": customers}

    def make(name: str, **options: Any) -> Path:
        return makers[name](tmp_path / "runs" / name, **options)

    return make


@pytest.fixture
def change() -> Callable[..., None]:
    """Change values of a JSON file of a run folder; None as a value removes the file."""

    def change(folder: Path, file: str, **values: Any) -> None:
        path = folder / f"{file}.json"
        state = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(state | values), encoding="utf-8")

    return change
