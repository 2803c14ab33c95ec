"""Write the latents of a dataset to disk, for probes and training without the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from tacit.data import Episodes
    from tacit.probing import Encoder

__all__ = ["embed"]


def embed(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    dataset: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")],
    /,
    *,
    to: Path,
    tokens: bool = False,
    frames: str = "",
    dtype: Literal["float32", "float16", "bfloat16"] = "float32",
    source: Literal["model", "untrained", "raw"] = "model",
    seed: int = 0,
    device: str = "auto",
    read: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
) -> None:
    """Encode every observation of a dataset with the model of a run, or with a baseline.

    For example: tacit embed runs/two_rooms data/rooms --to latents/rooms

    For example: tacit embed runs/vjepa2 data/rooms --frames pixels --to latents/frames

    The second writes the inputs of V-JEPA 2-AC, for training: tacit train data/rooms --recipe vjepa2_ac
    --set encoder=runs/vjepa2 --set latents=latents/frames --to runs/acting

    After an interruption, the same command continues where it stopped.

    Args:
        run: The directory of a run, or a checkpoint.
        dataset: The dataset to encode; it need not be the one of the run.
        to: The directory to create.
        tokens: Keep every token of a model that has them.
        frames: A camera; every frame is encoded separately, with all tokens, as input of a world model.
        dtype: The dtype of the stored latents.
        source: The model, the same model untrained, or its input without a network.
        seed: Seed of the weights of the untrained model.
        device: cpu, cuda, cuda:1, mps or auto.
        read: A reading option, NAME=VALUE; repeat it for several options: those of tacit.data.open. By default,
            the dataset of the run is read with the options of the run.
    """
    import tacit as tc
    from tacit.cli._run import device as chosen
    from tacit.cli._run import reading
    from tacit.errors import ConfigError
    from tacit.runs import RunRecord

    if frames and source != "model":
        raise ConfigError(f"--frames needs a trained model; got --source {source}. Leave one of them out.")
    record = RunRecord.load(run) if (run / "run.json").is_file() else None
    options, cache = reading(read)
    if record is not None and not read and dataset.resolve() == Path(record.data).resolve():
        options, cache = dict(record.reading), record.cache
    episodes = tc.data.open(dataset, cache=cache or None, **options)
    model = _encoder(run, episodes, source, frames, chosen(device), seed)
    same = record is not None and episodes.hash() == record.dataset_hash
    split = tc.embeddings.Split(record.fraction, record.split_seed) if record is not None and same else None
    embedding = tc.embeddings.embed(
        model, episodes, to, tokens=tokens or bool(frames), dtype=dtype, split=split, source=source
    )
    shape = " x ".join(map(str, embedding.header.shape))
    noted = "with the split of the run" if split else "without a split: the run has another dataset"
    print(f"{embedding.header.rows} latents of {shape} numbers as {dtype}, {noted}\n{to}")


def _encoder(run: Path, episodes: Episodes, source: str, frames: str, device: str, seed: int) -> Encoder:
    """Return the model of a run, a baseline of it, or its encoder of single frames."""
    import tacit as tc

    if frames:
        video_model = tc.checkpoint.load_model(run, device, kind=tc.models.PerceptionModel)
        return tc.models.FrameEncoder.of(video_model, episodes.spec, frames)
    trained = tc.checkpoint.load_model(run, device, kind=tc.models.Model)
    return trained if source == "model" else tc.probing.baselines(trained, seed)[source]
