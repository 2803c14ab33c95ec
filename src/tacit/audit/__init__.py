"""Audit log of an actor: a chain of records of every act, and the replay of its decisions.

::

    with tc.audit.Log("audit") as log:
        actor = tc.audit.Audited(agent, log)
        tc.evaluation.closed_loop(actor, env)
    print(tc.audit.replay("audit"))

A log is a folder of segments ``000000.jsonl``, ``000001.jsonl`` and so on. Each line is a JSON object, a record, that
ends with the SHA-256 of its own bytes and holds that of the record before it, so that a record which was changed,
removed, inserted or moved is found and named. Numbers are the bytes of arrays in base64, so that they survive exactly.

The chain shows accidents and partial edits. A person who can write the folder can also make a new chain: keep
:attr:`Log.head` elsewhere to be safe from that.
"""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        name: f"{__name__}.{module}"
        for module in ("audited", "log", "records", "replaying")
        for name in exports(f"{__name__}.{module}")
    },
)
