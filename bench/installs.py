"""Does orch install on a bare machine, how long does that take, and how large is it?

    python -m bench.installs [cpu gpu jax look] [--suite bookworm] [--keep FOLDER]

Makes a bare Debian in a folder (`debootstrap`; Python with venv is all that is added), and in it, for each lock file of requirements/, an
environment: the locked packages with their hashes, and the wheel built from this commit. Then `orch self-test` runs there, or,
where nothing is there to train with, a study is created, listed and looked at. Needs root, Debian's debootstrap, and the package index.
Printed for each: seconds to install, MB of the environment as installed and after it was used, seconds of the self-test and what it said. Leaves with 1 when one failed,
or when the environment that only looks is larger than its goal.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
SETS = ("cpu", "gpu", "jax", "look")
PACKAGES = "python3,python3-venv,ca-certificates"
LOOK_GOAL = 400
"""MB."""
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
GIVEN = (
    "PIP_CERT",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_INDEX_URL",
    "PIP_PROXY",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
)
DRAW = (
    'import numpy, PIL.Image, pathlib; draw = numpy.random.default_rng(7); folder = pathlib.Path("images"); folder.mkdir(); '
    '[PIL.Image.fromarray(draw.integers(0, 255, (64, 64), dtype=numpy.uint8)).save(folder / f"{i}.png") for i in range(40)]; '
    'pathlib.Path("labels.csv").write_text("image,patient_id,fracture\\n" + '
    '"".join(f"{i}.png,p{i},{i % 2}\\n" for i in range(40)))'
)
LOOKING = (
    f"python -c '{DRAW}'",
    "orch data import images --labels labels.csv --group patient_id --out data",
    "orch study create first --regime I --data data --trials 2 --set model.weights=none --set cv.folds=2",
    "orch study show first",
    "orch report first -o report.html && test -s report.html",
    "orch status",
)


@dataclass(frozen=True)
class Install:
    """What one lock file gave.

    Attributes:
        name: the lock file, without .txt.
        seconds: to install.
        megabytes: that the environment takes on the disk as installed.
        used: the same after it was used, with what Python compiled then.
        tested: seconds of what was run in it.
        failed: the command that failed; None: none did.
        said: last line of what it printed.
    """

    name: str
    seconds: float
    megabytes: float
    used: float
    tested: float
    failed: str | None
    said: str


def main() -> None:
    """Install each set into a bare system, test it, and print a line for each."""
    parser = argparse.ArgumentParser(prog="bench.installs")
    parser.add_argument("sets", nargs="*", default=SETS, help=f"lock files: {', '.join(SETS)}")
    parser.add_argument("--suite", default="bookworm", help="Debian's release")
    parser.add_argument("--keep", type=Path, help="folder of the bare system, kept for the next run")
    arguments = parser.parse_args()
    if os.getuid() != 0 or not shutil.which("debootstrap"):
        sys.exit("bench.installs needs root and Debian's debootstrap: apt-get install debootstrap")
    with tempfile.TemporaryDirectory() as folder:
        system = arguments.keep or Path(folder) / "system"
        if not (system / "usr/bin/python3").exists():
            make_system(system, arguments.suite)
        wheel = build_wheel(Path(folder))
        done = [install(system, name, wheel) for name in arguments.sets]
    if any(one.failed or (one.name == "look" and one.megabytes > LOOK_GOAL) for one in done):
        sys.exit(1)


def make_system(system: Path, suite: str) -> None:
    """Make a bare Debian in a folder."""
    system.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(system)],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    for file in (Path("/etc/resolv.conf"), Path("/etc/hosts"), CERTIFICATES):
        if file.exists():
            shutil.copyfile(file, system / file.relative_to("/"))


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this commit in a copy of it, and return its path."""
    source = folder / "source"
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(source)], check=True)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return next(folder.glob("*.whl"))


def install(system: Path, name: str, wheel: Path) -> Install:
    """Install one set into the system, test it, print its line and remove it."""
    place = system / "opt" / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    shutil.copy(REPOSITORY / "requirements" / f"{name}.txt", place / "lock.txt")
    shutil.copy(wheel, place)
    inside = f"/opt/{name}"
    # What is not compiled at once is compiled at its first use, and most files are never used to look.
    options = "--no-compile " if name == "look" else ""
    commands = [
        f"python3 -m venv {inside}/env",
        f"{inside}/env/bin/pip install --quiet --no-cache-dir {options}--require-hashes -r {inside}/lock.txt",
        f"{inside}/env/bin/pip install --quiet {options}--no-deps {inside}/{wheel.name}",
    ]
    began = time.perf_counter()
    failed, said = run(system, commands, place)
    seconds = time.perf_counter() - began
    megabytes = size(place / "env")
    began = time.perf_counter()
    if failed is None:
        failed, said = run(system, LOOKING if name == "look" else ["orch self-test"], place)
    tested = time.perf_counter() - began
    done = Install(name, seconds, megabytes, size(place / "env"), tested, failed, said)
    print(
        f"{name:5} installed in {done.seconds:4.0f} s, {done.megabytes:5.0f} MB ({done.used:.0f} after use), tested in {done.tested:3.0f} s: "
        + (f"FAILED {done.failed}: {done.said}" if done.failed else done.said),
        flush=True,
    )
    shutil.rmtree(place)
    return done


def run(system: Path, commands: Sequence[str], place: Path) -> tuple[str | None, str]:
    """Run commands in the system, one after the other.

    Args:
        system: folder of the bare Debian.
        commands: of a shell; `orch` is the one of the environment in `place`.
        place: folder of the set; also the folder that the commands run in.

    Returns:
        The command that failed, or None; the last line that was printed.
    """
    inside = f"/opt/{place.name}"
    environment = {name: os.environ[name] for name in GIVEN if name in os.environ}
    environment |= {
        "PATH": f"{inside}/env/bin:/usr/bin:/bin",
        "HOME": inside,
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
    }
    if place.name == "jax":
        environment["KERAS_BACKEND"] = "jax"
    said = ""
    for command in filter(None, commands):
        done = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "sh", "-c",
             'mount -t proc proc "$1/proc" && exec chroot "$1" sh -c "cd $2 && $3"', "sh", str(system), inside, command],
            env=environment | {"PATH": f"{environment['PATH']}:/usr/sbin:/sbin"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        lines = (done.stdout + done.stderr).strip().splitlines()
        said = lines[-1] if lines else said
        if done.returncode:
            return command, said
    return None, said


def size(folder: Path) -> float:
    """MB that the files under a folder take on the disk."""
    files = (path.lstat() for path in folder.rglob("*") if not path.is_dir())
    return sum(file.st_blocks for file in files) * 512 / 1e6


if __name__ == "__main__":
    main()
