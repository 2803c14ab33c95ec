"""Training steps of V-JEPA 2 and I-JEPA beside those of transformers: `uv run benchmarks/perception_speed.py`.

Makes an environment with transformers and the same torch release, draws weights there, and reads them here with
`tacit.published.convert`. Then both sides run in turn, A B A B ..., each time in a fresh process on one thread, on the
same weights, films and masks in float32, and their medians of CPU seconds are compared. A step is what pretraining
does: a target encoder without gradients, the context encoder, the predictor, the L1 loss and backward.

- step: each library's own call at 90 % hidden. That of transformers encodes every token with gradients and masks
  afterwards, so that its latents have seen what they are to predict: more work, and another loss.
- visible: the same function on both sides: hidden tokens dropped by hand between transformers' own layers.
- dense: the same function on both sides: every token encoded, masked afterwards, as in transformers' own call.
- ijepa: forward and backward of the encoder of I-JEPA alone, on whole pictures.

Where the function is the same, losses and norms of all gradients must agree to 1e-4; attention must run on the same
operator on both sides. The floor of each of our rows is its multiplications, counted with attention written out, at
the best rate of a large packed matrix product in the same run. Memory is that of one step in a fresh process, beyond
what was resident before. Takes about three minutes of CPU. Results: benchmarks/results/perception_speed.json.
"""

import argparse
import copy
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from measuring import cpu_seconds, operations, peak_rate, plain_layers
from sides import call, environment

HERE = Path(__file__).parent
THEIRS = ["transformers==5.23.0", "torch==2.13.0"]
FILMS, FRAMES, SIDE, PATCH, TUBELET = 4, 16, 64, 8, 2
PICTURES, PICTURE_SIDE, PICTURE_PATCH = 16, 112, 8
WIDTH, DEPTH, HEADS = 192, 12, 3
PREDICTOR_WIDTH, PREDICTOR_DEPTH, PREDICTOR_HEADS = 96, 6, 3
TOKENS = FRAMES // TUBELET * (SIDE // PATCH) ** 2
VISIBLE = TOKENS // 10
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
AGREE, SAVED = 1e-4, 0.15


@dataclass(frozen=True)
class Row:
    """One comparison: the work of each side, the target, what it is, and whether it is one function."""

    ours: str
    theirs: str
    target: float
    what: str
    same: bool = True


_PICTURES = f"{PICTURES} pictures of {PICTURE_SIDE} px"
_STEP = f"V-JEPA 2 training step, {FILMS} films of {FRAMES} frames of {SIDE} px, {VISIBLE} of {TOKENS} tokens visible"
ROWS = {
    "step": Row("step", "step", 1.3, f"{_STEP}; own call of each library", same=False),
    "visible": Row("step", "visible", 1.3, f"{_STEP}; theirs with hidden tokens dropped by hand"),
    "dense": Row("dense", "step", 1.3, f"{_STEP}; both encode every token and mask afterwards"),
    "ijepa": Row("ijepa", "ijepa", 1.3, f"I-JEPA encoder, forward and backward, {_PICTURES}"),
}


def films() -> tuple[Tensor, Tensor, Tensor]:
    """uint8 films ``[B, T, C, H, W]``, visible and hidden places."""
    draw = torch.Generator().manual_seed(0)
    values = torch.randint(0, 256, (FILMS, FRAMES, 3, SIDE, SIDE), dtype=torch.uint8, generator=draw)
    order = torch.stack([torch.randperm(TOKENS, generator=draw) for _ in range(FILMS)])
    return values, order[:, :VISIBLE].sort(1).values, order[:, VISIBLE:].sort(1).values


def pictures() -> tuple[Tensor, Tensor]:
    """uint8 pictures ``[B, C, H, W]``, and latents to come near to."""
    draw = torch.Generator().manual_seed(1)
    shape, tokens = (PICTURES, 3, PICTURE_SIDE, PICTURE_SIDE), (PICTURE_SIDE // PICTURE_PATCH) ** 2
    values = torch.randint(0, 256, shape, dtype=torch.uint8, generator=draw)
    return values, torch.randn(PICTURES, tokens, WIDTH, generator=draw)


def gathered(tokens: Tensor, index: Tensor) -> Tensor:
    return tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[-1]))


Work = dict[str, tuple[Any, Callable[[], Tensor]]]


