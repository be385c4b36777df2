"""The stations on handwritten digits: GAN and DCGAN, the variational autoencoder, and classes for a condition."""

from __future__ import annotations

from i2i.tour.pictures import by_class, development, digit_arithmetic, reconstructions, samples, ways
from i2i.tour.station import Exhibit, Figure, Plot, Station, Training

_ENERGY = Figure("energy distance", "validation/energy", ".3f")
_MISSED = Figure("share of the data missed", "validation/missed", ".0%")
_KINDS = {"gan_digits": "GAN, fully connected", "dcgan_digits": "DCGAN"}
_AUTO = {"vae_digits": "VAE", "vae_gan_digits": "VAE, trained adversarially"}

DIGITS = Station(
    name="digits",
    title="Pictures: DCGAN",
    short="Convolutions: the same stroke is the same wherever it is",
    idea=(
        "<p>The very same game on the 1797 digits that come with scikit-learn. First with fully connected networks, "
        "as in the first paper: every pixel has weights of its own, nothing tells the network that neighbours belong "
        "together, and the samples are speckled.</p>"
        "<p>Radford et al. (2016) found the convolutional networks that train: no pooling but strides, transposed "
        "convolutions that double a picture of 4 × 4 until it is large enough, batch normalisation, and no fully "
        "connected layers. The loss is the one of the first station. What changes is what the networks find easy.</p>"
    ),
    loss=(
        (
            "discriminator",
            "maximise&ensp;<b>E</b>[log <i>D</i>(<i>x</i>)] + <b>E</b>[log(1 − <i>D</i>(<i>G</i>(<i>z</i>)))]",
        ),
        ("generator", "maximise&ensp;<b>E</b>[log <i>D</i>(<i>G</i>(<i>z</i>))]"),
    ),
    look=(
        "<p>Are the strokes smooth, and do all ten digits occur? Then the latent space: between two latent vectors "
        "lie others, and their pictures should be digits, too, that turn into each other without a jump. Vectors "
        "drawn at random lie near a sphere, so the way goes along it and not straight through its empty middle.</p>"
    ),
    trainings=tuple(Training(name, label, f"foundations/{name}.yaml") for name, label in _KINDS.items()),
    figures=(_ENERGY, _MISSED),
    exhibits=(
        Exhibit(
            "Fully connected",
            "The same latent vectors at three moments of the training, and digits that were held out.",
            development("gan_digits", 2),
        ),
        Exhibit("Convolutional", "The same for DCGAN.", development("dcgan_digits", 2)),
        Exhibit(
            "Through the latent space of DCGAN",
            "Each row leads from one random vector to another.",
            ways({"dcgan_digits": "spherical, in equal steps"}),
        ),
    ),
    plots=(
        Plot(
            "Energy distance to the data",
            [(name, "validation/energy", label) for name, label in _KINDS.items()],
            "In the space of pixels, where speckles cost next to nothing: judge by the pictures, too. (They differ in "
            "size, 28 × 28 and 32 × 32, and so do the scales of the two curves.)",
        ),
        Plot(
            "Accuracy of the discriminators on what is made",
            [(name, "discriminator/accuracy_fake", label) for name, label in _KINDS.items()],
            "The share of samples that the discriminator knows for such.",
            (0.5, 0.95),
        ),
    ),
    left=(
        "<p>There is a way from <i>z</i> to a picture, but none back: which <i>z</i> is this very digit? And there is "
        "still no number that says how well the model explains a picture that it is shown.</p>"
    ),
)

