import math

import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from torch import nn

from prunelab.data import Split
from prunelab.measure import evaluate


def split(n=37, classes=4):
    generator = torch.Generator().manual_seed(n)
    return Split(x=torch.rand(n, 1, 3, 3, generator=generator), y=torch.randint(0, classes, (n,), generator=generator))


def net(classes=4):
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 8), nn.Dropout(0.5), nn.Linear(8, classes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    return model


def test_loss_and_accuracy_are_those_of_scikit_learn():
    model, images = net().eval(), split()
    with torch.no_grad():
        probabilities = model(images.x).double().softmax(dim=1).numpy()
    loss, accuracy = evaluate(model, images)

    assert accuracy == accuracy_score(images.y, probabilities.argmax(axis=1))
    assert loss == pytest.approx(log_loss(images.y, probabilities, labels=range(4)), rel=1e-6)


@pytest.mark.parametrize("batch_size", [1, 5, 36, 37, 38])
def test_the_batch_size_does_not_matter(batch_size):
    whole, parts = evaluate(net(), split(), batch_size=1000), evaluate(net(), split(), batch_size=batch_size)

    assert parts.accuracy == whole.accuracy
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)


def test_equal_outputs_count_as_the_first_class_at_the_loss_of_a_guess():
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 4))
    nn.init.zeros_(model[1].weight)
    nn.init.zeros_(model[1].bias)
    images = split()
    loss, accuracy = evaluate(model, images)

    assert accuracy == int((images.y == 0).sum()) / 37
    assert loss == pytest.approx(math.log(4), rel=1e-6)


def test_each_module_keeps_its_own_mode_and_no_gradient_is_recorded():
    model = net()
    model[2].eval()
    outputs = []
    model[3].register_forward_hook(lambda module, inputs, output: outputs.append(output))
    evaluate(model, split())

    assert model.training
    assert [module.training for module in model] == [True, True, False, True]
    assert not any(output.requires_grad for output in outputs)


def test_modes_are_restored_after_an_error():
    model = net()
    with pytest.raises(RuntimeError):
        evaluate(model, Split(x=torch.zeros(2, 1, 4, 4), y=torch.zeros(2, dtype=torch.int64)))

    assert all(module.training for module in model.modules())


def test_diverged_networks_have_a_nan_loss():
    model = net()
    nn.init.constant_(model[1].weight, float("nan"))

    assert math.isnan(evaluate(model, split()).loss)


def test_nothing_to_measure_on_is_refused():
    with pytest.raises(ValueError, match="the split is empty"):
        evaluate(net(), Split(x=torch.zeros(0, 1, 3, 3), y=torch.zeros(0, dtype=torch.int64)))
    with pytest.raises(ValueError, match="at least 1; got 0"):
        evaluate(net(), split(), batch_size=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_network_on_a_cuda_device_is_measured_there():
    there = evaluate(net().cuda(), split().to("cuda"))

    assert there.accuracy == evaluate(net(), split()).accuracy
