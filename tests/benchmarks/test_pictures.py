import numpy as np
from benchmarks.pictures import SAMPLE, read

from deepwell.data import read as read_source


def test_own_reader_agrees_with_that_of_the_package():
    pictures, source = read(SAMPLE), read_source(SAMPLE)
    assert pictures.train.shape == (10_000, 28, 28)
    assert pictures.test.shape == (2_000, 28, 28)
    images = np.asarray(source.table["image"]).reshape(pictures.train.shape)
    assert (images == pictures.train).all()
    assert source.table.series("label").cast(int).to_list() == pictures.train_labels.tolist()
    assert pictures.train_vectors.max() == 1.0


def test_accuracy_counts_right_answers():
    pictures = read(SAMPLE)
    classes = pictures.test_labels.copy()
    classes[:500] = (classes[:500] + 1) % 10
    assert pictures.accuracy(classes) == 0.75
