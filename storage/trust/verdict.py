"""What is said of a study's best value: how much of it is luck, and what else may be as good."""

from __future__ import annotations

from typing import Any

from storage.wording import best_file, say_command, say_count

HOW_CORRECTED = {
    "repeats": "measured: the mean of its fresh repeats",
    "bootstrap": "estimated by drawing the patients anew, the bootstrap",
    "simulation": "estimated by simulating the study",
}


def describe_selection(document: dict[str, Any]) -> str:
    """Say it for people who know their study and no statistics; without the last full stop."""
    tried = document["candidates"]
    repeats = (
        f"`{say_command('study', 'create', 'NAME', '--from')} {best_file(document['study'])} --repeats 5`"
    )
    said = [f"It is {document['value']:.4f}"]
    corrected = document["corrected_value"]
    is_luck_seen = corrected is None or corrected < document["value"]
    if tried > 1:
        chosen = f"it was chosen because it is the highest of {tried} trials"
        said = [f"{said[0]}, in part by luck: {chosen}" if is_luck_seen else f"{said[0]}; {chosen}"]
    if corrected is not None:
        said.append(
            f"{'Without that luck it is about' if is_luck_seen else 'That this was luck cannot be seen: corrected for it'} "
            f"{corrected:.4f} ({HOW_CORRECTED[document['correction']]})"
        )
    elif document["corrected_at_most"] is not None:
        at_most = document["corrected_at_most"]
        # A bound above the value itself says nothing.
        known = (
            f"Without that luck it is at most {at_most:.4f}"
            if at_most < document["value"]
            else "How much is luck is not known"
        )
        said.append(
            f"{known}: the pruner chose by luck, too, and only fresh repeats tell how much ({repeats})"
        )
    elif document["correction_reason"] is not None:
        said.append(f"How much is luck is not known: {document['correction_reason']} ({repeats})")
    others = len(document["indistinguishable"]) - 1
    if document["noise_per_trial"] is None:
        said.append("There are too few trials or folds to tell how much values vary by chance")
    elif others:
        said.append(
            f"{say_count(others, 'other trial')} cannot be told from it: what they score less may be chance. The cheapest "
            f"of these and the best itself is point {document['cheapest']['point']}"
        )
    else:
        said.append("No other trial comes so near that the difference may be chance")
    if document["not_judged"]:
        stopped = len(document["not_judged"])
        said.append(
            f"{say_count(stopped, 'trial was', 'trials were')} stopped early, so nobody knows what "
            f"{'it' if stopped == 1 else 'they'} would have come to"
        )
    return ". ".join(said)
