"""How a study trains, in one sentence a part: loss, optimizer, schedule, clipping, average of the weights; for methods and model cards."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from storage.spec import CLIPS, FUSED, KERAS_OPTIMIZERS, StudySpec, choose_options
from storage.wording import show_value

LOSSES = {
    "": "cross-entropy",
    "cross_entropy": "cross-entropy",
    "focal": "focal loss (Lin et al. 2017)",
    "asymmetric": "asymmetric loss (Ridnik et al. 2021)",
    "squared": "squared error",
    "absolute": "absolute error",
    "huber": "Huber's loss",
}
OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD with momentum"}
SCHEDULES = {
    "constant": "constant",
    "cosine": "cosine annealing, step by step",
    "sgdr": "cosine annealing with warm restarts, epoch by epoch",
}
CLIPPED = {
    "clipnorm": "the norm of each weight's gradient is clipped",
    "global_clipnorm": "the norm of all gradients together is clipped",
    "clipvalue": "each number of a gradient is clipped",
}


def describe_training(spec: StudySpec) -> str:
    """Sentences for a reader of methods; "or" where the search decides."""
    return " ".join(list_sentences(spec))


def list_unusual(spec: StudySpec) -> list[str]:
    """Those that say more than the optimizer's name, and not what every study does that says nothing."""
    usual = ("Loss: cross-entropy.", "Learning rate: constant.")
    has_options = bool(_say_options(spec))
    return [
        said
        for said in list_sentences(spec)
        if said not in usual and (has_options or not said.startswith("Optimizer"))
    ]


def list_sentences(spec: StudySpec) -> list[str]:
    """Loss, optimizer and learning rate, then what is done beside them."""
    training = spec.training

    def say(name: str, words: dict[str, str]) -> str:
        found = spec.possible(name, getattr(training, name))
        return " or ".join(sorted(words.get(value, show_value(value)) for value in found))

    losses = {spec.loss if value == "auto" else value for value in spec.possible("loss", training.loss)}
    names = OPTIMIZERS | {name: f"{found.name} of Keras" for name, found in KERAS_OPTIMIZERS.items()}
    warm = spec.possible("warmup_epochs", training.warmup_epochs)
    warming = (
        f", after a warm-up of {_say_range(warm)} epoch{'' if warm == {1} else 's'}" if any(warm) else ""
    )
    sentences = [
        f"Loss: {' or '.join(sorted(LOSSES[loss] for loss in losses))}.",
        f"Optimizer: {say('optimizer', names)}{_say_options(spec)}.",
        f"Learning rate: {say('rate_schedule', SCHEDULES)}{warming}.",
    ]
    soft = spec.possible("soft_labels", training.soft_labels)
    if True in soft:
        often = "In some trials the" if False in soft else "The"
        sentences.append(
            f"{often} loss was taken towards the share of an image's readers who said yes (soft labels); metrics are of the merged label."
        )
    for name in CLIPS:
        limits = spec.possible(name, getattr(training, name))
        # 0 is no limit, but where it is the end of a range.
        clipped = limits if name in spec.search and spec.search[name].low == 0 else limits - {0}
        if clipped:
            often = "" if clipped == limits else "in some trials "
            sentences.append(f"Gradients: {often}{CLIPPED[name]} at {_say_range(clipped)}.")
    averages = spec.possible("use_ema", training.use_ema)
    if True in averages:
        often = "In some trials an" if False in averages else "An"
        # Trials without an average have the fixed momentum, and it does not act there.
        is_searched = "ema_momentum" in spec.search and "use_ema" in (spec.search["ema_momentum"].when or {})
        momenta = spec.possible("ema_momentum", None if is_searched else training.ema_momentum) - {None}
        sentences.append(
            f"{often} exponential moving average of the weights is validated and saved (momentum {_say_range(momenta)})."
        )
    return sentences


def optimizer_warnings(spec: StudySpec) -> list[str]:
    """Say once that an optimizer of Keras takes longer."""
    slow = sorted(spec.possible("optimizer", spec.training.optimizer) - set(FUSED))
    if not slow:
        return []
    return [
        f"The optimizer {' and '.join(slow)} is computed by Keras, step by step, and is slower than {', '.join(FUSED)}, which have kernels of "
        "their own; each of its options that a search varies is compiled again. The estimate of time does not know this."
    ]


def _say_options(spec: StudySpec) -> str:
    """What optimizers of Keras are given beside the learning rate; what is not named has Keras's default."""
    fixed = spec.training.optimizer_options
    searched = [name.partition(".")[2] for name in spec.search if name.startswith("optimizer_options.")]
    given = {
        name: spec.possible(f"optimizer_options.{name}", fixed.get(name)) - {None}
        for optimizer in spec.possible("optimizer", spec.training.optimizer)
        for name, _ in choose_options(optimizer, dict.fromkeys((*fixed, *searched)))
    }
    if not given:
        return ""
    return f" ({', '.join(f'{name} {_say_range(values)}' for name, values in sorted(given.items()))})"


def _say_range(values: Collection[Any]) -> str:
    ends = sorted(values)
    return show_value(ends[0]) if len(ends) == 1 else f"{show_value(ends[0])} to {show_value(ends[-1])}"
