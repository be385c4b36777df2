"""The ground that image synthesis stands on: GAN, WGAN, LSGAN, DCGAN, VAE, progressive growing.

Small networks on data whose answer is known, trained by the objectives, the trainer and the commands of the rest:
``i2i fit -c configs/foundations/gan_sine.yaml``. A sample is a point, or an image without a condition; the condition
is its class, or nothing.
"""
