"""Seeded generator of synthetic support tickets in the shape of `ticket_v1`.

Run it as `python -m data.generator --help` from the repository's root; it needs the standard library only.
Tests call `generate(Options(...))`. It knows nothing of `loader`: its ground truth (`expected.json`) is what
the loader is compared with.
"""

from data.generator.daily_exports import generate
from data.generator.options import Options

__all__ = ["Options", "generate"]
