"""World models that learn from observation and action, and predict in representation space.

All public names are attributes of this module and are imported on first use::

    import tacit as tc
"""

from tacit._install import refuse_other_tacit
from tacit._registry import lazy

refuse_other_tacit()

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        **{
            module: f"tacit.{module}"
            for module in (
                "agent",
                "audit",
                "augmentation",
                "checkpoint",
                "collection",
                "constraints",
                "costs",
                "data",
                "diagnostics",
                "embeddings",
                "envs",
                "errors",
                "evaluation",
                "exploration",
                "guard",
                "identification",
                "margins",
                "masking",
                "memory",
                "models",
                "nn",
                "objectives",
                "offline",
                "planners",
                "probing",
                "published",
                "recipes",
                "runs",
                "reports",
                "robot",
                "statistics",
                "stress",
                "studies",
                "testing",
                "training",
                "types",
            )
        },
        "Agent": "tacit.agent",
        "Box": "tacit.types",
        "Clip": "tacit.types",
        "Discrete": "tacit.types",
        "Episode": "tacit.types",
        "Modality": "tacit.types",
        "Plan": "tacit.types",
        "Spec": "tacit.types",
        "collect": "tacit.collection",
        "train": "tacit.training.train",
        "tune_cpu": "tacit.nn._tuning",
    },
)