def ours(work: Path) -> Work:
    """The model to train and the loss of each piece of work, here."""
    import tacit as tc

    model: Any = tc.published.convert(work / "vjepa2").train()
    encoder: Any = tc.published.convert(work / "ijepa", part="encoder").train()
    values, visible, hidden = films()
    none = torch.zeros(FILMS)
    clip = tc.Clip({"pixels": values}, none, none, none, masks=(tc.types.Mask(visible, (hidden,)),))
    objective = tc.objectives.MaskedPrediction(distance="l1")
    seen, wanted = pictures()
    scale = 255 * torch.tensor(MEAN), 255 * torch.tensor(STD)

    def dense() -> Tensor:
        raw, known = values.transpose(1, 2), model.statistics_of("pixels")
        with torch.no_grad():
            latents = model.target_encoder(raw, *known)
            targets = gathered(F.layer_norm(latents, latents.shape[-1:]), hidden)
        context = gathered(model.encoder(raw, *known), visible)
        return F.l1_loss(model.predictor(context, visible, hidden), targets)

    return {
        "step": (model, lambda: objective(model.forecast(clip), 0).total),
        "dense": (model, dense),
        "ijepa": (encoder, lambda: F.l1_loss(encoder(seen, *scale), wanted)),
    }


def theirs(work: Path) -> Work:
    """The same in transformers, which is handed normalised pictures."""
    import transformers

    model = transformers.VJEPA2Model.from_pretrained(work / "vjepa2").train()
    encoder = transformers.IJepaModel.from_pretrained(work / "ijepa").train()
    encoder.embeddings.position_embeddings.requires_grad_(False)  # as published: a fixed table
    assert model.config._attn_implementation == encoder.config._attn_implementation == "sdpa"
    target = copy.deepcopy(model).requires_grad_(False)
    values, visible, hidden = films()
    mean, std = (torch.tensor(part).view(3, 1, 1) for part in (MEAN, STD))
    normal = (values / 255 - mean) / std
    seen, wanted = pictures()
    normal_pictures = (seen / 255 - mean) / std

    def targets() -> Tensor:
        with torch.no_grad():
            latents = target(normal, skip_predictor=True).last_hidden_state
            return gathered(F.layer_norm(latents, latents.shape[-1:]), hidden)

    def step() -> Tensor:
        wanted = targets()
        out = model(normal, context_mask=[visible], target_mask=[hidden]).predictor_output
        return F.l1_loss(out.last_hidden_state, wanted)

    def dropped() -> Tensor:
        wanted = targets()
        tokens = gathered(model.encoder.embeddings(normal), visible)
        for layer in model.encoder.layer:
            tokens = layer(tokens, visible)[0]
        places = visible[..., None].expand(-1, -1, WIDTH)  # the predictor takes a whole grid, and gathers from it
        grid = torch.zeros(FILMS, TOKENS, WIDTH).scatter(1, places, model.encoder.layernorm(tokens))
        return F.l1_loss(model.predictor(grid, [visible], [hidden]).last_hidden_state, wanted)

    return {
        "step": (model, step),
        "visible": (model, dropped),
        "ijepa": (encoder, lambda: F.l1_loss(encoder(normal_pictures).last_hidden_state, wanted)),
    }


SIDES = {"ours": ours, "theirs": theirs}


def draw(work: Path) -> dict[str, object]:
    """Weights of both models, by transformers, of a size that makes differences show."""
    import transformers

    torch.manual_seed(0)
    film = transformers.VJEPA2Config(
        hidden_size=WIDTH,
        num_hidden_layers=DEPTH,
        num_attention_heads=HEADS,
        mlp_ratio=4.0,
        crop_size=SIDE,
        patch_size=PATCH,
        frames_per_clip=FRAMES,
        tubelet_size=TUBELET,
        pred_hidden_size=PREDICTOR_WIDTH,
        pred_num_hidden_layers=PREDICTOR_DEPTH,
        pred_num_attention_heads=PREDICTOR_HEADS,
        pred_num_mask_tokens=1,
    )
    picture = transformers.IJepaConfig(
        hidden_size=WIDTH,
        num_hidden_layers=DEPTH,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
        image_size=PICTURE_SIDE,
        patch_size=PICTURE_PATCH,
    )
    for name, model in (("vjepa2", transformers.VJEPA2Model(film)), ("ijepa", transformers.IJepaModel(picture))):
        for parameter in model.parameters():
            parameter.data.add_(torch.randn_like(parameter), alpha=0.1)
        model.save_pretrained(work / name)
    return {}


