"""Intervals, paired tests, cost curves and conformal ranks of scores."""

from tacit._conformal import beta_quantile as beta_quantile
from tacit._conformal import beta_tail as beta_tail
from tacit._conformal import binomial_tail as binomial_tail
from tacit._conformal import conformal_rank as conformal_rank
from tacit._conformal import count_rank as count_rank
from tacit._conformal import episodes_needed as episodes_needed
from tacit._conformal import pac_rank as pac_rank
from tacit.statistics.efficiency import CostRatio as CostRatio
from tacit.statistics.efficiency import Curve as Curve
from tacit.statistics.efficiency import cost_ratio as cost_ratio
from tacit.statistics.efficiency import cost_to_reach as cost_to_reach
from tacit.statistics.intervals import Estimate as Estimate
from tacit.statistics.intervals import Paired as Paired
from tacit.statistics.intervals import Rate as Rate
from tacit.statistics.intervals import Seeds as Seeds
from tacit.statistics.intervals import bootstrap as bootstrap
from tacit.statistics.intervals import crossed_bootstrap as crossed_bootstrap
from tacit.statistics.intervals import mcnemar as mcnemar
from tacit.statistics.intervals import over_seeds as over_seeds
from tacit.statistics.intervals import paired as paired
from tacit.statistics.intervals import rank_correlation as rank_correlation
from tacit.statistics.intervals import wilson as wilson

__all__: list[str]
