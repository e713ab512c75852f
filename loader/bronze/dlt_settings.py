"""What dlt is told: its settings come from here alone, not from variables or files of whoever runs a command."""

from __future__ import annotations

from pathlib import Path

from dlt.common.configuration.container import Container
from dlt.common.configuration.providers.dictionary import DictionaryProvider
from dlt.common.configuration.providers.provider import ConfigProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime.run_context import RunContext

_SETTINGS = {
    "runtime": {"dlthub_telemetry": False, "log_level": "CRITICAL"},
    # Whatever else is installed beside it, e.g. Airflow, is not asked either.
    "providers": {"enable_airflow_secrets": False},
    "data_writer": {"file_max_items": 250_000},
    "normalize": {"workers": 1},
    "load": {"workers": 2, "raise_on_max_retries": 1},
}


def take_own_settings(folder: Path) -> None:
    """Give dlt, for the rest of this process, our settings and `folder` for whatever it keeps; nothing is read there.

    To be called in an environment of our own: some of dlt's modules read variables when they are imported.
    """
    Container()[PluggableRunContext] = PluggableRunContext(_OwnContext(folder))


class _OwnContext(RunContext):
    """dlt's default asks the environment, `.dlt` of the current folder and of the user's, and what is plugged in."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self._folder = str(folder)

    @property
    def global_dir(self) -> str:
        return self._folder

    run_dir = local_dir = settings_dir = data_dir = global_dir

    def initial_providers(self) -> list[ConfigProvider]:
        provider = DictionaryProvider()
        provider._config_doc = _SETTINGS
        return [provider]
