"""Which head for ordered classes: conditional logits (CORN), one score with ordered cuts (CORAL), or a softmax without an order.

Patients are drawn with a hidden severity that three designs turn into grades: cuts of one score (what CORAL assumes), stages that depend
on findings of their own (what one score cannot say), and few images of the highest grades. All heads have the same layer before them.

    python -m bench.ordered [REPEATS]
"""

from __future__ import annotations

import sys

import jax
import jax.numpy as jnp
import numpy as np

from storage.tasks.kinds import TASKS

TRAIN, TEST, FEATURES, GRADES, WIDTH, EPOCHS, BATCH = 2000, 4000, 24, 5, 32, 12, 50
DESIGNS = ("one score", "stages", "rare grades")
HEADS = ("conditional (CORN)", "ordered cuts (CORAL)", "softmax")


def draw(design: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features, shape (n, FEATURES), and grades, shape (n,)."""
    chance = np.random.default_rng(seed)
    x = chance.normal(size=(TRAIN + TEST, FEATURES))
    noise = chance.logistic(size=len(x)) * 0.6
    if design == "stages":
        grade = np.zeros(len(x), int)
        for stage in range(GRADES - 1):
            own = x[:, 3 * stage] + x[:, 3 * stage + 1] * x[:, 3 * stage + 2] + 0.7
            grade += (grade == stage) & (own + chance.logistic(size=len(x)) * 0.4 > 0)
        return x.astype(np.float32), grade
    score = x[:, 0] + np.sin(2 * x[:, 1]) + 0.5 * x[:, 2] * x[:, 3] + noise
    shares = [0.2, 0.4, 0.6, 0.8] if design == "one score" else [0.55, 0.8, 0.92, 0.98]
    return x.astype(np.float32), np.searchsorted(np.quantile(score, shares), score)


def start(head: str, seed: int) -> dict[str, jax.Array]:
    """Weights of a dense layer and a head."""
    chance = np.random.default_rng(seed)

    def kernel(rows: int, columns: int) -> jax.Array:
        limit = np.sqrt(6 / (rows + columns))
        return jnp.asarray(chance.uniform(-limit, limit, (rows, columns)), jnp.float32)

    width = {HEADS[0]: GRADES - 1, HEADS[1]: 1, HEADS[2]: GRADES}[head]
    return {
        "w": kernel(FEATURES, WIDTH),
        "b": jnp.zeros(WIDTH),
        "v": kernel(WIDTH, width),
        "c": jnp.zeros(GRADES - 1 if head == HEADS[1] else width),
    }


def log_probabilities(head: str, weights: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    """Of each grade, shape (n, GRADES)."""
    hidden = jax.nn.relu(x @ weights["w"] + weights["b"])
    z = hidden @ weights["v"]
    if head == HEADS[2]:
        return jax.nn.log_softmax(z + weights["c"])
    if head == HEADS[0]:
        z = z + weights["c"]
        nothing = jnp.zeros_like(z[:, :1])
        reached = jnp.concatenate([nothing, jnp.cumsum(jax.nn.log_sigmoid(z), axis=1)], axis=1)
        return reached + jnp.concatenate([jax.nn.log_sigmoid(-z), nothing], axis=1)
    # Cuts that fall by construction, or their probabilities would cross while it learns.
    cuts = weights["c"][0] - jnp.concatenate([jnp.zeros(1), jnp.cumsum(jax.nn.softplus(weights["c"][1:]))])
    above = jax.nn.sigmoid(z + cuts)
    ones = jnp.ones_like(above[:, :1])
    p = jnp.concatenate([ones, above], axis=1) - jnp.concatenate([above, 0 * ones], axis=1)
    return jnp.log(jnp.clip(p, 1e-7, 1))


def coral_loss(weights: dict[str, jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
    """The sum over cuts of binary cross-entropy (Cao, Mirjalili and Raschka 2020, equation 4)."""
    p = jnp.exp(log_probabilities(HEADS[1], weights, x))
    above = jnp.clip(1 - jnp.cumsum(p, axis=1)[:, :-1], 1e-7, 1 - 1e-7)
    truth = y[:, None] > jnp.arange(GRADES - 1)
    return -jnp.mean(jnp.sum(jnp.where(truth, jnp.log(above), jnp.log1p(-above)), axis=1))


def train(head: str, x: np.ndarray, y: np.ndarray, seed: int) -> dict[str, jax.Array]:
    """Adam, 0.005, without anything else."""

    def loss(weights: dict[str, jax.Array], a: jax.Array, b: jax.Array) -> jax.Array:
        if head == HEADS[1]:
            return coral_loss(weights, a, b)
        found = log_probabilities(head, weights, a)
        return -jnp.mean(jnp.take_along_axis(found, b[:, None], axis=1))

    @jax.jit
    def step(weights, first, second, number, a, b):  # type: ignore[no-untyped-def]
        gradient = jax.grad(loss)(weights, a, b)
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
        rate = 0.005 * jnp.sqrt(1 - 0.999**number) / (1 - 0.9**number)
        moved = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, first, second)
        return moved, first, second

    weights = start(head, seed)
    first = second = jax.tree.map(jnp.zeros_like, weights)
    chance, number = np.random.default_rng([seed, 1]), 0
    for _ in range(EPOCHS):
        order = chance.permutation(len(x))
        for begin in range(0, len(x), BATCH):
            number += 1
            rows = order[begin : begin + BATCH]
            weights, first, second = step(weights, first, second, number, x[rows], y[rows])
    return weights


def main() -> None:
    """Print kappa, error in grades and log loss of each head on new images, and how often each is the best."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    kinds = ("quadratic_kappa", "grade_error", "auc", "loss")
    for design in DESIGNS:
        table = np.empty((repeats, len(HEADS), len(kinds)))
        for seed in range(repeats):
            x, y = draw(design, seed)
            for place, head in enumerate(HEADS):
                weights = train(head, x[:TRAIN], y[:TRAIN], seed)
                values = np.exp(np.asarray(log_probabilities(head, weights, jnp.asarray(x[TRAIN:]))))
                truth, once = np.eye(GRADES)[y[TRAIN:]], np.ones(TEST)
                table[seed, place] = [
                    float(TASKS["ordered"].measure(kind, truth, values, once)) for kind in kinds
                ]
        best = np.bincount(table[:, :, 0].argmax(axis=1), minlength=len(HEADS))
        print(f"{design}: means over {repeats} draws")
        for place, head in enumerate(HEADS):
            means = ", ".join(
                f"{kind} {value:.3f}" for kind, value in zip(kinds, table[:, place].mean(axis=0), strict=True)
            )
            print(f"  {head:22} {means}; highest kappa in {best[place]}")


if __name__ == "__main__":
    main()
