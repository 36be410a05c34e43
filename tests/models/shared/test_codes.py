"""How codes are used."""

from pathlib import Path

import numpy as np
import torch

from tests.models.voc.tokenizers.tiny import make_store
from vidrep_pipelines.data.frame_store.codes import CodeStore, code_shard
from vidrep_pipelines.models.shared.codes import code_histogram, code_report, count_stored_codes


def test_codes_of_the_selected_views_are_counted(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    for number, (shard, version) in enumerate(store.facts.shards.items()):
        (tmp_path / "codes" / shard).parent.mkdir(parents=True, exist_ok=True)
        frames = int(store.table.loc[store.table["shard"] == shard, "frames"].sum())
        with code_shard(tmp_path / "codes" / shard, frames, (2, 2), version) as writer:
            writer.append(np.full((frames, 2, 2), number))
    counts = count_stored_codes(CodeStore(tmp_path / "codes", store), 9)
    assert counts.sum() == 4 * store.index.lengths.sum() and counts.shape == (9,)
    assert (counts > 0).sum() == len(store.facts.shards)


def test_even_use_takes_all_bits_and_a_single_code_none() -> None:
    even = code_report(torch.full((16,), 3.0, dtype=torch.float64), 4)
    assert even["codes"] == 48 and even["codebook_use"] == 1 and round(even["perplexity"], 9) == 16
    assert even["bits_per_frame"] == 16 and round(even["entropy_bits_per_frame"], 9) == 16
    single = code_report(torch.tensor([0.0, 5.0], dtype=torch.float64), 4)
    assert single["codebook_use"] == 0.5 and single["perplexity"] == 1
    assert single["bits_per_frame"] == 4 and single["entropy_bits_per_frame"] == 0


def test_the_histogram_is_a_picture() -> None:
    picture = np.asarray(code_histogram(torch.tensor([5.0, 0.0, 1.0])))
    assert picture.shape[1] > picture.shape[0] > 200 and picture.std() > 5
