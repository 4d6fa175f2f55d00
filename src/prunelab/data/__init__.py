"""Data by name or path, in parts fixed once and for all, with an id of their content: images and recordings."""

from prunelab.data.images import Images, Split, load_images
from prunelab.data.inventory import Status, Verified, get, status, verify
from prunelab.data.recordings import load_recordings
from prunelab.data.spoken import Recording, Recordings

__all__ = [
    "Images",
    "Recording",
    "Recordings",
    "Split",
    "Status",
    "Verified",
    "get",
    "load_images",
    "load_recordings",
    "status",
    "verify",
]
