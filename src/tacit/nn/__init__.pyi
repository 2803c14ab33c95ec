"""Building blocks of networks: modules with parameters, independent of data and worlds."""

from typing import Any

from tacit.nn.block_causal import BlockCausalPredictor as BlockCausalPredictor
from tacit.nn.block_causal import Memories as Memories
from tacit.nn.collectives import all_mean as all_mean
from tacit.nn.collectives import all_true as all_true
from tacit.nn.collectives import broadcast as broadcast
from tacit.nn.collectives import world_size as world_size
from tacit.nn.digest import digest as digest
from tacit.nn.encoders import Encoder as Encoder
from tacit.nn.encoders import ImageEncoder as ImageEncoder
from tacit.nn.encoders import Normalizer as Normalizer
from tacit.nn.flow import FlowHead as FlowHead
from tacit.nn.flow import correlation as correlation
from tacit.nn.flow import inside as inside
from tacit.nn.flow import resize_flow as resize_flow
from tacit.nn.flow import visible as visible
from tacit.nn.flow import warp as warp
from tacit.nn.kernels import Kernels as Kernels
from tacit.nn.kernels import PLAIN as PLAIN
from tacit.nn.kernels import Packed as Packed
from tacit.nn.kernels import kernels_for as kernels_for
from tacit.nn.linear import Linear as Linear
from tacit.nn.linear import available as available
from tacit.nn.lora import LoRALinear as LoRALinear
from tacit.nn.lora import add_lora as add_lora
from tacit.nn.lora import original_parameters as original_parameters
from tacit.nn.masked_predictor import MaskedPredictor as MaskedPredictor
from tacit.nn.mlp import ACTIVATIONS as ACTIVATIONS
from tacit.nn.mlp import Activation as Activation
from tacit.nn.mlp import MLP as MLP
from tacit.nn.positions import Positions as Positions
from tacit.nn.positions import Rotation as Rotation
from tacit.nn.positions import coordinates as coordinates
from tacit.nn.positions import resize_positions as resize_positions
from tacit.nn.positions import rotate as rotate
from tacit.nn.positions import rotations as rotations
from tacit.nn.positions import sincos as sincos
from tacit.nn.predictors import Predictor as Predictor
from tacit.nn.pyramid import PYRAMID_SIZES as PYRAMID_SIZES
from tacit.nn.pyramid import PyramidEncoder as PyramidEncoder
from tacit.nn.readout import LinearReadout as LinearReadout
from tacit.nn.vit import VIT_SIZES as VIT_SIZES
from tacit.nn.vit import VisionTransformer as VisionTransformer
from tacit.nn.vit import cells as cells

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...
