"""Small read-outs of frozen representations; each file is one probe.

::

    fit, test = tc.probing.features(model, train), tc.probing.features(model, held_out)
    reading = tc.probing.probes.Linear()(fit, test, "class")
    print(reading)
"""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__, also=("_probe", "_readings"))
