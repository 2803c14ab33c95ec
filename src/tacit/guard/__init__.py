"""Guards: scores of unusual situations with calibrated thresholds; each file is one score."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(
    __name__, also=("_assessment", "_calibration", "_fit", "_guard", "_measure", "_recording", "_trail")
)
