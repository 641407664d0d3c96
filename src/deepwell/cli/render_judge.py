"""What the command line shows of comparisons and explorations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from deepwell.cli.render import NARROW, console, grid, shown_metrics

if TYPE_CHECKING:
    from deepwell.evaluation.comparing import ComparedRuns
    from deepwell.evaluation.exploring import Exploration


def show_comparison(result: ComparedRuns, output: Path | None) -> None:
    """Print the runs, their differences, and the verdict."""
    console.print(_contenders(result))
    if result.pairs:
        if console.width < NARROW:
            _show_pairs_below_each_other(result)
        else:
            console.print(_pairs(result))
    console.print(escape(result.verdict))
    for note in result.notes:
        console.print(f"[dim]{escape(note)}[/dim]")
    if output is not None:
        console.print(f"Written  {escape(str(output))}", soft_wrap=True)


def _contenders(result: ComparedRuns) -> Any:
    from deepwell.evaluation.comparing.page import contender_detail, spread_text
    from deepwell.evaluation.numerals import metric_texts

    others = [metric for metric in result.metrics if metric.name != result.metric.name]
    metrics = [result.metric, *others][: shown_metrics()]
    is_by_seed = any(one.spread is not None for one in result.contenders)
    table = grid(
        f"On {result.rows:,} test rows",
        "Network",
        metrics[0].title,
        f"{100 * result.confidence:g} % interval",
        *(["Spread"] if is_by_seed else [metric.title for metric in metrics[1:]]),
        numeric=(2, 3, *(() if is_by_seed else (4, 5))),
        whole=(0, 3) if " " in metrics[0].title else (0, 2, 3),
    )
    for one in result.contenders:
        texts = [metric_texts(m.name, one.scores[m.name].to_json()) for m in metrics]
        more = [spread_text(one, result.metric).removesuffix(" over the seeds")]
        rest = more if is_by_seed else [value for value, _ in texts[1:]]
        table.add_row(
            f"[bold]{escape(one.name)}[/bold]", escape(contender_detail(one)), *texts[0], *rest
        )
    return table


def _pairs(result: ComparedRuns) -> Any:
    from deepwell.evaluation.comparing.page import difference_texts, outcome_text
    from deepwell.evaluation.comparing.words import p_text

    is_corrected = len(result.pairs) > 1
    has_rows = any(pair.mcnemar for pair in result.pairs)
    heads = ["p, corrected" if is_corrected else "p", *(["McNemar p"] if has_rows else [])]
    table = grid(
        "Pair",
        f"Difference in {result.metric.title}",
        "Interval",
        *heads,
        "Outcome",
        numeric=(1, 2),
    )
    for pair in result.pairs:
        value, interval = difference_texts(result.metric, pair)
        p = p_text(pair.p_corrected if is_corrected else pair.p).removeprefix("= ")
        more = [p_text((pair.mcnemar or {}).get("p")).removeprefix("= ")] if has_rows else []
        names = f"{escape(pair.first)} − {escape(pair.second)}"
        table.add_row(names, value, interval, p, *more, escape(outcome_text(pair)))
    return table


def _show_pairs_below_each_other(result: ComparedRuns) -> None:
    """Print the pairs in a few lines each: a narrow terminal would break every column."""
    from deepwell.evaluation.comparing.page import difference_texts, outcome_text
    from deepwell.evaluation.comparing.words import p_text

    console.print(f"[bold]Difference in {escape(result.metric.title)}[/bold]")
    for pair in result.pairs:
        value, interval = difference_texts(result.metric, pair)
        is_corrected = len(result.pairs) > 1
        facts = [f"p {p_text(pair.p_corrected if is_corrected else pair.p)}"]
        facts[0] += ", corrected" if is_corrected else ""
        if pair.mcnemar:
            facts.append(f"McNemar p {p_text(pair.mcnemar.get('p'))}")
        console.print(f"{escape(pair.first)} − {escape(pair.second)}")
        console.print(f"  {value}" + (f" [dim]({interval})[/dim]" if interval else ""))
        console.print(f"  [dim]{', '.join(facts)}[/dim]: {escape(outcome_text(pair))}")


def show_exploration(found: Exploration, output: Path) -> None:
    """Print the clusters in words, the directions, and where the page is."""
    from deepwell.evaluation.numerals import count, percent

    console.print(f"{escape(found.source)}: {found.rows:,} rows, {escape(found.what)}")
    console.print(f"[bold]{escape(found.summary)}[/bold]")
    if found.clustering.k > 1:
        table = grid("Cluster", "Rows", "Share", "What sets it apart", numeric=(1, 2), whole=(1, 2))
        for group in found.groups:
            facts = "; ".join(fact.text for fact in group.facts) or "no column differs much"
            share = percent(group.share, 0)
            table.add_row(escape(group.name), count(group.rows), share, escape(facts))
        console.print(table)
    console.print(escape(found.directions))
    for note in found.notes:
        console.print(f"[dim]{escape(note)}[/dim]")
    console.print(f"Page     {escape(str(output))}", soft_wrap=True)
