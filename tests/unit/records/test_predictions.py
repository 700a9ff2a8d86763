"""Predictions and gold posts are aligned by post_id."""

import pandas as pd
import pytest

from postgrad.records.predictions import align_with_gold


def labelled(ids, labels):
    return pd.DataFrame({"post_id": ids, "label": pd.array(labels, dtype="Int64")})


def test_predictions_are_aligned_by_post_id_and_decoys_left_out():
    gold, predicted = align_with_gold(
        labelled(["a", "b", "c"], [0, None, 1]), labelled(["c", "a"], [7, 8]), ("g", "p")
    )
    assert gold["post_id"].tolist() == predicted["post_id"].tolist() == ["a", "c"]
    assert predicted["label"].tolist() == [8, 7]
    with pytest.raises(ValueError, match="p lacks 2 of 3 gold posts of g"):
        align_with_gold(labelled(["a", "b", "c"], [0, 1, 1]), labelled(["a"], [0]), ("g", "p"))
    with pytest.raises(ValueError, match="p predicts a post twice"):
        align_with_gold(labelled(["a"], [0]), labelled(["a", "a"], [0, 0]), ("g", "p"))
