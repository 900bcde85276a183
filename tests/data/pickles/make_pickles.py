"""Writes the small pickles beside this file, in the form of the down-sampled ImageNet's batches.

    python -m venv one && one/bin/pip install 'numpy<2'
    python -m venv two && two/bin/pip install 'numpy>=2'
    one/bin/python make_pickles.py && two/bin/python make_pickles.py

They were made with Python 3.11 and numpy 1.26.4 and 2.4.6. `python2` imitates what Python 2 writes
in protocol 2, where bytes are plain strings; it is made by the first of the two.
"""
import pathlib
import pickle
import struct

import numpy as np

LABELS = [1, 1000, 120, 121]


def batch():
    pixels = (np.arange(768)[None, :] * 11 + np.arange(len(LABELS))[:, None] * 37) % 256
    return {
        "data": pixels.astype(np.uint8),
        "labels": list(LABELS),
        "mean": np.linspace(0, 255, 768),
    }


class Python2Pickler(pickle._Pickler):
    """Bytes and short texts as the plain strings of Python 2."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        raw = value.encode("latin1") if isinstance(value, str) else value
        if len(raw) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(raw)]) + raw)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(value)

    dispatch[bytes] = save_string
    dispatch[str] = save_string


folder = pathlib.Path(__file__).parent
numpy = "numpy" + np.__version__.split(".")[0]
for protocol in (2, 3, 4):
    path = folder / f"{numpy}_protocol{protocol}"
    path.write_bytes(pickle.dumps(batch(), protocol))
if numpy == "numpy1":
    with open(folder / "python2", "wb") as file:
        Python2Pickler(file, 2).dump(batch())
