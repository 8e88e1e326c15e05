"""One record or many: how a cell is read, typed columns, and the tensors that a model sees."""
