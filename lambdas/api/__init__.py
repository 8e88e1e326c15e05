"""The prediction API: FastAPI behind API Gateway, serving the champion of one problem."""
