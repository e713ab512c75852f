"""`python -m loader.kinds` writes anew what is generated from contracts/kinds."""

from loader.config import load_settings
from loader.kinds.generate import generated_files
from loader.kinds.read import load_kinds

if __name__ == "__main__":
    root = load_settings().project_root
    for path, content in generated_files(load_kinds(root / "contracts")).items():
        (root / path).write_text(content)
