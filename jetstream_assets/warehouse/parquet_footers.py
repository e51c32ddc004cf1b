"""What a Parquet file's footer tells, read once for each state of the file.

Belongs here: reading footers and remembering them. Does not: what follows from them (slices,
source days, profiles, pruning).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from jetstream_assets.warehouse.parquet_files import state_of

if TYPE_CHECKING:
    from pathlib import Path

_REMEMBERED = 100_000  # files; about a thousand bytes each
_SCHEMAS = ("ARROW:schema", "pandas")  # what writers say of types again, at length


@dataclass(frozen=True)
class Footer:
    """A file's footer.

    Args:
        rows: Rows of the file.
        row_groups: Its row groups.
        columns: A hash, in this process, of the names and types of its columns in their order.
        entries: The texts that its writer put beside; what is not text is left out.
    """

    rows: int
    row_groups: int
    columns: int
    entries: dict[str, str]


def read_footer(file: Path | str) -> Footer:
    """The footer of a file as it is now.

    Raises:
        OSError: The file is not there or cannot be read.
        pyarrow.ArrowInvalid: It is damaged, or no Parquet file.
    """
    state = state_of(file)
    return _read(str(file), state.st_ino, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=_REMEMBERED)
def _read(file: str, inode: int, changed: int, size: int) -> Footer:
    del inode, changed, size  # a file that takes its place is another key
    found = pq.read_metadata(file)
    # The first line is the address of the object.
    _, _, columns = str(found.schema).partition("\n")
    entries = {
        key.decode(errors="replace"): value.decode(errors="replace")
        for key, value in (found.metadata or {}).items()
    }
    kept = {key: value for key, value in entries.items() if key not in _SCHEMAS}
    return Footer(found.num_rows, found.num_row_groups, hash(columns), kept)
