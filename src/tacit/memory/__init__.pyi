"""Memory: stores of what an agent has experienced."""


__all__: list[str]
