"""The predictions of one dataset, read from the two files of a predictor."""

from postgrad.records.predictions import dataset_predictions, read_predictions


def predicted(folder, dataset, file="scored"):
    """folder: of the predictor, results/<study>/<recipe>/<verb>/<node>."""
    found = dataset_predictions(read_predictions(folder / f"{file}.parquet"), dataset)
    assert len(found), f"{folder}/{file}.parquet holds no prediction of {dataset}"
    return found
