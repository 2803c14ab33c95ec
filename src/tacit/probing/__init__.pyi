"""Probes of frozen representations: features, small readouts of them, and baselines."""

from tacit.probing.baselines import RawInput as RawInput
from tacit.probing.baselines import baselines as baselines
from tacit.probing.baselines import untrained_model as untrained_model
from tacit.probing.classifier import Classifier as Classifier
from tacit.probing.comparison import Comparison as Comparison
from tacit.probing.comparison import compare as compare
from tacit.probing.comparison import constant_baseline as constant_baseline
from tacit.probing.encoder import Encoder as Encoder
from tacit.probing.encoder import Trainable as Trainable
from tacit.probing.feature_sources import FeaturePair as FeaturePair
from tacit.probing.feature_sources import feature_sources as feature_sources
from tacit.probing.features import Features as Features
from tacit.probing.features import features as features
from tacit.probing.few_labels import FewLabels as FewLabels
from tacit.probing.health import Health as Health
from tacit.probing.health import health as health
from tacit.probing.probe import ProbeReport as ProbeReport
from tacit.probing.probe import probe as probe
from tacit.probing import probes as probes
from tacit.probing.readout import fit as fit
from tacit.probing.readout import fit_features as fit_features
from tacit.probing.readout_files import load_readout as load_readout
from tacit.probing.readout_files import save_readout as save_readout

__all__: list[str]
