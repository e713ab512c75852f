"""How dbt is imported for less (what it cost: docs/decisions/0005)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def import_dbt() -> None:
    """Import dbt, which takes longest of all. Its classes, some hundreds, each write functions that read and write
    them: only those that are called are written, when they are called first."""
    import_module("mashumaro.config").BaseConfig.lazy_compilation = True
    mixins: Any = import_module("mashumaro.mixins.dict")
    builder: Any = import_module("mashumaro.core.meta.code.builder").CodeBuilder
    mixins.compile_mixin_packer = _when_called(
        mixins.compile_mixin_packer, builder.get_pack_method_name, builder.add_pack_method, "encoder"
    )
    mixins.compile_mixin_unpacker = _when_called(
        mixins.compile_mixin_unpacker, builder.get_unpack_method_name, builder.add_unpack_method, "decoder"
    )
    import_module("dbt.cli.main")


def _when_called(
    compile_now: Callable[..., None], name_of: Callable[..., Any], write: Callable[[Any], None], coder: str
) -> Callable[..., None]:
    """What stands in for `compile_now`, which writes a method of a class that writes the real one in its place. That
    method is the same for all classes, and need not be written."""
    meta: Any = import_module("mashumaro.core.meta.code.builder")
    has_dialects = import_module("mashumaro.config").ADD_DIALECT_SUPPORT

    def compile_when_called(cls: Any, format_name: str = "dict", dialect: Any = None, **coding: Any) -> None:
        config = getattr(cls, "Config", meta.BaseConfig)
        if not getattr(config, "lazy_compilation", False) or has_dialects in config.code_generation_options:
            compile_now(cls, format_name, dialect, **coding)
            return
        name = name_of(format_name=format_name, **{coder: coding.get(coder)})

        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            write(
                meta.CodeBuilder(
                    self if isinstance(self, type) else type(self),
                    first_method=name,
                    allow_postponed_evaluation=False,
                    format_name=format_name,
                    default_dialect=dialect,
                    **coding,
                )
            )
            return getattr(self, name)(*args, **kwargs)

        made = classmethod(method) if coder == "decoder" else method
        setattr(cls, name, made)
        setattr(cls, name.public, made)

    return compile_when_called
