"""Linear identifiability: synthetic worlds with known states, and trained models next to simulator state."""

from tacit.identification.identify import Identification as Identification
from tacit.identification.identify import VariableScores as VariableScores
from tacit.identification.identify import identify as identify
from tacit.identification.metrics import Bound as Bound
from tacit.identification.metrics import WorldScores as WorldScores
from tacit.identification.metrics import bound as bound
from tacit.identification.metrics import fit_linear as fit_linear
from tacit.identification.metrics import linear_r2 as linear_r2
from tacit.identification.metrics import orthogonality as orthogonality
from tacit.identification.metrics import score_world as score_world
from tacit.identification.mixings import MIXINGS as MIXINGS
from tacit.identification.mixings import make_mixing as make_mixing
from tacit.identification.state_law import StateLaw as StateLaw
from tacit.identification.state_law import VariableLaw as VariableLaw
from tacit.identification.state_law import advise as advise
from tacit.identification.state_law import excess_kurtosis as excess_kurtosis
from tacit.identification.state_law import gaussian_coverage as gaussian_coverage
from tacit.identification.state_law import state_law as state_law
from tacit.identification.training import WorldResult as WorldResult
from tacit.identification.training import WorldTraining as WorldTraining
from tacit.identification.training import identify_world as identify_world
from tacit.identification.training import train_encoder as train_encoder
from tacit.identification.worlds import SyntheticWorld as SyntheticWorld
from tacit.identification.worlds import draw_generalised_normal as draw_generalised_normal
from tacit.identification.worlds import make_world as make_world

__all__: list[str]