AUTOENCODERS = Station(
    name="vae",
    title="The way back: VAE",
    short="An encoder finds the latent vector of a picture; the adversarial loss takes the blur away",
    idea=(
        "<p>Kingma and Welling (2014) train the way there and the way back together. An encoder says for a picture "
        "where in the latent space it may lie: a mean and a variance for each number of <i>z</i>. The generator, here "
        "called decoder, has to restore the picture from a <i>z</i> drawn there. A second term, the Kullback–Leibler "
        "divergence, keeps all those places together near the standard normal distribution, so that a <i>z</i> drawn "
        "from that alone gives a picture as well. Their sum is, but for a constant, the negative of a lower bound of "
        "the log likelihood: a number that says how well a picture is explained, the smaller the better, and that "
        "falls steadily.</p>"
        "<p>The price is blur. Where the code leaves open whether a stroke ends here or a pixel further, the smallest "
        "squared error is the mean of both. No digit looks like that, and a discriminator sees it at once. So in the "
        "second training it has its say (Larsen et al. 2016): the mean of two strokes is not a stroke.</p>"
    ),
    loss=(
        (
            "encoder and decoder",
            "minimise&ensp;<b>E</b>[‖<i>x</i> − <i>G</i>(<i>z</i>)‖² / 2<i>s</i>²] + KL(<i>N</i>(<i>μ</i>, <i>σ</i>²) "
            "‖ <i>N</i>(0, 1)),&ensp;<i>z</i> = <i>μ</i>(<i>x</i>) + <i>σ</i>(<i>x</i>) · <i>ε</i>",
        ),
        ("adversarially", "− <i>λ</i> · <b>E</b>[log <i>D</i>(<i>G</i>(<i>z</i>))] for the decoder"),
    ),
    look=(
        "<p>Compare held-out digits with their reconstructions, then samples of fresh noise. A discriminator watches "
        "both trainings, but teaches in the second alone. Its accuracy measures the blur: how surely it tells what is "
        "made.</p>"
    ),
    trainings=tuple(Training(name, label, f"foundations/{name}.yaml") for name, label in _AUTO.items()),
    figures=(
        Figure("error of reconstructions (L1)", "validation/l1"),
        _ENERGY,
        Figure("discriminator right on real", "discriminator/accuracy_real", ".0%", late=True),
        Figure("discriminator right on made", "discriminator/accuracy_fake", ".0%", late=True),
    ),
    exhibits=(
        Exhibit("There and back", "Digits, and what is left of them after the latent vector.", reconstructions(_AUTO)),
        Exhibit("Fresh samples", "Of vectors drawn from the standard normal distribution.", samples(_AUTO)),
        Exhibit(
            "Through the latent space",
            "From one random vector to another, in both models.",
            ways(_AUTO, rows=1),
        ),
        Exhibit(
            "Arithmetic",
            "What makes a four a nine is a direction. In every row: the mean of twelve nines, the mean of twelve "
            "fours, another four, and the same four with half of the difference added, with the whole of it, and with "
            "one and a half.",
            digit_arithmetic(_AUTO, towards=9, away=4),
        ),
    ),
    plots=(
        Plot(
            "Error of reconstructions",
            [(name, "validation/l1", label) for name, label in _AUTO.items()],
            "Mean absolute error on held-out digits. Sharper is not the same as nearer: a sharp stroke in the wrong "
            "place costs twice, and this error cannot tell which of the two we would rather look at.",
        ),
        Plot(
            "How surely the discriminator tells what is made",
            [(name, "discriminator/accuracy_fake", label) for name, label in _AUTO.items()],
            "Near 1 for the blurred ones; lower where the decoder learns from it.",
            (0.5, 0.95),
        ),
    ),
    left="<p>We can draw a digit, but cannot yet ask for one.</p>",
)

CLASSES = Station(
    name="classes",
    title="Asking for something",
    short="A condition goes into both networks",
    idea=(
        "<p>Mirza and Osindero (2014): give the class to both networks. The generator gets it beside the noise. The "
        "discriminator gets it beside the picture, and so judges not only whether this is a digit, but whether it is "
        "<em>this</em> digit. A fine 3 where a 5 was asked for is a fake.</p>"
        "<p>This is the step from making pictures to translating: a class is the smallest condition there is. "
        "Everything that follows only makes the condition larger.</p>"
    ),
    loss=(
        (
            "discriminator",
            "maximise&ensp;<b>E</b>[log <i>D</i>(<i>x</i>, <i>c</i>)] + <b>E</b>[log(1 − <i>D</i>(<i>G</i>(<i>z</i>, "
            "<i>c</i>), <i>c</i>))]",
        ),
        ("generator", "maximise&ensp;<b>E</b>[log <i>D</i>(<i>G</i>(<i>z</i>, <i>c</i>), <i>c</i>)]"),
    ),
    look=(
        "<p>Each column was asked for one class. Each row has one latent vector: what the class does not say, such as "
        "slant and thickness, is the latent vector's to say, and stays alike along a row.</p>"
    ),
    trainings=(Training("cgan_digits", "conditional GAN", "foundations/cgan_digits.yaml"),),
    figures=(_ENERGY, _MISSED),
    exhibits=(
        Exhibit("0 to 9, as asked", "Class and latent vector are two separate inputs.", by_class("cgan_digits")),
        Exhibit(
            "Through the latent space of the fours",
            "The class stays, the hand changes.",
            ways({"cgan_digits": "spherical, in equal steps"}, of_class=4),
        ),
    ),
    plots=(
        Plot(
            "Energy distance to the data",
            [("cgan_digits", "validation/energy", "")],
            "Over all classes together.",
        ),
        Plot(
            "Accuracy of the discriminator",
            [
                ("cgan_digits", "discriminator/accuracy_real", "real"),
                ("cgan_digits", "discriminator/accuracy_fake", "made"),
            ],
            "The share it judges rightly.",
            (0.5, 0.95),
        ),
    ),
    left=(
        "<p>A class says what is in a picture, not where. Let the condition be a picture itself: a map that says for "
        "every pixel what is there.</p>"
    ),
)
