"""World models that learn by watching and acting, and predict in representation space.

Every public name is an attribute of this module and is imported on first use::

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
                "augmentation",
                "checkpoint",
                "collection",
                "constraints",
                "costs",
                "data",
                "embeddings",
                "envs",
                "errors",
                "evaluation",
                "masking",
                "models",
                "objectives",
                "planners",
                "probing",
                "recipes",
                "runs",
                "reports",
                "statistics",
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
        "train": "tacit.training",
    },
)
