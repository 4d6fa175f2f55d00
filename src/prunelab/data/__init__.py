"""Data as tensors: images by name or path, split once and for all, with an id of their content."""

from prunelab.data.fetch import get
from prunelab.data.images import Images, Split, load_images
from prunelab.data.inventory import Status, Verified, status, verify

__all__ = ["Images", "Split", "Status", "Verified", "get", "load_images", "status", "verify"]
