"""Cuts the two photographs that scikit-learn ships into tiles of 64 x 64 pixels, and writes a table of their places.

    python specs/pretrained/photo_tiles.py specs/pretrained/photos

The 120 tiles are a full grid of photo (2), row (6) and column (10), so each of the three can be set.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_sample_images

SIDE = 64


def cut(folder: Path) -> int:
    """Write the tiles and tiles.csv into `folder`; the number of tiles."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [("file", "photo", "row", "column")]
    found = load_sample_images()
    for name, image in zip(found.filenames, found.images, strict=True):
        photo = Path(name).stem
        for row in range(image.shape[0] // SIDE):
            for column in range(image.shape[1] // SIDE):
                tile = image[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
                file = f"{photo}_{row}_{column}.png"
                Image.fromarray(tile).save(folder / file)
                rows.append((file, photo, str(row), str(column)))
    with (folder / "tiles.csv").open("w", newline="", encoding="utf-8") as table:
        csv.writer(table).writerows(rows)
    return len(rows) - 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: photo_tiles.py FOLDER")
    sys.stdout.write(f"{cut(Path(sys.argv[1]))} tiles in {sys.argv[1]}\n")
