"""The networks: generators, discriminators, encoders, and the layers they are made of."""
