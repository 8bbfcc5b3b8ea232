"""XGBoost's own library asked for predictions, without the Python package around it.

That package imports pandas, SciPy and scikit-learn: a second and a half for one essay. The trees
are checked (`foreign_trees`) before they come here, and the numbers are the package's own.
"""

from __future__ import annotations

import ctypes
import functools
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from essay_scoring.core.contracts import Matrix
from essay_scoring.core.errors import MissingExtraError
from essay_scoring.core.scale import FloatArray


class NativeTrees:
    """Boosted trees in the library's memory; raises ValueError for what it does not read."""

    def __init__(self, checked: bytes, threads: int) -> None:
        self._library, self._handle = _library(), ctypes.c_void_p()
        self._call("XGBoosterCreate", None, ctypes.c_uint64(0), ctypes.byref(self._handle))
        self._call("XGBoosterSetParam", self._handle, b"nthread", str(threads).encode())
        size = ctypes.c_uint64(len(checked))
        self._call("XGBoosterLoadModelFromBuffer", self._handle, checked, size)

    def outputs(self, values: Matrix) -> FloatArray:
        """Return values (n,), or class probabilities (n, k), of all trees."""
        rows = np.ascontiguousarray(values, dtype=np.float32)
        dense = dict(rows.__array_interface__)
        asked = {
            "type": 0,
            "training": False,
            "iteration_begin": 0,
            "iteration_end": 0,
            "missing": float("nan"),
            "strict_shape": False,
            "cache_id": 0,
        }
        shape, n = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        out = ctypes.POINTER(ctypes.c_float)()
        self._call(
            "XGBoosterPredictFromDense",
            self._handle,
            json.dumps({k: v for k, v in dense.items() if k != "descr"}).encode(),
            json.dumps(asked).encode(),
            None,
            ctypes.byref(shape),
            ctypes.byref(n),
            ctypes.byref(out),
        )
        lengths = tuple(shape[axis] for axis in range(n.value))
        return np.ctypeslib.as_array(out, lengths).astype(np.float64)

    def __del__(self) -> None:
        if self._handle.value:
            self._library.XGBoosterFree(self._handle)

    def _call(self, name: str, *arguments: Any) -> None:
        if getattr(self._library, name)(*arguments):
            raise ValueError(self._library.XGBGetLastError().decode("utf-8", "replace").strip())


@functools.cache
def _library() -> Any:
    """Load XGBoost's library once a process."""
    package = find_spec("xgboost")
    if package is None or package.origin is None:
        raise MissingExtraError("xgboost", "boosted")
    library = ctypes.CDLL(str(Path(package.origin).parent / "lib" / "libxgboost.so"))
    library.XGBGetLastError.restype = ctypes.c_char_p
    return library
