"""Encoders of one modality of a world model: values to features; each file is one encoder."""

from typing import Any

from tacit.models.encoders._encoder import EncoderConfig as EncoderConfig
from tacit.models.encoders.conv import Conv as Conv
from tacit.models.encoders.custom import Custom as Custom
from tacit.models.encoders.identity import Identity as Identity
from tacit.models.encoders.mlp import MLP as MLP
from tacit.models.encoders.pretrained import Pretrained as Pretrained
from tacit.models.encoders.vit import ViT as ViT

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...
