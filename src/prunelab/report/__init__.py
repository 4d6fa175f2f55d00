"""From notebooks to the book: parameters, execution, provenance, the run graph, publishing, verification."""
