"""The Python behind the Makefile: tools, engine, images, cluster, platform and what people do with them."""
