"""What a finished job gives to later stages: a table of its items and the paths of their products."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import pandas as pd
import pyarrow as pa

from vidrep_pipelines.fanout.errors import FanOutError
from vidrep_pipelines.fanout.manifest import read_manifest


@dataclass(frozen=True, eq=False)
class Parts:
    """Handle on the products of a job. Opens nothing; picklable.

    Attributes:
        folder: Where the products lie.
        rows: The table, or the manifest from which it is read when it is asked for.
        suffixes: Endings of the products.
    """

    folder: Path
    rows: pd.DataFrame | Path
    suffixes: tuple[str, ...]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per item, in the order of the job.

        Columns: id, status (``ok`` or ``failed``), error (why; for one that is ok, what its products lack),
        seconds, bytes, digest, attempts, checksums (digests of the products in the order of ``suffixes``),
        then the facts (null for failed items; whole numbers are ``Int64`` then).

        Raises:
            FanOutError: The manifest is damaged.
        """
        return table_to_frame(read_manifest(self.rows)) if isinstance(self.rows, Path) else self.rows

    @cached_property
    def ids(self) -> list[str]:
        """Ids of the items that succeeded."""
        return cast("list[str]", self.table.loc[self.table["status"] == "ok", "id"].tolist())

    @property
    def digests(self) -> dict[str, str]:
        """The item digest of every item, by id: of all that it was made from."""
        return dict(zip(self.table["id"], self.table["digest"], strict=True))

    def checksums(self, suffix: str) -> dict[str, str]:
        """Digests of the products with this ending as they were written, by id.

        Items of earlier versions of the project have none.

        Raises:
            FanOutError: The job makes no such product.
        """
        place = self._place(suffix)
        if "checksums" not in self.table:
            return {}
        known = self.table.loc[self.table["status"] == "ok", ["id", "checksums"]].dropna()
        return {name: text.split()[place] for name, text in known.itertuples(index=False)}

    @property
    def failed(self) -> pd.DataFrame:
        """Rows of the items that failed; ``error`` says why."""
        return self.table[self.table["status"] == "failed"]

    @cached_property
    def content_digest(self) -> str:
        """Changes when an item is added, removed, made from something else, or fails where it did not."""
        lines = self.table["id"].str.cat(self.table[["status", "digest"]], sep="\t")
        return hashlib.blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()

    def path(self, item_id: str, suffix: str | None = None) -> Path:
        """The path of a product of an item that succeeded.

        Args:
            item_id: One of ``ids``.
            suffix: One of ``suffixes``; the first when left out.

        Raises:
            FanOutError: The job makes no such product.
        """
        suffix = self.suffixes[0] if suffix is None and self.suffixes else suffix
        return self.folder / f"{item_id}{self.suffixes[self._place(suffix)]}"

    def _place(self, suffix: str | None) -> int:
        if suffix not in self.suffixes:
            raise FanOutError(f"There is no {suffix} product in {self.folder}; it has {list(self.suffixes)}.")
        return self.suffixes.index(suffix)


def table_to_frame(table: pa.Table) -> pd.DataFrame:
    """A manifest as a data frame; whole numbers and truth values with nulls keep a type of their own."""
    nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=nullable.get)
    plain = {
        name: str(frame[name].dtype).lower()
        for name in frame.columns
        if isinstance(frame[name].dtype, pd.Int64Dtype | pd.BooleanDtype) and not frame[name].isna().any()
    }
    return frame.astype({name: "bool" if kind == "boolean" else kind for name, kind in plain.items()})
