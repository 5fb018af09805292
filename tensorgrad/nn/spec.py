"""Descriptions of networks: data that a file can carry and a network be made from."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from types import MappingProxyType
from typing import Any

import numpy as np

from tensorgrad import serial
from tensorgrad.errors import ArgumentError, FileFormatError, TensorgradError, explain
from tensorgrad.nn.activations import ACTIVATIONS
from tensorgrad.nn.arguments import check_count, check_dtype
from tensorgrad.nn.layers import Dense, Dropout, Sequential
from tensorgrad.nn.module import Module
from tensorgrad.nn.scaling import Standardise

__all__ = ["from_spec", "load_model", "to_spec"]


def to_spec(module: Module) -> dict[str, Any]:
    """Describe a network of the layers of `tg.nn` by numbers, names and lists alone.

    Parameters
    ----------
    module : Module
        `Sequential`, `Dense` and `Dropout`, with activations of known names.

    Returns
    -------
    dict
        What JSON can hold; parameters are not part of it.

    Raises
    ------
    ArgumentError
        If the network has a part that cannot be described: a module of your own, or
        an activation without a name.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> to_spec(tg.nn.Dropout(0.8))
    {'kind': 'dropout', 'keep_prob': 0.8}
    """
    spec = module.tree_spec()
    if spec is None or not _is_known(spec):
        raise ArgumentError(
            explain(
                "describing a network",
                f"{type(module).__name__} with a part that has no description",
                "Sequential, Dense, Dropout, and activations of known names: "
                f"{' '.join(ACTIVATIONS)}",
                "Make the network in code, and load the parameters with tg.load(path, "
                "like=model)",
            )
        )
    return spec


def _is_known(spec: Any) -> bool:
    """Tell whether `from_spec` will find all names again."""
    if spec.get("kind") == "sequential":
        return all(_is_known(layer) for layer in spec["layers"])
    return spec.get("kind") in _MAKERS


def from_spec(spec: Any) -> Module:
    """Make the network that a description means, with all parameters zero.

    Parameters
    ----------
    spec : dict
        As `to_spec` returns it.

    Raises
    ------
    FileFormatError
        If the description is damaged, or of a kind that is not known.

    Examples
    --------
    >>> import tensorgrad as tg
    >>> from_spec(to_spec(tg.nn.mlp([3, 2, 1], ["tanh", "sigmoid"]))).describe()
    'Sequential(Dense(3 -> 2, tanh), Dense(2 -> 1, sigmoid))'
    """
    made = _make(spec)
    if not isinstance(made, Module):
        raise _damaged(spec, "a single activation is no network")
    return made


def _make(spec: Any) -> Any:
    maker = _MAKERS.get(str(spec.get("kind"))) if isinstance(spec, dict) else None
    if maker is None:
        raise _damaged(spec, "unknown kind")
    arguments = {key: value for key, value in spec.items() if key != "kind"}
    try:
        return maker(**arguments)
    except FileFormatError:
        raise
    except (TensorgradError, TypeError, KeyError) as error:
        raise _damaged(spec, str(error)) from error


def _damaged(spec: Any, reason: str) -> FileFormatError:
    shown = repr(spec)
    return FileFormatError(
        explain(
            "making a network from its description",
            f"{shown if len(shown) < 120 else shown[:117] + '...'} ({reason})",
            f"a dict whose kind is one of {' '.join(_MAKERS)}",
            "Save the model again with tg.save",
        )
    )


def _dense(*, n_in: int, n_out: int, activation: Any, bias: Any, dtype: str) -> Dense:
    if not isinstance(activation, str) or not isinstance(bias, bool):
        raise TypeError("activation is text, bias is true or false")
    return Dense(n_in, n_out, activation, "zeros", bias, 0, dtype)


def _activation(*, name: str) -> Callable[[Any], Any]:
    return ACTIVATIONS[name]


def _sequential(*, layers: Any, scaling: Any = None) -> Sequential:
    if not isinstance(layers, list):
        raise TypeError("layers is a list")
    made = Sequential(*(_make(layer) for layer in layers))
    if scaling is not None:
        made.scaling = from_spec(scaling)
    return made


def _standardise(*, features: int, dtype: str) -> Standardise:
    n = check_count("Standardise", "features", features)
    wanted = check_dtype("Standardise", dtype)
    return Standardise(np.zeros(n, wanted), np.ones(n, wanted))


_MAKERS: MappingProxyType[str, Callable[..., Any]] = MappingProxyType(
    {
        "activation": _activation,
        "dense": _dense,
        "dropout": Dropout,
        "sequential": _sequential,
        "standardise": _standardise,
    }
)


def load_model(path: str | PathLike[str]) -> tuple[Module, dict[str, Any]]:
    """Make a model from a file alone, as `tg.save` wrote it.

    Parameters
    ----------
    path : path
        An ``.npz`` or ``.safetensors`` file of a network of the layers of `tg.nn`.

    Returns
    -------
    model : Module
    metadata : dict
        What was given to `tg.save`.

    Raises
    ------
    FileFormatError
        If the file is damaged, foreign, or does not describe its network.
    MissingExtraError
        If the file is ``.safetensors`` and the extra is not installed.

    Examples
    --------
    >>> import tempfile, pathlib, tensorgrad as tg
    >>> model = tg.nn.mlp([3, 2], "linear")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "model.npz"
    ...     tg.save(path, model, {"labels": ["no", "yes"]})
    ...     again, metadata = load_model(path)
    >>> metadata
    {'labels': ['no', 'yes']}
    >>> bool((again.layers[0].W.numpy() == model.layers[0].W.numpy()).all())
    True
    """
    arrays, noted = serial.read(path)
    metadata = {key: v for key, v in noted.items() if key != serial.ARCHITECTURE}
    if serial.ARCHITECTURE not in noted:
        raise FileFormatError(
            explain(
                f"load_model {str(path)!r}",
                "a file of arrays that does not describe its network",
                "a network of Sequential, Dense and Dropout, saved by tg.save",
                "Make the network in code, and use tg.load(path, like=model)",
            )
        )
    model = from_spec(noted[serial.ARCHITECTURE])
    serial.restore(path, arrays, model)
    return model, metadata
