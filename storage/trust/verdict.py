"""What is said of a study's best value: how optimistic it is, and which other trials may be as good."""

from __future__ import annotations

from typing import Any

from storage.metrics.objectives import METRICS
from storage.trust.nested import describe_nested
from storage.wording import best_file, say_command, say_count

HOW_CORRECTED = {
    "repeats": "the mean of its repeats with new folds and seeds",
    "bootstrap": "estimated by bootstrap over patients",
    "simulation": "estimated by simulating the study",
}


def describe_selection(document: dict[str, Any]) -> str:
    """Say it for people who know their study and no statistics; without the last full stop.

    Args:
        document: as `storage.trust.selection.judge_selection` gives it.
    """
    repeats = (
        f"its repeats are planned: `{say_command('worker', document['study'])}` evaluates them, for an unbiased estimate"
        if document.get("repeats_planned")
        else f"`{say_command('study', 'create', 'NAME', '--from')} {best_file(document['study'])} --repeats 5` "
        "gives an unbiased estimate"
    )
    tried, value, corrected = document["candidates"], document["value"], document["corrected_value"]
    at_most = document["corrected_at_most"]
    # Two values that differ are not shown as equal.
    places = next(
        (
            n
            for n in (3, 4, 5)
            if len({f"{v:.{n}f}" for v in (value, corrected or at_most) if v is not None}) > 1
        ),
        3,
    )
    metric = METRICS.get(document.get("metric") or "")
    said = [f"Best {metric.long_label if metric else 'mean value'} {value:.{places}f}"]
    is_bias_seen = corrected is None or corrected < value
    if tried > 1:
        said.append(
            f"Because it is the maximum of {tried} trials it is optimistic"
            if is_bias_seen
            else f"It is the maximum of {tried} trials, but no optimism was measured"
        )
    if corrected is not None:
        about = "" if document["correction"] == "repeats" else "about "
        low, high = document.get("corrected_low"), document.get("corrected_high")
        interval = "" if low is None else f", 95 % interval {low:.{places}f} to {high:.{places}f}"
        said.append(
            f"Corrected for selection: {about}{corrected:.{places}f}{interval} ({HOW_CORRECTED[document['correction']]})"
        )
    elif at_most is not None:
        # A bound above the value itself says nothing.
        said.append(
            f"Corrected for selection: at most {at_most:.{places}f} (an upper bound, since pruned trials cannot be "
            f"corrected for; {repeats})"
            if at_most < value
            else f"By how much is unknown, since pruned trials cannot be corrected for ({repeats})"
        )
    elif document["correction_reason"] is not None and tried > 1:
        said.append(f"By how much is unknown: {document['correction_reason']} ({repeats})")
    if nested := describe_nested(document.get("nested"), places):
        said.append(nested)
    said.append(_describe_equals(document))
    if document["not_judged"]:
        pruned = len(document["not_judged"])
        said.append(
            f"{say_count(pruned, 'trial was', 'trials were')} pruned and {'is' if pruned == 1 else 'are'} not part of "
            "this comparison"
        )
    return ". ".join(said)


def _describe_equals(document: dict[str, Any]) -> str:
    others = len(document["indistinguishable"]) - 1
    if document["noise_per_trial"] is None:
        return "There are too few trials or folds to estimate the random variation of a value"
    if not others:
        return "All other complete trials are significantly lower (95 %)"
    are = "trial is" if others == 1 else "trials are"
    return (
        f"{others:,} other {are} statistically indistinguishable from it (95 %). "
        f"The fastest of these {others + 1:,} is trial {document['cheapest']['trial']}"
    )
