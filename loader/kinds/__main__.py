"""`python -m loader.kinds` writes anew what is generated from contracts/kinds."""

from loader.config import load_settings
from loader.kinds.generate import MACRO_FILE, as_macro
from loader.kinds.read import load_kinds

if __name__ == "__main__":
    root = load_settings().project_root
    (root / MACRO_FILE).write_text(as_macro(load_kinds(root / "contracts")))
