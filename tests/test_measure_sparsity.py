import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from prunelab import pruning
from prunelab.measure import Count, Size, count, sizes


def lenet():
    """Build LeNet-300-100 without our own builder, so that its known counts check ours."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )


def test_lenet_300_100_has_266200_weights_and_410_biases():
    # Han et al. 2015, table 3: 235K + 30K + 1K weights.
    model = lenet()

    assert [row.weights for row in count(model)] == [235_200, 30_000, 1_000, 266_200]
    assert sizes(model)[-1].parameters == 266_200 + 410
    assert sizes(model)[-1].dense_bytes == 4 * 266_610


def test_a_pruned_network_counts_what_is_left():
    model = lenet()
    masks = pruning.keep_largest(pruning.magnitude(pruning.prunable(model)), 0.9)
    by_masks = count(model, masks)
    pruning.apply(model, masks)

    assert by_masks == count(model)
    assert by_masks[-1] == Count(layer="all", weights=266_200, kept=26_620, sparsity=0.9)
    assert sum(row.kept for row in by_masks[:-1]) == 26_620


def test_a_weight_without_a_mask_is_kept_even_where_it_is_zero():
    weights = {"fc1": torch.zeros(2, 3), "fc2": torch.zeros(4)}
    masks = {"fc1": torch.tensor([[True, False, False], [False, False, False]])}

    assert [row.kept for row in count(weights, masks)] == [1, 4, 5]
    assert [row.kept for row in count(weights, {})] == [6, 4, 10]
    assert [row.kept for row in count(weights)] == [0, 0, 0]


def test_layers_without_weights_have_lost_nothing():
    assert [row.sparsity for row in count({"fc1": torch.zeros(0, 5)})] == [0, 0]
    assert count({}) == [Count(layer="all", weights=0, kept=0, sparsity=0)]


def test_masks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="did you mean 'fc1'"):
        count({"fc1": torch.ones(2)}, {"fc": torch.ones(2, dtype=torch.bool)})


@given(
    st.integers(0, 9), st.integers(1, 12), st.floats(0, 1), st.sampled_from(["float32", "float64"]), st.integers(0, 99)
)
def test_csr_bytes_are_those_of_scipy(rows, columns, density, dtype, seed):
    rng = np.random.default_rng(seed)
    weight = (rng.normal(size=(rows, columns)) * (rng.random((rows, columns)) < density)).astype(dtype)
    csr = scipy.sparse.csr_matrix(weight)
    assert csr.indices.dtype == csr.indptr.dtype == np.int32
    size = sizes({"fc1": torch.from_numpy(weight)})[0]

    assert size.nonzero == csr.nnz
    assert size.csr_bytes == csr.data.nbytes + csr.indices.nbytes + csr.indptr.nbytes
    assert size.dense_bytes == weight.nbytes


def test_a_convolution_is_stored_with_one_row_per_output_and_a_bias_as_it_is():
    conv = nn.Conv2d(4, 6, 3, groups=2, dtype=torch.float64)
    with torch.no_grad():
        conv.weight[:, 0] = 0
        conv.bias[0] = 0
    csr = scipy.sparse.csr_matrix(conv.weight.detach().reshape(6, -1).numpy())

    assert sizes(conv) == [
        Size(
            layer="weight",
            parameters=108,
            nonzero=54,
            dense_bytes=864,
            csr_bytes=csr.data.nbytes + csr.indices.nbytes + csr.indptr.nbytes,
        ),
        Size(layer="bias", parameters=6, nonzero=5, dense_bytes=48, csr_bytes=48),
        Size(layer="all", parameters=114, nonzero=59, dense_bytes=912, csr_bytes=48 + 54 * 12 + 7 * 4),
    ]


def test_a_shared_parameter_takes_its_room_once():
    model = nn.ModuleDict({"one": nn.Linear(4, 4, bias=False), "two": nn.Linear(4, 4, bias=False)})
    model["two"].weight = model["one"].weight

    assert [row.layer for row in sizes(model)] == ["one.weight", "all"]
    assert sizes(model)[-1].parameters == count(model)[-1].weights == 16


def test_half_precision_values_take_two_bytes():
    assert sizes({"fc1": torch.ones(3, 5, dtype=torch.bfloat16)})[0].csr_bytes == 15 * (2 + 4) + 4 * 4


def test_a_network_in_torchs_pruned_form_is_refused_for_its_parameters_are_unpruned():
    model = lenet()
    pruning.to_torch(model, pruning.keep_largest(pruning.magnitude(pruning.prunable(model)), 0.9))

    for measure in (count, sizes, pruning.prunable):
        with pytest.raises(ValueError, match=r"torch's pruned form.*from_torch"):
            measure(model)
