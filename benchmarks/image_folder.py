"""Time and memory that a folder of photos takes until training can begin: `python benchmarks/image_folder.py`.

Makes 20,000 JPEG files of 320×240 pixels in ten classes, and opens them with `dataset=image_folder`: with one thread
and with all, with the resized photos kept in memory and on the disk, and a second time, when a cache has them already
resized. Each start is a process of its own, forked from this one after all imports, which then goes through the
training batches (mirrored and shifted) once. Its memory is the peak that the kernel reports minus the memory at the
fork. Needs no data, takes a few minutes, and writes benchmarks/results/image_folder/<number of images>.json.
"""

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from growth import in_own_process
from PIL import Image
from record import record

from proj.config.compose import configure
from proj.config.instantiate import build
from proj.wording import how_many

HEADER = "| start | ready after, s | CPU, s | CPU ms a batch of 128 | memory beyond the imports, MB |"


def make_photos(folder: Path, count: int) -> None:
    """Write `count` JPEG files of smooth noise, about 15 kB each, into folders of ten classes."""

    def make(number: int) -> None:
        noise = np.random.default_rng(number).integers(0, 256, (15, 20, 3), dtype=np.uint8)
        photo = Image.fromarray(noise).resize((320, 240), Image.Resampling.BICUBIC)
        photo.save(folder / f"class{number % 10}" / f"{number}.jpg", quality=90)

    for number in range(10):
        (folder / f"class{number}").mkdir()
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(make, range(count)))


def start(folder: Path, threads: int, limit_mb: float) -> tuple[float, float, float, float]:
    """Open the photos in a process of its own: (seconds until they are ready, CPU seconds of it, CPU ms per training
    batch, peak MB). limit_mb: up to this size, resized photos are kept in memory; larger ones stay on the disk."""

    def work() -> tuple[float, float, float]:
        torch.set_num_threads(threads)
        words = (
            f"data_dir={folder}/photos",
            f"dataset.cache_dir={folder}/cache",
            f"dataset.memory_limit_mb={limit_mb}",
        )
        cfg = configure("dataset=image_folder", *words, f"hydra.run.dir={folder}/run", "dataset.batch_size=128")
        data = build(cfg.dataset)
        begin, used = time.perf_counter(), time.process_time()
        data.setup()
        ready, used = time.perf_counter(), time.process_time() - used
        batches, cut = data.train_dataloader(), time.process_time()
        for _ in batches:
            pass
        batch = 1e3 * (time.process_time() - cut) / len(batches)
        return ready - begin, used, batch

    return in_own_process(work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, os.cpu_count()])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        make_photos(folder / "photos", arguments.images)
        rows = []
        for words, limit in (("in memory", 10**6), ("on the disk", 0)):
            for threads in arguments.threads:
                for cache in folder.glob("cache/*"):
                    cache.unlink()
                rows.append((f"first, {how_many(threads, 'thread')}, {words}", *start(folder, threads, limit)))
            rows.append((f"second, {words}", *start(folder, threads, limit)))
    found = [dict(zip(("start", "ready", "used", "batch", "peak"), row, strict=True)) for row in rows]
    template = "| {start} | {ready:.1f} | {used:.1f} | {batch:.1f} | {peak:,.0f} |"
    record(f"image_folder/{arguments.images}", HEADER, template, found)


if __name__ == "__main__":
    main()
