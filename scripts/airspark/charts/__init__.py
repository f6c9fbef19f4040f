"""The values of the charts as models, and what is generated from them."""
