"""What a component's ``build`` is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.api import protocols
from workbench.api.errors import PluginError
from workbench.host.catalog import Catalog

_PROTOCOLS: Mapping[str, type] = {
    "semantic_encoder": protocols.SemanticEncoder,
    "codec": protocols.Codec,
    "corpus": protocols.Corpus,
    "task": protocols.Task,
    "metric": protocols.Metric,
}


@dataclass(frozen=True)
class Context:
    """Implements :class:`~workbench.api.protocols.BuildContext` over a catalog."""

    catalog: Catalog
    device: str
    seed: int
    encoders: tuple[tuple[str, protocols.SemanticEncoder, float], ...] = ()
    """For a codec: the recipe's teachers as (name, encoder, loss weight); none for the control."""

    def build(self, kind: str, name: str, options: Mapping[str, Any] | None = None) -> Any:
        """Build a component from untyped options, and check that it has its protocol's members."""
        settings = self.catalog.options(kind, name, options, where=f"{name}.options")
        built = self.catalog.get(kind, name).build(settings, self)
        missing = sorted(m for m in _members(_PROTOCOLS[kind]) if not hasattr(built, m))
        if missing:
            raise PluginError(
                f"{kind} {name!r} of {self.catalog.provider(kind, name)} built a "
                f"{type(built).__name__} without {', '.join(missing)}"
            )
        return built


def _members(protocol: type) -> set[str]:
    """Names that a protocol asks for: its annotated attributes and its methods."""
    methods = {name for name, value in vars(protocol).items() if callable(value)}
    public = {name for name in methods if not name.startswith("_")} | ({"__call__"} & methods)
    return public | set(protocol.__annotations__)
