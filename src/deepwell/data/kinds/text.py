"""Free text, as weights of its words (TF-IDF)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from deepwell.data.kinds.base import Blocks, Description, Layout, State, scalars
from deepwell.data.kinds.category import as_text, mean_words
from deepwell.data.schema import KindName
from deepwell.data.settings import EncodeSettings
from deepwell.data.table import Column

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

WORD = r"(?u)\b\w+\b"
MIN_DOCUMENTS = 2
"""A word must occur in so many training rows."""


class Text:
    """Free text, encoded as TF-IDF: rare words weigh more, each row has length 1.

    Reference:
        Salton, Buckley (1988), "Term-weighting approaches in automatic text retrieval".
    """

    name: KindName = "text"

    def recognise(self, column: Column) -> str | None:
        """Recognise every column of text that is no category."""
        if not isinstance(column, pl.Series) or column.dtype != pl.String:
            return None
        values = column.drop_nulls()
        words = mean_words(values)
        many = f"{values.n_unique()} different texts in {len(values)} rows"
        return f"{many}, {words:.0f} word{'s' if round(words) != 1 else ''} on average"

    def parse(self, name: str, column: Column) -> pl.Series:
        """Return text."""
        return as_text(name, scalars(name, column))

    def describe(self, column: Column) -> Description:
        """Give the mean and the largest number of words."""
        counts = scalars("", column).drop_nulls().str.count_matches(r"\S+")
        if not len(counts):
            return Description("no values")
        mean = round(mean_words(scalars("", column)))
        words = "word" if mean == 1 else "words"
        return Description(f"{mean} {words} on average, {counts.max()} at the most")

    def fit(self, column: Column, settings: EncodeSettings) -> State:
        """Learn the words and their weights."""
        texts = scalars("", column).fill_null("").to_list()
        state: State = {"ngrams": settings.text_ngrams, "words": [], "idf": []}
        for min_documents in (MIN_DOCUMENTS, 1):
            vectorizer = _vectorizer(
                settings.text_ngrams, min_df=min_documents, max_features=settings.text_features
            )
            try:
                vectorizer.fit(texts)
            except ValueError:  # no word is left
                continue
            words = [str(word) for word in vectorizer.get_feature_names_out()]
            return state | {"words": words, "idf": [float(x) for x in vectorizer.idf_]}
        return state

    def layout(self, name: str, state: State) -> Layout:
        """One feature for each word."""
        return Layout(features=tuple(f"{name}: {word}" for word in state["words"]))

    def encode(self, column: Column, state: State) -> Blocks:
        """Return the weights of the words; shape (rows, words)."""
        texts = scalars("", column).fill_null("").to_list()
        if not state["words"] or not texts:
            return Blocks(numbers=np.zeros((len(texts), len(state["words"])), dtype=np.float32))
        vocabulary = {word: index for index, word in enumerate(state["words"])}
        vectorizer = _vectorizer(state["ngrams"], vocabulary=vocabulary)
        vectorizer.idf_ = np.array(state["idf"])
        weights: Any = vectorizer.transform(texts)
        return Blocks(numbers=weights.astype(np.float32).toarray())


def _vectorizer(
    ngrams: int,
    *,
    min_df: int = 1,
    max_features: int | None = None,
    vocabulary: dict[str, int] | None = None,
) -> TfidfVectorizer:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        lowercase=True,
        token_pattern=WORD,
        ngram_range=(1, ngrams),
        min_df=min_df,
        max_features=max_features,
        vocabulary=vocabulary,
        sublinear_tf=True,
    )
