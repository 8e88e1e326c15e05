"""One record or many: how a cell is read, typed columns, and the tensors of a model. Files are read in `tabular`."""
