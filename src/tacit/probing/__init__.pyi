"""Probes of frozen representations: features, small readouts of them, and baselines."""

from tacit.probing.baselines import Raw as Raw
from tacit.probing.baselines import floors as floors
from tacit.probing.baselines import untrained as untrained
from tacit.probing.compare_probes import FewLabels as FewLabels
from tacit.probing.compare_probes import beside_floors as beside_floors
from tacit.probing.compare_probes import blind as blind
from tacit.probing.compare_probes import low_shot as low_shot
from tacit.probing.compare_probes import readings as readings
from tacit.probing.compare_probes import sources as sources
from tacit.probing.features import Encoder as Encoder
from tacit.probing.features import Features as Features
from tacit.probing.features import Trainable as Trainable
from tacit.probing.features import features as features
from tacit.probing.health import Health as Health
from tacit.probing.health import health as health
from tacit.probing.health import straightness as straightness
from tacit.probing.probe import ProbeReport as ProbeReport
from tacit.probing.probe import probe as probe
from tacit.probing import probes as probes
from tacit.probing.readout import fit as fit

__all__: list[str]
