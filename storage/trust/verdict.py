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
    metric = METRICS.get(document.get("metric") or "")
    sign = metric.sign if metric else 1

    def measured(key: str) -> float | None:
        return None if document.get(key) is None else sign * document[key]

    tried, value = document["candidates"], sign * document["value"]
    corrected, bound = measured("corrected_value"), measured("corrected_at_most")
    # Two values that differ are not shown as equal.
    places = next(
        (
            n
            for n in (3, 4, 5)
            if len(
                {f"{v:.{n}f}" for v in (value, bound if corrected is None else corrected) if v is not None}
            )
            > 1
        ),
        3,
    )
    said = [f"Best {metric.long_label if metric else 'mean value'} {value:.{places}f}"]
    is_bias_seen = corrected is None or sign * corrected < sign * value
    end = "maximum" if sign > 0 else "minimum"
    if tried > 1:
        said.append(
            f"Because it is the {end} of {tried} trials it is optimistic"
            if is_bias_seen
            else f"It is the {end} of {tried} trials, but no optimism was measured"
        )
    if corrected is not None:
        about = "" if document["correction"] == "repeats" else "about "
        low, high = (measured(f"corrected_{name}") for name in ("low", "high")[::sign])
        interval = "" if low is None else f", 95 % interval {low:.{places}f} to {high:.{places}f}"
        said.append(
            f"Corrected for selection: {about}{corrected:.{places}f}{interval} ({HOW_CORRECTED[document['correction']]})"
        )
    elif bound is not None:
        # A bound that is better than the value itself says nothing.
        said.append(
            f"Corrected for selection: at {'most' if sign > 0 else 'least'} {bound:.{places}f} ({'an upper' if sign > 0 else 'a lower'} bound, since pruned trials cannot be "
            f"corrected for; {repeats})"
            if sign * bound < sign * value
            else f"By how much is unknown, since pruned trials cannot be corrected for ({repeats})"
        )
    elif document["correction_reason"] is not None and tried > 1:
        said.append(f"By how much is unknown: {document['correction_reason']} ({repeats})")
    if nested := describe_nested(document.get("nested"), places, sign):
        said.append(nested)
    said.append(_describe_equals(document, "lower" if sign > 0 else "higher"))
    if document["not_judged"]:
        pruned = len(document["not_judged"])
        said.append(
            f"{say_count(pruned, 'trial was', 'trials were')} pruned and {'is' if pruned == 1 else 'are'} not part of "
            "this comparison"
        )
    return ". ".join(said)


def _describe_equals(document: dict[str, Any], worse: str) -> str:
    others = len(document["indistinguishable"]) - 1
    if document["noise_per_trial"] is None:
        return "There are too few trials or folds to estimate the random variation of a value"
    if not others:
        return f"All other complete trials are significantly {worse} (95 %)"
    are = "trial is" if others == 1 else "trials are"
    return (
        f"{others:,} other {are} statistically indistinguishable from it (95 %). "
        f"The fastest of these {others + 1:,} is trial {document['cheapest']['trial']}"
    )
