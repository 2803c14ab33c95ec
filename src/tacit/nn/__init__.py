"""Networks' building blocks: everything here holds parameters and knows nothing of data or worlds."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__)
