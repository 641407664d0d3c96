"""The figures: scales with round values, points at their place, far values that ruin nothing."""

import re

import numpy as np
import pytest

from deepwell.evaluation.drawing import Scale, element, log_ticks, round_ticks, tick_texts
from deepwell.evaluation.figures import Line, curve, histogram, reliability, scatter, usual_range
from deepwell.evaluation.strips import Span, split_bar, track, track_axis, track_scale


def test_round_ticks_are_round_inside_and_not_too_many():
    random = np.random.default_rng(0)
    for _ in range(300):
        low = random.normal() * 10.0 ** random.integers(-6, 9)
        high = low + abs(low) * 10.0 ** random.uniform(-5, 5)
        ticks = round_ticks(low, high)
        assert 1 <= len(ticks) <= 6
        assert all(
            low - 1e-6 * (high - low) <= tick <= high + 1e-6 * (high - low) for tick in ticks
        )
        steps = np.diff(ticks)
        assert len(steps) == 0 or np.allclose(steps, steps[0])


@pytest.mark.parametrize(
    ("low", "high"), [(0.01, 1.0), (0.2, 9.0), (1e-8, 1e8), (3.0, 4.0), (0.45, 3.2)]
)
def test_log_ticks_are_inside(low: float, high: float):
    ticks = log_ticks(low, high)
    assert len(ticks) <= 6
    assert all(low * 0.99 <= tick <= high * 1.01 for tick in ticks)


def test_texts_of_an_axis_differ():
    for ticks in ([1e5, 1.5e5, 2e5], [0.0, 0.0002, 0.0004], [1e13, 2e13], [-0.5, 0.0, 0.5]):
        assert len(set(tick_texts(ticks))) == len(ticks)


def test_text_and_attributes_are_escaped():
    drawn = str(element("text", "<b>", aria_label='"quoted" & <b>'))
    assert "<b>" not in drawn
    assert '"quoted"' not in drawn


def test_logarithmic_scale_has_equal_ratios_at_equal_distances():
    scale = Scale(1, 100, 0, 200, is_log=True)
    assert scale(10) == pytest.approx(100)


def test_curve_turns_logarithmic_when_the_values_span_decades():
    epochs = [1.0, 2.0, 3.0, 4.0]
    assert "(log scale)" in curve([Line("a", epochs, [100.0, 10.0, 1.0, 0.1])], title="loss")
    assert "(log scale)" not in curve([Line("a", epochs, [4.0, 3.0, 2.0, 1.0])], title="loss")


def test_learning_rate_that_ends_next_to_zero_is_not_logarithmic():
    rates = [10.0**-k for k in range(8)]
    line = Line("", range(1, 9), rates, "plain")

    assert "log scale" in curve([line], title="rate")
    assert "log scale" not in curve([line], title="rate", may_be_log=False)


def test_epochs_are_whole_numbers():
    drawn = curve([Line("training", [1, 2], [0.5, 0.4])], title="loss")

    assert re.findall(r'class="tick mid"[^>]*>([^<]*)<', drawn) == ["1", "2"]


def test_long_curve_is_thinned_and_keeps_its_end():
    xs = [float(k) for k in range(5000)]
    drawn = curve([Line("a", xs, xs)], title="loss")
    points = re.findall(r'points="([^"]*)"', drawn)[0].split()
    assert len(points) <= 402
    assert points[-1] == max(points, key=lambda point: float(point.split(",")[0]))


@pytest.mark.parametrize("values", [[0.0], [3.0, 3.0], [-1.0, -2.0]])
def test_curve_of_few_or_constant_values(values: list[float]):
    xs = [float(k + 1) for k in range(len(values))]
    drawn = curve([Line("a", xs, values)], title="loss", best=1.0)
    assert "nan" not in drawn
    assert "best: epoch 1" in drawn


def test_scatter_puts_equal_values_on_the_diagonal():
    values = np.array([1.0, 2.0, 5.0])
    drawn = scatter(values, values, target="y")
    (x1, y1, x2, y2) = (
        float(re.findall(rf'class="ideal"[^>]* {name}="([\d.]+)"', drawn)[0])
        for name in ("x1", "y1", "x2", "y2")
    )
    places = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', drawn)
    assert len(places) == 3
    for x, y in places:
        expected = y1 + (float(x) - x1) / (x2 - x1) * (y2 - y1)
        assert float(y) == pytest.approx(expected, abs=0.2)


def test_one_far_value_does_not_ruin_the_range():
    values = np.append(np.random.default_rng(0).normal(size=500), 1e9)
    low, high = usual_range(values)
    assert high < 20
    assert low < -2


def test_range_of_equal_values_is_not_empty():
    for value in (0.0, 7.0, -7.0):
        low, high = usual_range(np.full(3, value))
        assert low < value < high


def test_histogram_counts_all_rows_and_divides_at_zero():
    errors = np.random.default_rng(0).normal(3, 1, 400)
    drawn = histogram(errors, target="y")
    bars = re.findall(r"<title>(\S+) to (\S+): ([\d,]+) rows?</title>", drawn)
    assert sum(int(amount) for *_, amount in bars) == 400
    for start, end, _ in bars:
        low, high = (float(edge.replace("−", "-")) for edge in (start, end))
        assert low >= 0 or high <= 0


def test_histogram_of_perfect_predictions():
    assert "nan" not in histogram(np.zeros(10), target="y")


def test_reliability_leaves_out_empty_bins():
    bins = [
        {"predicted": 0.1, "observed": 0.0, "count": 0},
        {"predicted": 0.9, "observed": 0.8, "count": 7},
    ]
    drawn = reliability(bins, stated="stated (%)", observed="observed (%)")
    assert drawn.count("<circle") == 1
    assert "90\u202f% sure: 80\u202f% of 7 rows." in drawn


def test_a_baseline_that_exploded_is_off_the_scale():
    spans = [Span(20.0, 18.0, 22.0, is_net=True), Span(80.0, 70.0, 90.0), Span(1e9, 9e8, 2e9)]
    scale = track_scale(spans)
    assert scale.high < 120
    assert "off the scale →" in track(spans[2], scale, described="")
    assert "off the scale" not in track(spans[1], scale, described="")


def test_the_net_is_on_the_scale_even_if_it_exploded():
    spans = [Span(1e9, 9e8, 2e9, is_net=True), Span(80.0, 70.0, 90.0), Span(90.0)]
    scale = track_scale(spans)
    assert "<circle" in track(spans[0], scale, described="")


def test_threshold_is_drawn_where_it_is():
    spans = [Span(0.8, 0.7, 0.9, is_net=True)]
    scale = track_scale(spans, threshold=0.95)
    drawn = track(spans[0], scale, described="", threshold=0.95)
    x = float(re.findall(r'class="goal" x1="([\d.]+)%"', drawn)[0])
    assert x == pytest.approx(scale(0.95), abs=0.01)


def test_split_bar_fills_its_width():
    drawn = split_bar([("training", 70), ("validation", 10), ("test", 20)])
    widths = [float(width) for width in re.findall(r'width="([\d.]+)%"', drawn)]
    assert sum(widths) == pytest.approx(100)
    assert "training 70, validation 10, test 20" in drawn


def test_values_at_the_ends_of_an_axis_stay_inside_it_and_say_their_unit():
    drawn = str(track_axis(Scale(20_000, 80_000, 0, 100)))
    assert '<text class="tick" x="0.00%" y="14">20k</text>' in drawn
    assert '<text class="tick end" x="100.00%" y="14">80k</text>' in drawn
    assert "75\u202f%" in str(track_axis(Scale(0.7, 0.8, 0, 100), in_percent=True))
