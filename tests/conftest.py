"""What all tests share: how hypothesis searches, and how many threads torch takes."""

import os

import torch
from hypothesis import settings

# The first call into torch takes longer than the default deadline; a build server must give the same answer twice.
settings.register_profile("prunelab", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("prunelab")

# Small tensors: a second thread costs more than it brings, and two test processes would fight over the cores.
torch.set_num_threads(1)
