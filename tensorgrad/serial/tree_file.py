"""Saving a tree to a file, and loading it back into one that fits.

The names in the file are the paths of the tree. Loading first reads and checks
everything, and only then gives Tensors and modules their values: a file that does not
fit, or is damaged at its last byte, changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tensorgrad._typing import Array, Tree
from tensorgrad.core.tensor import Tensor
from tensorgrad.errors import ArgumentError, DTypeError, FileFormatError, explain
from tensorgrad.serial.atomic import write_atomically
from tensorgrad.serial.content import NOTE, Content, encode_note
from tensorgrad.serial.npz import read_npz, write_npz
from tensorgrad.serial.safetensors_file import (
    read_safetensors,
    require_safetensors,
    write_safetensors,
)
from tensorgrad.tree import Structure, assign_leaves, flatten

__all__ = ["check_target", "load", "read", "restore", "save"]

SHOWN = 4
NPZ, SAFETENSORS = ".npz", ".safetensors"
ARCHITECTURE = "architecture"
ROOT = "value"
"""Name in the file of a tree that is a single leaf, whose path is empty."""


def save(
    path: str | PathLike[str], tree: Tree, metadata: dict[str, Any] | None = None
) -> None:
    """Write a tree to an ``.npz`` or ``.safetensors`` file, whole or not at all.

    Parameters
    ----------
    path : path
        The suffix chooses the format.
    tree : nested containers and modules of arrays, Tensors and numbers
        Parameters, an optimiser's state, or several of them in a dict. Buffers of
        modules are saved too.
    metadata : dict, optional
        What JSON can hold, arrays as lists: scaling, column names, labels.

    Raises
    ------
    ArgumentError
        If the suffix is another, the metadata are more than JSON can hold, or they
        have an ``architecture`` that is not the tree's.
    DTypeError
        If a leaf is not numeric, or of a dtype that the format lacks.
    MissingExtraError
        If the format is ``.safetensors`` and the extra is not installed.
    OSError
        If the file cannot be written; an old file is then untouched.

    Notes
    -----
    Nothing is pickled. A network of the layers of `tg.nn` is described in the
    metadata, under ``architecture``; `tg.nn.load_model` makes it from the file alone.
    The same tree gives the same bytes.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "params.npz"
    ...     save(path, {"w": [np.array([1.0, 2.0])], "b": np.array(0.5)})
    ...     load(path, {"w": [np.zeros(2)], "b": np.zeros(())})
    {'w': [array([1., 2.])], 'b': array(0.5)}
    """
    file_path, suffix = _checked_path("save", path)
    arrays = {name or ROOT: _array(name, leaf) for name, leaf in _named(tree)}
    if NOTE in arrays:
        raise ArgumentError(
            explain(
                "save",
                f"a leaf named {NOTE}",
                "another name, since the file's note has this one",
                "Rename the key",
            )
        )
    content = Content(arrays, _with_architecture(tree, metadata))
    encode_note(content)  # raises before a file is touched
    write = write_npz if suffix == NPZ else write_safetensors
    write_atomically(file_path, lambda file: write(file, content))


def check_target(caller: str, path: str | PathLike[str]) -> Path:
    """Return a path that `save` can write to, or say why it could not.

    Raises
    ------
    ArgumentError
        If the suffix names no format.
    MissingExtraError
        If the format is ``.safetensors`` and the extra is not installed.
    OSError
        If its folder does not exist or may not be written to, or it is a folder itself.

    Examples
    --------
    >>> check_target("fit", "run.npz").name
    'run.npz'
    """
    file_path, suffix = _checked_path(caller, path)
    if suffix == SAFETENSORS:
        require_safetensors()
    folder = file_path.parent
    problems = (
        (
            not folder.exists(),
            FileNotFoundError,
            f"the folder {str(folder)!r} is not there",
        ),
        (not folder.is_dir(), NotADirectoryError, f"{str(folder)!r} is no folder"),
        (file_path.is_dir(), IsADirectoryError, f"{str(file_path)!r} is a folder"),
        (
            not os.access(folder, os.W_OK),
            PermissionError,
            f"the folder {str(folder)!r} may not be written to",
        ),
    )
    for is_so, error, came in problems:
        if is_so:
            raise error(
                explain(
                    caller,
                    came,
                    "a file in a folder that can be written to",
                    "Make the folder, or correct the path",
                )
            )
    return file_path


def _with_architecture(tree: Tree, metadata: dict[str, Any] | None) -> dict[str, Any]:
    """Return the metadata with the description of the tree, if it has one."""
    if not isinstance(metadata, dict | None):
        raise ArgumentError(
            explain(
                "save",
                f"metadata of type {type(metadata).__name__}",
                "a dict with text as keys",
                'Pass for example metadata={"labels": labels}',
            )
        )
    noted = dict(metadata or {})
    describe = getattr(tree, "tree_spec", None)
    spec = describe() if describe is not None else None
    if spec is None:
        return noted
    if noted.setdefault(ARCHITECTURE, spec) != spec:
        raise ArgumentError(
            explain(
                "save",
                f"metadata with an {ARCHITECTURE!r} that is not the tree's",
                "another key, since the network is described under this one",
                "Rename the key, or leave it out",
            )
        )
    return noted


def read(path: str | PathLike[str]) -> Content:
    """Read a file of arrays completely, without a tree to put them into.

    Parameters
    ----------
    path : path
        An ``.npz`` or ``.safetensors`` file, by tensorgrad or another program.

    Returns
    -------
    arrays : dict from path to ndarray
    metadata : dict
        What was given to `save`; empty for a file of another program.

    Raises
    ------
    FileFormatError
        If the file is corrupt, foreign, a directory, or holds pickled objects.
    FileNotFoundError
        If there is no such file.
    MissingExtraError
        If the format is ``.safetensors`` and the extra is not installed.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "params.npz"
    ...     save(path, {"w": np.array([1.0, 2.0])}, {"unit": "m"})
    ...     arrays, metadata = read(path)
    >>> arrays, metadata
    ({'w': array([1., 2.])}, {'unit': 'm'})
    """
    file_path, suffix = _checked_path("load", path)
    caller = f"load {str(file_path)!r}"
    if not file_path.is_file():
        raise _no_file(caller, file_path)
    if suffix == SAFETENSORS:
        return read_safetensors(caller, file_path)
    with file_path.open("rb") as file:
        return read_npz(caller, file)


def load(path: str | PathLike[str], like: Tree) -> Tree:
    """Read a file into a tree that fits it.

    Parameters
    ----------
    path : path
        An ``.npz`` or ``.safetensors`` file.
    like : tree
        Says which names, shapes and dtypes are expected. Its Tensors and modules get
        the values and keep their identity; arrays and numbers come back new.

    Returns
    -------
    The tree ``like`` with the values of the file

    Raises
    ------
    FileFormatError
        If the file is damaged or foreign, or names, shapes or dtypes differ: the
        message says which. Nothing has been changed then.
    FileNotFoundError
        If there is no such file.
    MissingExtraError
        If the format is ``.safetensors`` and the extra is not installed.

    Examples
    --------
    >>> import tempfile, pathlib, tensorgrad as tg
    >>> model = tg.nn.Dense(3, 2, rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "layer.npz"
    ...     save(path, model)
    ...     other = tg.nn.Dense(3, 2, rng=1)
    ...     same = load(path, other)
    >>> same is other, bool((other.W.numpy() == model.W.numpy()).all())
    (True, True)
    """
    return restore(path, read(path).arrays, like)


def restore(path: str | PathLike[str], arrays: dict[str, Array], like: Tree) -> Tree:
    """Put the arrays of `read` into a tree that they fit; `load` without the reading.

    Parameters
    ----------
    path : path
        Named in messages.
    arrays : dict from path to ndarray
    like : tree

    Returns
    -------
    The tree ``like`` with the values of the arrays

    Raises
    ------
    FileFormatError
        If names, shapes or dtypes differ.

    Examples
    --------
    >>> restore("a.npz", {"n": np.array(3)}, {"n": 0})
    {'n': 3}
    """
    structure = flatten(like)[1]
    expected = {name or ROOT: (leaf, _array(name, leaf)) for name, leaf in _named(like)}
    _check_fit(
        f"load {str(path)!r}",
        arrays,
        {name: array for name, (_, array) in expected.items()},
    )
    keeps_order = Path(path).suffix.lower() == NPZ
    values = {
        name: _as_leaf(leaf, array, arrays[name], keeps_order=keeps_order)
        for name, (leaf, array) in expected.items()
    }
    # Tensors first: this raises, before anything is changed, where one is no leaf.
    tree = assign_leaves(like, [values[name or ROOT] for name in structure.paths()])
    for prefix, module in _with_buffers(flatten(tree)[1]):
        names = {name: _join(prefix, name) for name in module.tree_buffers()}
        module.tree_set_buffers({name: values[full] for name, full in names.items()})
    return tree


def _checked_path(action: str, path: str | PathLike[str]) -> tuple[Path, str]:
    file_path = Path(path)
    suffix = file_path.suffix.lower()
    if suffix not in (NPZ, SAFETENSORS):
        raise ArgumentError(
            explain(
                action,
                f"the path {str(file_path)!r}",
                f"a name that ends in {NPZ} or {SAFETENSORS}",
                f"Write for example {file_path.stem or 'model'}{NPZ}"
                if action != "load"
                else "Give the file that a model was saved to",
            )
        )
    return file_path, suffix


def _no_file(caller: str, path: Path) -> Exception:
    if path.exists():
        return FileFormatError(
            explain(caller, "a directory or a device", "a file", "Correct the path")
        )
    return FileNotFoundError(
        explain(
            caller,
            "there is no such file",
            "an existing file",
            "Correct the path; it is relative to the working directory",
        )
    )


def _named(tree: Tree) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a tree and the buffers of its modules, with paths."""
    found, structure = flatten(tree)
    yield from zip(structure.paths(), found, strict=True)
    for prefix, module in _with_buffers(structure):
        for name, array in module.tree_buffers().items():
            yield _join(prefix, name), array


def _with_buffers(structure: Structure, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the modules of a tree that can have buffers, with their paths."""
    if hasattr(structure.template, "tree_buffers"):
        yield prefix, structure.template
    for key, child in zip(structure.keys, structure.children, strict=True):
        yield from _with_buffers(child, _join(prefix, str(key)))


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _array(name: str, leaf: Any) -> Array:
    """Return a leaf as an array of numbers."""
    value = leaf.numpy() if isinstance(leaf, Tensor) else leaf
    is_number = isinstance(value, (bool, int, float, complex, np.generic))
    if isinstance(value, np.ndarray) or is_number:
        array: Array = np.asarray(value)
        # bfloat16 and its kin come from outside NumPy: its files would lose their names.
        if array.dtype.kind in "biufc":
            return array
        came = f"dtype {array.dtype}"
    else:
        came = f"type {type(value).__name__}"
    raise DTypeError(
        explain(
            "saving or loading a tree",
            f"{name or 'the leaf'} of {came}",
            "an array, a Tensor or a number",
            "Convert it (bfloat16 to float32), or put text into metadata",
        )
    )


def _as_leaf(leaf: Any, like: Array, array: Array, *, keeps_order: bool) -> Any:
    """Return a value of the leaf's kind, byte order and memory order.

    Memory order is not decoration: matrix products of another order have other bits,
    and a training that is resumed should not notice. A format that has no order takes
    that of the tree.
    """
    if isinstance(leaf, (np.generic, bool, int, float, complex)):
        return array[()] if isinstance(leaf, np.generic) else array.item()
    is_fortran = array.flags.fnc if keeps_order else like.flags.fnc
    order: Literal["C", "F"] = "F" if is_fortran else "C"
    return np.array(array, dtype=like.dtype, order=order, copy=None)


def _check_fit(caller: str, found: dict[str, Array], like: dict[str, Array]) -> None:
    """Raise FileFormatError listing every kind of difference."""
    both = [name for name in like if name in found]
    parts = {
        "missing in the file": [name for name in like if name not in found],
        "unexpected in the file": [name for name in found if name not in like],
        "shapes differ": [
            f"{name} {found[name].shape} in the file, {like[name].shape} wanted"
            for name in both
            if found[name].shape != like[name].shape
        ],
        "dtypes differ": [
            f"{name} {found[name].dtype} in the file, {like[name].dtype} wanted"
            for name in both
            if _native(found[name]) != _native(like[name])
        ],
    }
    said = "; ".join(
        f"{kind}: {_shown(names)}" for kind, names in parts.items() if names
    )
    if said:
        raise FileFormatError(
            explain(
                caller,
                said,
                f"the {len(like)} names of the tree, with its shapes and dtypes",
                "Make the tree as it was when it was saved; nothing has been changed",
            )
        )


def _native(array: Array) -> np.dtype[Any]:
    return array.dtype.newbyteorder("=")


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
