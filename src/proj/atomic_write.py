"""Files that are there whole or not at all, also after a power cut."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """All of the file, on the disk, or the old one. Raises OSError where there is no room or no permission."""
    temporary = path.with_name(path.name + ".tmp")  # the same file system: the rename is atomic
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        error.filename = str(path)
        raise