def once(model: nn.Module, loss: Callable[[], Tensor]) -> float:
    """One step from no gradients, and its loss."""
    model.zero_grad(set_to_none=True)
    value = loss()
    value.backward()  # type: ignore[no-untyped-call]
    return value.item()


def timed(which: str, work: Path, repeats: int) -> dict[str, object]:
    """CPU seconds of every piece of work, after one step that is not counted, with its loss and gradients."""
    found: dict[str, object] = {"torch": torch.__version__}
    for name, (model, loss) in SIDES[which](work).items():
        value = once(model, loss)
        norms = [parameter.grad.norm() for parameter in model.parameters() if parameter.grad is not None]
        taken = cpu_seconds(partial(once, model, loss), repeats)
        found[name] = {"seconds": taken, "loss": value, "gradient": torch.stack(norms).norm().item()}
    return found


def resident(kind: str) -> int:
    """Bytes of ``VmRSS``, now, or of ``VmHWM``, at most since the count was reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(kind))


def memory(which: str, work: Path, name: str) -> dict[str, object]:
    """Bytes that a step needs at its peak beyond what was resident before it."""
    model, loss = SIDES[which](work)[name]
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = resident("VmRSS")
    for _ in range(2):
        once(model, loss)
    return {"peak": resident("VmHWM") - before}


def saved(module: nn.Module, compute: Callable[[], Tensor]) -> int:
    """Bytes that a forward pass keeps for backward, each piece of memory once, parameters left out."""
    own = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = compute()
    del out
    return sum(tensor.untyped_storage().nbytes() for pointer, tensor in kept.items() if pointer not in own)


PARTS = {
    "products": ("mkldnn::_linear_pointwise", "aten::mm", "aten::addmm", "aten::bmm", "aten::mkldnn_convolution"),
    "attention": ("scaled_dot_product",),
    "GELU": ("aten::gelu",),
    "LayerNorm": ("aten::native_layer_norm",),
    "copies": ("aten::copy_", "aten::cat", "aten::fill_", "aten::gather", "aten::index"),
    "sums and products by element": ("aten::add", "aten::mul", "aten::neg", "aten::sum", "aten::sub"),
}


def profile(which: str, work: Path) -> dict[str, object]:
    """Share of the time of every group of operators, and the operator and number of the attentions."""
    found: dict[str, object] = {}
    for name, (model, loss) in SIDES[which](work).items():
        once(model, loss)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
            once(model, loss)
        events = profiler.key_averages()
        total = sum(event.self_cpu_time_total for event in events)
        shares = dict.fromkeys((*PARTS, "other"), 0.0)
        for event in events:
            part = next((part for part, keys in PARTS.items() if any(key in event.key for key in keys)), "other")
            shares[part] += event.self_cpu_time_total / total
        attention = {
            event.key: event.count
            for event in events
            if event.key.startswith("aten::_scaled_dot_product") and "backward" not in event.key
        }
        found[name] = {"shares": {part: round(value, 3) for part, value in shares.items()}, "attention": attention}
    return found


def floors(work: Path) -> dict[str, object]:
    """Multiplications and additions of our work, the rate of a large product, and what the encoder saves.

    And the time without oneDNN's linear, which shows what that is worth.
    """
    pieces, counts, plain = ours(work), {}, {}
    with plain_layers():
        for name, (model, loss) in pieces.items():
            counts[name] = operations(partial(once, model, loss))
            plain[name] = cpu_seconds(partial(once, model, loss), 1)[0]
    model = pieces["step"][0]
    values, visible, _ = films()
    raw, known = values.transpose(1, 2), model.statistics_of("pixels")
    kept = {
        name: saved(model.encoder, partial(model.encoder, raw, *known, keep))
        for name, keep in (("dense", None), ("visible", visible))
    }
    return {"operations": counts, "rate": peak_rate(), "plain": plain, "saved": kept}


def side(which: str, what: str, work: Path, repeats: int) -> dict[str, object]:
    """What a process of one side is to do."""
    torch.set_num_threads(1)
    if what == "draw":
        return draw(work)
    if what == "timed":
        return timed(which, work, repeats)
    if what == "profile":
        return profile(which, work)
    if what == "floors":
        return floors(work)
    return memory(which, work, what)


def related(row: Row, runs: dict[str, list[Any]], floor: Any) -> dict[str, object]:
    """The figures of one row.

    Raises:
        SystemExit: if one function gave two results.
    """
    names = {"ours": row.ours, "theirs": row.theirs}
    found = {which: [run[name] for run in runs[which]] for which, name in names.items()}
    taken = {
        which: statistics.median(t for piece in pieces for t in piece["seconds"]) for which, pieces in found.items()
    }
    rounds = [
        statistics.median(theirs["seconds"]) / statistics.median(ours["seconds"])
        for ours, theirs in zip(found["ours"], found["theirs"], strict=True)
    ]
    results = {kind: {which: pieces[-1][kind] for which, pieces in found.items()} for kind in ("loss", "gradient")}
    for kind, pair in results.items():
        if row.same and abs(pair["ours"] - pair["theirs"]) > AGREE * abs(pair["theirs"]):
            raise SystemExit(f"{row.what}: one function, but the {kind} is {pair}")
    ratio, least = taken["theirs"] / taken["ours"], floor["operations"][row.ours] / floor["rate"]
    return {
        "what": row.what,
        "same_function": row.same,
        "ratio": round(ratio, 2),
        "ratio_of_rounds": [round(min(rounds), 2), round(max(rounds), 2)],
        "target": row.target,
        "met": ratio >= row.target,
        "ours_cpu_seconds": taken["ours"],
        "theirs_cpu_seconds": taken["theirs"],
        **results,
        "ours_gigaflop": round(floor["operations"][row.ours] / 1e9, 1),
        "ours_floor_seconds": least,
        "ours_over_floor": round(taken["ours"] / least, 2),
        "ours_with_layers_of_torch": floor["plain"][row.ours],
    }


def same_attention(profiles: dict[str, Any]) -> dict[str, int]:
    """The operators that attention ran on, and how often in a step; the same on both sides."""
    for row in ROWS.values():
        mine, other = profiles["ours"][row.ours]["attention"], profiles["theirs"][row.theirs]["attention"]
        if mine != other or not mine:
            raise SystemExit(f"{row.what}: attention ran on {mine} here and on {other} there")
    attention: dict[str, int] = profiles["ours"]["step"]["attention"]
    return attention


def main() -> None:
    """Make the environment and the weights, run both sides in turn, write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "tacit-perception")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each side")
    parser.add_argument("--repeats", type=int, default=2, help="steps in each that count")
    parser.add_argument("--side", nargs=2, metavar=("SIDE", "WHAT"), help="for the processes that this one starts")
    options = parser.parse_args()
    if options.side:
        which, what = options.side
        print("PEER " + json.dumps(side(which, what, options.work, options.repeats)))
        return
    import tacit as tc

    options.work.mkdir(parents=True, exist_ok=True)
    pythons = {"ours": Path(sys.executable), "theirs": environment(options.work / "theirs", THEIRS)}

    def run(which: str, what: str) -> Any:
        words = f"--work {{work}} --repeats {options.repeats} --side {which} {what}"
        return call(pythons[which], Path(__file__).name, words, options.work)

    run("theirs", "draw")
    runs: dict[str, list[Any]] = {"ours": [], "theirs": []}
    for _ in range(options.rounds):
        for which, done in runs.items():
            done.append(run(which, "timed"))
    if len({done[-1]["torch"] for done in runs.values()}) > 1:
        raise SystemExit("the two sides have different releases of torch.")
    floor = run("ours", "floors")
    profiles = {which: run(which, "profile") for which in runs}
    peaks = {
        "ours_step": run("ours", "step")["peak"],
        "ours_dense": run("ours", "dense")["peak"],
        "theirs_step": run("theirs", "step")["peak"],
    }
    kept = floor["saved"]
    share = kept["visible"] / kept["dense"]
    result = {
        "rows": {name: related(row, runs, floor) for name, row in ROWS.items()},
        "gigaflop_per_second": round(floor["rate"] / 1e9),
        "attention": same_attention(profiles),
        "profile": {name: profiles["ours"][name]["shares"] for name in profiles["ours"]},
        "memory": {
            "saved_for_backward": kept,
            "visible_over_dense": round(share, 3),
            "target": SAVED,
            "met": share <= SAVED,
            "peak_of_a_step": peaks,
        },
        "theirs": THEIRS,
        "rounds": options.rounds,
        "repeats": options.repeats,
        **tc.checkpoint.provenance(),
    }
    text = json.dumps(result, indent=2) + "\n"
    (HERE / "results" / "perception_speed.json").write_text(text)
    print(text)
    missed = [name for name, row in result["rows"].items() if not row["met"]] + ["memory"] * (share > SAVED)
    sys.exit(f"below the target: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
