"""Where a declared path really leads, and whether it may be read."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator
from io import FileIO
from pathlib import Path

from loader.errors import InfrastructureError
from loader.reader import LinkInTheWayError, NotARegularFileError, open_beneath, open_regular, read_document

# A name with a colon in its first part reads as a scheme, as in RFC 3986; `./` in front makes it a path.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# An object store: what lies there is outside every root that this version can be allowed.
_OBJECT_STORE = re.compile(r"(?i:s3|s3a|gs|abfss?)://")


class AssetRefusedError(Exception):
    """A declared path whose bytes will not be read. `reason_code` is of scope asset, always a reject.

    `folder`: of a path outside the allowed roots, the folder that is to be allowed if what lies there are exports.
    """

    def __init__(self, reason_code: str, message: str, folder: Path | None = None) -> None:
        super().__init__(message)
        self.reason_code = reason_code
        self.message = message
        self.folder = folder


def allowed_roots(project_root: Path, manifest_path: Path, extra_roots: Iterable[Path] = ()) -> tuple[Path, ...]:
    """Real paths of the folders that a manifest may read from: project, its own folder, the extra ones."""
    candidates = (project_root, manifest_path.parent, *extra_roots)
    return tuple(dict.fromkeys(Path(os.path.realpath(candidate)) for candidate in candidates))


def locate(source_url_or_path: str, base_folder: Path, roots: Iterable[Path]) -> Path:
    """Return the real path (symbolic links and `..` resolved) of a declared path; opens nothing.

    Raises AssetRefusedError: invalid_path, scheme_not_allowed, path_outside_roots.
    """
    refuse_scheme(source_url_or_path)
    if "\0" in source_url_or_path or not _is_encodable(source_url_or_path):
        raise AssetRefusedError(
            "invalid_path", f"{source_url_or_path!r} can name no file: it holds NUL or a lone surrogate"
        )
    real_path = Path(os.path.realpath(base_folder / source_url_or_path))
    _require_within(real_path, roots, Path(os.path.realpath(base_folder)))
    return real_path


def locate_in(source_url_or_path: str, folders: Iterable[Path], roots: Iterable[Path]) -> Path:
    """The real path of a declared path in the first of `folders` (at least one) where something lies; opens nothing.

    Where nothing does, the path in the first folder, or what locate raises of it.
    """
    first, *parents = folders
    allowed = tuple(roots)
    for folder in (first, *parents):
        try:
            found = locate(source_url_or_path, folder, allowed)
        except AssetRefusedError as error:
            if error.reason_code != "path_outside_roots":
                raise
            continue
        if os.path.lexists(found):
            return found
    return locate(source_url_or_path, first, allowed)


def folders_above(folder: Path, roots: Iterable[Path]) -> Iterator[Path]:
    """Each parent of the folder that lies in one of the roots, or is one, the nearest first."""
    allowed = tuple(roots)
    for parent in Path(os.path.realpath(folder)).parents:
        if any(parent.is_relative_to(root) for root in allowed):
            yield parent


def refuse_scheme(source_url_or_path: str) -> None:
    """Raises AssetRefusedError (scheme_not_allowed; path_outside_roots of an object store): nothing is ever fetched."""
    if _OBJECT_STORE.match(source_url_or_path):
        raise AssetRefusedError(
            "path_outside_roots",
            f"{source_url_or_path!r} lies in an object store, outside every allowed root: nothing was connected to"
            " (bring the file to this machine, and declare its path)",
        )
    if _SCHEME.match(source_url_or_path):
        raise AssetRefusedError(
            "scheme_not_allowed",
            f"{source_url_or_path!r} names a scheme, expected a path of this machine "
            "(a file name with a colon is written ./name)",
        )


def open_within(real_path: Path, roots: Iterable[Path]) -> FileIO:
    """Open a located file inside the roots, following no link: a located path has none.

    A link swapped in since locate, for the file or for a folder above it, is refused, whenever it is swapped back.
    Raises AssetRefusedError (asset_missing, asset_unreadable, not_a_file, invalid_path, path_outside_roots,
    source_changed_while_reading) or InfrastructureError.
    """
    allowed = tuple(roots)
    return _open_located(real_path, _require_within(real_path, allowed), allowed)


def _open_located(real_path: Path, root: Path, allowed: tuple[Path, ...]) -> FileIO:
    try:
        return _opened(real_path, lambda: open_beneath(root, real_path.relative_to(root).parts))
    except LinkInTheWayError as error:
        path_now = Path(os.path.realpath(real_path))
        if path_now == real_path:
            raise AssetRefusedError("invalid_path", f"{os.fspath(real_path)!r} is a link to itself") from error
        _require_within(path_now, allowed)
        raise AssetRefusedError(
            "source_changed_while_reading", f"{os.fspath(real_path)!r} was replaced by a link while it was opened"
        ) from error


def read_manifest(path: Path, roots: Iterable[Path]) -> bytes:
    """The content of a manifest, wherever it lies: whoever runs the loader named it, or its folder.

    If it is a link, it must lead into the roots: who may write into a folder of manifests must not choose what is read
    elsewhere. Raises DocumentTooLargeError, AssetRefusedError or InfrastructureError as open_within.
    """
    folder, real_path = Path(os.path.realpath(path.parent)), Path(os.path.realpath(path))
    allowed = tuple(roots)
    root = folder if real_path.parent == folder else _require_within(real_path, allowed)
    return read_document(_open_located(real_path, root, allowed))


def open_asset(path: Path) -> FileIO:
    """Open a regular file without blocking; the reasons are those of open_within, but for the roots."""
    return _opened(path, lambda: open_regular(path))


def _opened(path: Path, open_file: Callable[[], FileIO]) -> FileIO:
    try:
        return open_file()
    except LinkInTheWayError:
        raise
    except NotARegularFileError as error:
        raise AssetRefusedError("not_a_file", str(error)) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AssetRefusedError("asset_missing", f"no file at {os.fspath(path)!r}") from error
    except PermissionError as error:
        raise AssetRefusedError("asset_unreadable", f"no permission to read {os.fspath(path)!r}") from error
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
            raise AssetRefusedError(
                "invalid_path", f"{os.fspath(path)!r} can name no file: {error.strerror}"
            ) from error
        raise unreadable_disk(path, error) from error


def unreadable_disk(path: Path, error: OSError) -> InfrastructureError:
    return InfrastructureError(
        f"cannot read {os.fspath(path)!r}: {error}; the asset was not judged and nothing was archived",
        next_command="make dry-run",
    )


def _require_within(real_path: Path, roots: Iterable[Path], base_folder: Path | None = None) -> Path:
    """The first root that holds the path, and not in a hidden folder: there lie .git, .env, the raw zone of everybody's
    records and the server's own files, and no export.

    The error is about the folder, in the same words for each of its files: `base_folder` where that would do.
    """
    allowed = tuple(roots)
    around = [root for root in allowed if real_path.is_relative_to(root)]
    for root in around:
        if _is_open_below(root, real_path):
            return root
    folder = real_path.parent
    if base_folder is not None and real_path.is_relative_to(base_folder) and _is_open_below(base_folder, real_path):
        folder = base_folder
    where = "is hidden below" if around else "lies outside"
    told = around or allowed
    raise AssetRefusedError(
        "path_outside_roots",
        f"{os.fspath(folder)!r} {where} the allowed root{'s' if len(told) > 1 else ''}"
        f" {', '.join(map(os.fspath, told))}",
        folder,
    )


def _is_open_below(root: Path, path: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(root).parts)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
