import pytest
import torch

from deepwell.nn.embedding import CategoryEmbedding, MixedCategories, OneHot, embedding_size


def test_each_value_has_its_own_vector() -> None:
    cardinalities = (3, 5, 3, 40)
    embedding = CategoryEmbedding(cardinalities)
    for column, cardinality in enumerate(cardinalities):
        codes = torch.zeros(cardinality, len(cardinalities), dtype=torch.long)
        codes[:, column] = torch.arange(cardinality)
        vectors = embedding(codes)
        assert not vectors[0].any()  # all unknown: zeros
        moved = [tuple(vector.nonzero().flatten().tolist()) for vector in vectors[1:]]
        assert len(set(moved)) == 1  # every value of a column writes to the same places
        assert len(moved[0]) == embedding_size(cardinality)
        assert len({tuple(vector.tolist()) for vector in vectors}) == cardinality


def test_columns_write_to_different_places() -> None:
    embedding = CategoryEmbedding((3, 5, 3, 40))
    codes = torch.tensor([[1, 4, 2, 39]])
    parts = [torch.where(torch.arange(4) == column, codes, 0) for column in range(4)]
    torch.testing.assert_close(embedding(codes), sum(embedding(part) for part in parts))
    assert bool(embedding(codes).all())


def test_codes_beyond_the_table_are_unknown() -> None:
    embedding = CategoryEmbedding((3, 3))
    strange = embedding(torch.tensor([[3, 1], [99, 1]]))
    expected = embedding(torch.tensor([[0, 1], [0, 1]]))
    assert torch.equal(strange, expected)


def test_unknown_moves_only_when_rows_hold_it() -> None:
    embedding = CategoryEmbedding((3, 3), size=2)
    embedding(torch.tensor([[0, 1], [2, 1]])).sum().backward()
    (weight,) = embedding.parameters()
    assert weight.grad is not None
    assert weight.grad.any(dim=1).tolist() == [True, False, True, False, True, False]


def test_out_features_and_fixed_size() -> None:
    embedding = CategoryEmbedding((3, 900, 7), size=5)
    assert embedding.out_features == 15
    assert embedding(torch.zeros(4, 3, dtype=torch.long)).shape == (4, 15)
    assert len(list(embedding.parameters())) == 1


@pytest.mark.parametrize("cardinality", range(2, 60))
def test_sizes_grow_and_are_powers_of_two(cardinality: int) -> None:
    size = embedding_size(cardinality)
    assert size & (size - 1) == 0
    assert embedding_size(cardinality - 1) <= size <= 32
    assert 2**size >= cardinality - 1


def test_one_hot_equals_torch() -> None:
    cardinalities = (4, 2, 6)
    codes = torch.stack([torch.randint(n, (50,)) for n in cardinalities], dim=1)
    expected = [
        torch.nn.functional.one_hot(codes[:, column], n)[:, 1:]
        for column, n in enumerate(cardinalities)
    ]
    module = OneHot(cardinalities)
    assert torch.equal(module(codes), torch.cat(expected, dim=1).float())
    assert module.out_features == 3 + 1 + 5
    assert module.double()(codes).dtype == torch.double


def test_one_hot_of_a_code_beyond_the_table_is_zero() -> None:
    assert not OneHot((3, 3))(torch.tensor([[3, 17]])).any()


def test_mixed_categories_divide_columns_by_their_values() -> None:
    mixed = MixedCategories((40, 4, 3), one_hot_limit=3, size=5)
    codes = torch.tensor([[7, 3, 2], [0, 0, 0]])
    outputs = mixed(codes)
    assert outputs[0, :5].tolist() == [0.0, 0.0, 1.0, 0.0, 1.0]
    assert mixed.embedding is not None
    torch.testing.assert_close(outputs[:, 5:], mixed.embedding(codes[:, :1]))
    assert (mixed.chunks, mixed.out_features) == ((3, 2, 5), 10)
    assert not outputs[1].any()


@pytest.mark.parametrize("limit", [0, 99])
def test_mixed_categories_of_one_sort(limit: int) -> None:
    mixed = MixedCategories((4, 3), one_hot_limit=limit)
    assert mixed(torch.tensor([[1, 1]])).shape == (1, mixed.out_features)
    assert (mixed.one_hot is None, mixed.embedding is None) == (limit == 0, limit == 99)
