"""Exports a checkpoint twice: in float32, and in 8-bit integers."""

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import proj.use.export


def export_both(checkpoint: Path, folder: Path, raw: bool | None = None) -> tuple[Path, Path, str]:
    """(The float32 file, the 8-bit file, the printed output), from a single export."""
    real, printed, plain = proj.use.export.to_int8, io.StringIO(), folder / "float32.onnx"

    def to_int8(content, *rest):
        plain.write_bytes(content)
        return real(content, *rest)

    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.setattr("proj.use.export.to_int8", to_int8)
        small = proj.use.export.export(checkpoint, raw=raw, quantize="int8", output=str(folder / "int8.onnx"))
    return plain, small, printed.getvalue()
