"""How a study trains, in one sentence a part: loss, optimizer, schedule, clipping, average of the weights; for methods and model cards."""

from __future__ import annotations

from storage.spec import CLIPS, FUSED, KERAS_OPTIMIZERS, StudySpec
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
    """Those that say more than the optimizer, and not what every study does that says nothing."""
    usual = ("Loss: cross-entropy.", "Learning rate: constant.")
    return [said for said in list_sentences(spec) if said not in usual and not said.startswith("Optimizer")]


def list_sentences(spec: StudySpec) -> list[str]:
    """Loss, optimizer and learning rate, then what is done beside them."""
    training = spec.training

    def say(name: str, words: dict[str, str]) -> str:
        found = spec.possible(name, getattr(training, name))
        return " or ".join(sorted(words.get(value, show_value(value)) for value in found))

    losses = {spec.loss if value == "auto" else value for value in spec.possible("loss", training.loss)}
    names = OPTIMIZERS | {name: f"{found.name} of Keras" for name, found in KERAS_OPTIMIZERS.items()}
    sentences = [
        f"Loss: {' or '.join(sorted(LOSSES[loss] for loss in losses))}.",
        f"Optimizer: {say('optimizer', names)}.",
        f"Learning rate: {say('rate_schedule', SCHEDULES)}"
        + (
            f", after a warm-up of {_range(spec, 'warmup_epochs')} epochs."
            if _acts(spec, "warmup_epochs")
            else "."
        ),
    ]
    sentences += [
        f"Gradients: {CLIPPED[name]} at {_range(spec, name)}." for name in CLIPS if _acts(spec, name)
    ]
    averages = spec.possible("use_ema", training.use_ema)
    if True in averages:
        often = "In some trials an" if False in averages else "An"
        sentences.append(
            f"{often} exponential moving average of the weights is validated and saved (momentum {_range(spec, 'ema_momentum')})."
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


def _acts(spec: StudySpec, name: str) -> bool:
    return any(value > 0 for value in spec.possible(name, getattr(spec.training, name)))


def _range(spec: StudySpec, name: str) -> str:
    ends = sorted(spec.possible(name, getattr(spec.training, name)))
    return show_value(ends[0]) if len(ends) == 1 else f"{show_value(ends[0])} to {show_value(ends[-1])}"
