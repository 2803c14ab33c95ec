"""Heads trained together: the same numbers as each alone, and as modules of torch."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tacit.errors import ConfigError, TrainingError
from tacit.probing import Features, probes
from tacit.probing.probes import _heads
from tacit.probing.probes._heads import StackedAdamW, StackedLinear, Sweep, train_heads
from tacit.probing.probes._probe import LabelledRows, Task
from tacit.probing.probes.attentive import AttentiveHeads

SETTINGS = ((3e-3, 0.0), (1e-3, 0.4), (1e-2, 0.1))


def hidden(count, seed, tokens=6, size=8):
    """One token of each row carries a mark and its class; the others say what comes to their mind."""
    rng = np.random.default_rng(seed)
    label, rows, at = rng.integers(0, 2, count), np.arange(count), rng.integers(0, tokens, count)
    values = rng.normal(size=(count, tokens, size))
    values[:, :, 0] = 2 * rng.choice([-1, 1], (count, tokens))
    values[rows, at, :2] = np.stack([2 * (2 * label - 1), np.full(count, 4)], axis=1)
    return Features(values.astype(np.float32), {"class": label, "number": values[rows, at, 0]})


def task(targets="class", count=120):
    fit, other = hidden(count, 0), hidden(40, 1)
    goals = [torch.from_numpy(part.targets[targets]) for part in (fit, other)]
    goals = [goal if targets == "class" else goal[:, None] for goal in goals]
    part = LabelledRows(fit.values, goals[0])
    classes = 2 if targets == "class" else None
    return Task(part, LabelledRows(other.values, goals[1]), part, hidden(30, 2).values, classes, 0, torch.device("cpu"))


def trained(monkeypatch, settings, targets, blocks):
    """Parameters of the heads at the end of a short training."""
    monkeypatch.setattr(_heads, "LEAST", 25)
    kept = {}

    def build(stack, outputs):
        made = AttentiveHeads(stack, 8, 2, blocks, outputs)
        kept.setdefault("heads", made)
        return made

    train_heads(task(targets), Sweep(settings, 1, 64), build, lambda x: x)
    return {name: value.detach() for name, value in kept["heads"].named_parameters()}


@pytest.mark.parametrize(("targets", "blocks"), [("class", 1), ("class", 2), ("number", 1)])
def test_heads_trained_together_are_those_trained_alone(monkeypatch, targets, blocks):
    together = trained(monkeypatch, SETTINGS, targets, blocks)
    for index, setting in enumerate(SETTINGS):
        alone = trained(monkeypatch, (setting,), targets, blocks)
        for name, value in alone.items():
            torch.testing.assert_close(value[0], together[name][index], atol=1e-5, rtol=0, msg=name)
    assert not torch.allclose(together["out.weight"][0], together["out.weight"][1], atol=1e-3)


def test_a_stacked_step_is_that_of_torch():
    torch.manual_seed(0)
    stacked = StackedLinear(3, 4, 2)
    with torch.no_grad():
        stacked.bias.normal_()
    plain = [
        [nn.Parameter(stacked.weight[k].detach().clone()), nn.Parameter(stacked.bias[k].detach().clone())]
        for k in range(3)
    ]
    optimizer = StackedAdamW(list(stacked.parameters()), SETTINGS)
    theirs = [
        torch.optim.AdamW([{"params": [weight], "weight_decay": decay}, {"params": [bias], "weight_decay": 0}], lr=lr)
        for (lr, decay), (weight, bias) in zip(SETTINGS, plain, strict=True)
    ]
    for step in range(4):
        x, share = torch.randn(1, 5, 4), 1 / (step + 1)
        for group in optimizer.param_groups:
            group["lr"] = share
        optimizer.zero_grad()
        stacked(x).square().sum().backward()
        optimizer.step()
        for (lr, _), one, (weight, bias) in zip(SETTINGS, theirs, plain, strict=True):
            one.zero_grad()
            for group in one.param_groups:
                group["lr"] = lr * share
            (x[0] @ weight + bias).square().sum().backward()
            one.step()
    for index, (weight, bias) in enumerate(plain):
        torch.testing.assert_close(stacked.weight[index], weight, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(stacked.bias[index], bias, atol=1e-6, rtol=1e-5)


def naive(heads, index, x):
    """One head of one or more blocks by torch's own attention, key for key and value for value."""

    def linear(layer, value):
        return value @ layer.weight[index] + layer.bias[index]

    def norm(layer, value):
        return F.layer_norm(value, value.shape[-1:], layer.weight[index], layer.bias[index])

    def mlp(layer, value):
        return linear(layer.down, F.gelu(linear(layer.up, norm(layer.norm, value))))

    def attention(query, key, value, count):
        query, key, value = (part.unflatten(-1, (count, -1)).transpose(1, 2) for part in (query, key, value))
        return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)

    for block in heads.blocks:
        query, key, value = linear(block.qkv, norm(block.norm, x)).chunk(3, dim=-1)
        x = x + linear(block.merge, attention(query, key, value, block.heads))
        x = x + mlp(block.mlp, x)
    cross = heads.cross
    seen, query = norm(cross.norm, x), cross.query[index].expand(len(x), 1, -1)
    # Any bias of the keys: it must not matter.
    keys, values = seen @ cross.to_key[index] + 3.0, linear(cross.to_value, seen)
    out = query + linear(cross.merge, attention(linear(cross.to_query, query), keys, values, cross.heads))
    return linear(heads.out, (out + mlp(cross.mlp, out))[:, 0])


