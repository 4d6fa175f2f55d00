"""A pruned net in the forms that it can be stored and run in: masked, sparse, physically smaller, exported.

`prunelab.deploy.export` is imported where it is used: it needs the packages of the extra "onnx".
"""

from prunelab.deploy.forms import FORMS, Form, Smaller, make, without_dead_units
from prunelab.deploy.shrinking import Shrunk, shrink_stored

__all__ = ["FORMS", "Form", "Shrunk", "Smaller", "make", "shrink_stored", "without_dead_units"]
