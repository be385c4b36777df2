"""The whole road from the first GAN to SPADE: trained station by station, and told on one page.

``i2i tour OUT`` trains what ``i2i fit`` trains, from the configurations that it trains from, and writes
``OUT/index.html`` for a learner to read from top to bottom.
"""
