"""Small read-outs of frozen representations; each file is one probe.

::

    fit, test = tc.evaluation.features(model, train), tc.evaluation.features(model, held_out)
    reading = tc.evaluation.probes.Linear()(fit, test, "class")
    print(reading)"""

from typing import Any

from tacit.evaluation.probes._probe import Probe as Probe
from tacit.evaluation.probes._probe import Unvarying as Unvarying
from tacit.evaluation.probes._probe import is_class as is_class
from tacit.evaluation.probes._readings import ClassReading as ClassReading
from tacit.evaluation.probes._readings import FewEpisodesWarning as FewEpisodesWarning
from tacit.evaluation.probes._readings import QuantityReading as QuantityReading
from tacit.evaluation.probes._readings import Reading as Reading
from tacit.evaluation.probes._readings import SegmentationReading as SegmentationReading
from tacit.evaluation.probes.attentive import Attentive as Attentive
from tacit.evaluation.probes.constant import Constant as Constant
from tacit.evaluation.probes.dense import Dense as Dense
from tacit.evaluation.probes.knn import KNN as KNN
from tacit.evaluation.probes.linear import Linear as Linear
from tacit.evaluation.probes.mlp import MLP as MLP

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...