@pytest.mark.parametrize("blocks", [1, 3])
def test_attention_in_the_space_of_tokens_equals_attention(blocks):
    torch.manual_seed(0)
    heads = AttentiveHeads(4, 12, 3, blocks, 5).double()
    with torch.no_grad():
        for parameter in heads.parameters():
            parameter.normal_(std=0.7)
    x = torch.randn(6, 7, 12, dtype=torch.float64)
    out = heads(x)
    for index in range(4):
        torch.testing.assert_close(out[index], naive(heads, index, x), atol=1e-10, rtol=1e-8)


def test_the_attentive_probe_finds_the_informative_token():
    fit, test = hidden(400, 0), hidden(200, 1)
    probe = probes.Attentive(lrs=(5e-3,), weight_decays=(0.01,))
    reading = probe(fit, test, "class")
    assert probes.Linear()(fit, test, "class").score < 0.75 < 0.95 < reading.score
    assert probes.Linear()(fit, test, "number").r2 < 0.3 < 0.8 < probe(fit, test, "number").r2
    shuffled = Features(test.values[:, torch.randperm(6)], test.targets)
    np.testing.assert_array_equal(probe(fit, shuffled, "class").predicted, reading.predicted)


def test_the_head_with_the_best_score_on_validation_rows_is_chosen(monkeypatch):
    monkeypatch.setattr(_heads, "LEAST", 100)
    fit, other, test = hidden(60, 0), hidden(300, 3), hidden(100, 4)
    settings = {"weight_decays": (0.01,), "epochs": 5}
    alone = {
        lr: probes.Attentive(lrs=(lr,), **settings)(fit, other, "class", validation=hidden(300, 3))
        for lr in (1e-5, 5e-3)
    }
    assert alone[1e-5].score < alone[5e-3].score
    both = probes.Attentive(lrs=(1e-5, 5e-3), **settings)(fit, test, "class", validation=other)
    assert both.settings == {"lr": 5e-3, "weight_decay": 0.01}


def test_a_diverging_head_leaves_the_others_unchanged():
    fit, test = hidden(200, 0), hidden(100, 1)
    fit, test = (Features(part.values[:, 0], part.targets) for part in (fit, test))
    quiet = probes.MLP(lrs=(1e-3,))(fit, test, "number")
    beside = probes.MLP(lrs=(1e30, 1e-3))(fit, test, "number")
    np.testing.assert_allclose(beside.predicted, quiet.predicted, atol=1e-4)
    assert beside.settings["lr"] == 1e-3
    with pytest.raises(TrainingError, match="smaller learning rates"):
        probes.MLP(lrs=(float("inf"),))(fit, test, "number")


def test_heads_must_divide_the_size_of_a_token():
    with pytest.raises(ConfigError, match="multiple of the attention heads"):
        probes.Attentive(heads=3)(hidden(20, 0), hidden(20, 1), "class")
    with pytest.raises(ConfigError, match="blocks is at least 1"):
        probes.Attentive(blocks=0)
