"""Small recordings with every kind of field, made from a seed."""

import numpy as np

from tacit.testing.data import SPEC
from tacit.types import Episode, Spec


def recording(seed: int, length: int = 9, spec: Spec = SPEC) -> Episode:
    """An episode of ``length`` observations in which no two values are alike by design, only by chance."""
    rng = np.random.default_rng(seed)
    observation = {}
    for name, modality in spec.modalities.items():
        shape = (spec.samples(name, length), *modality.shape)
        if modality.kind == "pixels":
            observation[name] = rng.integers(0, 256, shape, dtype=np.uint8)
        else:
            observation[name] = rng.normal(size=shape).astype(np.float32)
    low, high = np.array(spec.action.low), np.array(spec.action.high)
    action = rng.uniform(low, high, (length, len(low))).astype(np.float32)
    return Episode(
        observation,
        action[:-1],
        terminated=seed % 2 == 0,
        final_action=action[-1] if seed % 3 else None,
        labels={"position": rng.normal(size=(length, 2)).astype(np.float32), "solved": rng.random(length) > 0.5},
        seed=seed if seed % 4 else None,
        task=f"task {seed % 2}",
    )


def recordings(count: int, spec: Spec = SPEC) -> list[Episode]:
    """Episodes of 6, 7, 8, 9, 10, 6, ... observations."""
    return [recording(seed, 6 + seed % 5, spec) for seed in range(count)]


def assert_same(a: Episode, b: Episode, skip: tuple[str, ...] = ()) -> None:
    """Every array, dtype and fact of two episodes is equal."""
    for field in ("observation", "labels"):
        left, right = getattr(a, field), getattr(b, field)
        assert set(left) == set(right)
        for name in set(left) - set(skip):
            assert left[name].dtype == right[name].dtype, name
            np.testing.assert_array_equal(left[name], right[name], err_msg=name)
    np.testing.assert_array_equal(a.action, b.action)
    assert (a.final_action is None) == (b.final_action is None)
    if a.final_action is not None:
        np.testing.assert_array_equal(a.final_action, b.final_action)
    assert (a.terminated, a.seed, a.task, a.group) == (b.terminated, b.seed, b.task, b.group)
