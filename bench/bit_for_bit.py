"""Does a trial come out bit for bit again? A study on the chest X-rays, worked off, then trials of it replayed.

The trials are chosen and ordered at random, and computed by another process than the worker. Needs the chest X-rays
(ORCH_TEST_DATA, else ../shared/data). Run: python -m bench.bit_for_bit [trials to replay] [trials of the study]
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def orch(folder: Path, *arguments: object) -> None:
    """Run the installed command."""
    program = Path(sys.executable).with_name("orch")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ORCH_")}
    environment = {**clean, "ORCH_CACHE": str(folder / "cache")}
    subprocess.run(
        [program, *map(str, arguments)], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL
    )


def replay_some(folder: Path, count: int) -> list[dict[str, object]]:
    """Replay random finished trials in random order; one document each."""
    from orchestrator.studies.replay import find_dataset
    from storage.database.opening import open_database
    from storage.results.ledger import read_curves
    from storage.studies.points import list_points
    from storage.studies.study import load_study
    from workers.objective.keras_objective import prepare_objective
    from workers.objective.replay import replay_trial

    database = open_database(f"sqlite:///{folder / 'orch.db'}")
    study = load_study(database, "chest")
    objective = prepare_objective(database, study, find_dataset(study, [folder / "data"]), folder / "cache")
    done = [point for point in list_points(database, study.uuid) if point.outcome]
    chosen = random.Random(7).sample(done, min(count, len(done)))
    found = []
    for point in chosen:
        data = objective.variants.of(point.params or {})
        replay = replay_trial(
            read_curves(database, study.uuid, point.point),
            {**study.spec.fixed_beside(point.params or {}), **(point.params or {})},
            data.start_fold,
            train_together=data.train_together,
        )
        found.append(
            {
                "trial": point.trial_number,
                "outcome": point.outcome,
                "epochs": replay.epochs,
                "numbers": replay.numbers,
                "different": len(replay.differences),
            }
        )
    database.close()
    return found


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    trials = int(sys.argv[2]) if len(sys.argv) > 2 else 24
    data = Path(os.environ.get("ORCH_TEST_DATA") or REPOSITORY.parent / "shared" / "data") / "chest-xray"
    if not data.is_dir():
        print(f"The chest X-rays are not here ({data}); nothing was measured.")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        orch(
            folder,
            "data",
            "import",
            data / "images",
            "--labels",
            data / "labels.csv",
            "--group",
            "patient_id",
            "--out",
            "data",
        )
        small = [
            *("model.weights=none", "model.image_size=[75, 75]", "model.head=[128, 64]"),
            *("training.epochs=8", "training.threads=1"),
        ]
        orch(
            folder,
            "study",
            "create",
            "chest",
            "--regime",
            "I",
            "--trials",
            trials,
            "--data",
            "data",
            *[part for setting in small for part in ("--set", setting)],
        )
        orch(folder, "worker", "chest", "--data", "data")
        found = json.loads(
            subprocess.run(
                [sys.executable, "-m", "bench.bit_for_bit", "--replay", name, str(count)],
                cwd=REPOSITORY,
                check=True,
                capture_output=True,
                text=True,
            ).stdout.splitlines()[-1]
        )
    for one in found:
        print(
            "trial {trial:>3}  {outcome:<8}  {epochs:>2} epochs  {numbers:>5} numbers  {different} differ".format(
                **one
            )
        )
    same = sum(one["different"] == 0 for one in found)
    print(f"bit-identical: {same} of {len(found)} trials, {sum(one['numbers'] for one in found)} numbers")
    sys.exit(int(same < len(found)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--replay"]:
        print(json.dumps(replay_some(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        main()
