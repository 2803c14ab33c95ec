"""Probes of frozen representations; each file is one probe.

::

    fit, test = tc.probing.features(model, train), tc.probing.features(model, held_out)
    result = tc.probing.probes.Linear()(fit, test, "class")
    print(result)"""

from typing import Any

from tacit.probing.probes._probe import ConstantTarget as ConstantTarget
from tacit.probing.probes._probe import Probe as Probe
from tacit.probing.probes._probe import is_class as is_class
from tacit.probing.probes._results import ClassResult as ClassResult
from tacit.probing.probes._results import FewEpisodesWarning as FewEpisodesWarning
from tacit.probing.probes._results import ProbeResult as ProbeResult
from tacit.probing.probes._results import QuantityResult as QuantityResult
from tacit.probing.probes._results import SegmentationResult as SegmentationResult
from tacit.probing.probes.attentive import Attentive as Attentive
from tacit.probing.probes.constant import Constant as Constant
from tacit.probing.probes.dense import Dense as Dense
from tacit.probing.probes.knn import KNN as KNN
from tacit.probing.probes.linear import Linear as Linear
from tacit.probing.probes.mlp import MLP as MLP

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...
