"""A model's file: the network, its scaling, and the names of columns and classes."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tensorgrad.cli.options import UsageError
from tensorgrad.errors import FileFormatError, TensorgradError, explain
from tensorgrad.nn import Dense, Sequential, load_model
from tensorgrad.serial import ARCHITECTURE, read, save

__all__ = ["Names", "check_destination", "read_model", "write_model"]

SUFFIXES = (".npz", ".safetensors")
KIND = "classifier 1"


@dataclass(frozen=True)
class Names:
    """What a model's numbers mean: its columns, its classes, and where they were."""

    columns: tuple[str, ...]
    labels: tuple[str, ...]
    target: str


def check_destination(path: Path) -> None:
    """Make sure, before any work is done, that a model can be saved there.

    Raises
    ------
    UsageError
        If the suffix is unknown, the directory is missing or cannot be written to, or
        the path is taken by something that is no model.
    MissingExtraError
        If the suffix needs an extra.

    Examples
    --------
    >>> check_destination(Path("model.npz"))
    """
    caller = f"--save {str(path)!r}"
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            explain(
                caller,
                f"the suffix {path.suffix!r}",
                f"a name that ends in {' or '.join(SUFFIXES)}",
                f"Write for example --save {path.stem or 'model'}.npz",
            )
        )
    check_folder(caller, path.parent)
    if path.exists() and not _is_model(path):
        raise UsageError(
            explain(
                caller,
                "a file that is there and is no model of tensorgrad",
                "a new name, or a model to replace",
                "Choose another name, or remove the file yourself",
            )
        )
    if path.suffix.lower() == ".safetensors" and not path.exists():
        _try_out(path.suffix)


def check_folder(caller: str, folder: Path) -> None:
    """Raise UsageError unless files can be made in the directory.

    Examples
    --------
    >>> check_folder("--output 'a.csv'", Path("."))
    """
    try:
        # The only sure test: permissions, quotas and read-only disks all count.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            explain(
                caller,
                f"no file can be made in {str(folder)!r} ({error.strerror})",
                "an existing directory that can be written to",
                "Create it, or choose another one",
            )
        ) from error


def _is_model(path: Path) -> bool:
    try:
        return path.is_file() and ARCHITECTURE in read(path).metadata
    except TensorgradError:
        return False


def _try_out(suffix: str) -> None:
    """Save a single number, so that a missing extra is found now."""
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / f"trial{suffix}", {"x": 0.0})


def write_model(
    path: Path, model: Sequential, names: Names, about: dict[str, Any]
) -> None:
    """Save a model with everything that `read_model` needs, atomically."""
    save(path, model, {"kind": KIND, **asdict(names), "about": about})


def read_model(path: Path) -> tuple[Sequential, Names]:
    """Make a model from its file alone.

    Raises
    ------
    FileFormatError
        If the file is damaged, foreign, or lacks the names of columns and classes.
    FileNotFoundError
        If there is no such file.
    """
    model, metadata = load_model(path)
    columns, labels = metadata.get("columns", []), metadata.get("labels", [])
    fits = (
        metadata.get("kind") == KIND
        and isinstance(model, Sequential)
        and _are_names(columns, _n_inputs(model))
        and _are_names(labels, _n_classes(model))
        and isinstance(metadata.get("target"), str)
    )
    if not fits:
        raise FileFormatError(
            explain(
                f"loading {str(path)!r}",
                "a network without the names of its columns and classes",
                "a model that the command train has saved",
                "Train it again, or use tg.nn.load_model in Python",
            )
        )
    assert isinstance(model, Sequential)
    return model, Names(tuple(columns), tuple(labels), metadata["target"])


def _are_names(names: Any, n: int) -> bool:
    return (
        isinstance(names, list)
        and len(names) == n
        and all(isinstance(name, str) for name in names)
    )


def _dense(model: Sequential) -> list[Dense]:
    return [layer for layer in model if isinstance(layer, Dense)]


def _n_inputs(model: Sequential) -> int:
    return _dense(model)[0].n_in if _dense(model) else 0


def _n_classes(model: Sequential) -> int:
    """Return the number of classes: a single sigmoid tells two apart."""
    n_out = _dense(model)[-1].n_out if _dense(model) else 0
    return 2 if model.head == "sigmoid" and n_out == 1 else n_out
