"""Probes of frozen representations; each file is one probe.

::

    fit, test = tc.probing.features(model, train), tc.probing.features(model, held_out)
    result = tc.probing.probes.Linear()(fit, test, "class")
    print(result)
"""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__, also=("_probe", "_results"))
