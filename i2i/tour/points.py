"""The stations on points of the plane, whose distribution is known: the first GAN, and WGAN on missing modes."""

from __future__ import annotations

from i2i.tour.pictures import development, finals
from i2i.tour.station import Exhibit, Figure, Plot, Station, Training

_ENERGY = Figure("energy distance", "validation/energy", ".4f")
_MISSED = Figure("share of the data missed", "validation/missed", ".0%")

SINE = Station(
    name="sine",
    title="The first GAN",
    short="A network that judges teaches a network that makes",
    idea=(
        "<p>A generator is a function from noise to samples. Nobody can tell it which noise should become which "
        "sample; all we have are examples of what good samples look like. The idea of Goodfellow et al. (2014) is to "
        "let a second network find out what is wrong with them. The discriminator is shown points of the data and "
        "points of the generator and learns to tell them apart. The generator never sees the data at all: it gets the "
        "gradient that comes back through the discriminator, which says in which direction each of its points would "
        "look more real.</p>"
        "<p>We begin where the right answer is known: points on one period of a sine curve. Two random numbers go in, "
        "a point of the plane comes out, and the generator has only 658 weights.</p>"
    ),
    loss=(
        (
            "discriminator",
            "maximise&ensp;<b>E</b>[log <i>D</i>(<i>x</i>)] + <b>E</b>[log(1 − <i>D</i>(<i>G</i>(<i>z</i>)))]",
        ),
        ("generator", "maximise&ensp;<b>E</b>[log <i>D</i>(<i>G</i>(<i>z</i>))]"),
    ),
    look=(
        "<p>Grey is the data, red is what the generator makes of fresh noise. Of two known densities <i>p</i> (the "
        "data) and <i>q</i> (the generator) the best discriminator is <i>p</i> / (<i>p</i> + <i>q</i>); where the two "
        "are the same it can only guess, 1/2 everywhere, and its accuracy falls to a half. That is the end of a good "
        "training: a discriminator that has nothing left to say.</p>"
    ),
    trainings=(Training("gan_sine", "GAN", "foundations/gan_sine.yaml"),),
    figures=(_ENERGY, _MISSED),
    exhibits=(
        Exhibit(
            "The curve is found",
            "The same noise through the generator at the beginning, in the middle and at the end of the training.",
            development("gan_sine"),
        ),
    ),
    plots=(
        Plot(
            "Energy distance to the data",
            [("gan_sine", "validation/energy", "")],
            "Measured on points that were not trained on. This is how near the answer is; none of the losses says it.",
        ),
        Plot(
            "Accuracy of the discriminator",
            [("gan_sine", "discriminator/accuracy_real", "real"), ("gan_sine", "discriminator/accuracy_fake", "made")],
            "The share it judges rightly. A half is a guess: the shaded band is where both networks learn.",
            (0.5, 0.95),
        ),
        Plot(
            "Losses",
            [
                ("gan_sine", "discriminator/real", "discriminator, real"),
                ("gan_sine", "discriminator/fake", "discriminator, made"),
                ("gan_sine", "generator/adversarial", "generator"),
            ],
            "log 2 = 0.69 is where the discriminator guesses. The generator's loss does not fall as it gets better: "
            "its judge gets better, too.",
        ),
    ),
    left=(
        "<p>Two networks that chase each other need not come to rest, and no curve of theirs says how good the "
        "samples are. Worse: nothing asks the generator to make <em>all</em> of the data. A part that is always taken "
        "for real is an answer, too.</p>"
    ),
)

_HASTY = (
    "--model.optimizer_g.init_args.betas=[0.9, 0.999]",
    "--model.optimizer_d.init_args.betas=[0.9, 0.999]",
    "--model.ema_decay=0.0",
    "--model.decay_from=null",
)
_RINGS = {
    "gan_ring_hasty": "GAN in haste",
    "gan_ring": "GAN",
    "lsgan_ring": "least squares",
    "hinge_ring": "hinge",
    "wgan_ring": "WGAN, clipped",
    "wgan_gp_ring": "WGAN, penalty",
}

RING = Station(
    name="ring",
    title="Missing modes: WGAN",
    short="A distance for a loss: it tells where to go even where nothing overlaps",
    idea=(
        "<p>Eight narrow Gaussians on a ring are the classical trap. The generator may sit on a few of them and jump "
        "when the discriminator has found out: mode collapse. The reason lies in what the loss measures. With the "
        "best discriminator it is the Jensen–Shannon divergence, and that is the same for all distributions that do "
        "not overlap, however near or far. Where the discriminator is sure, there is no gradient.</p>"
        "<p>Arjovsky et al. (2017) replace it by the Wasserstein distance: how far, in the mean, one cloud of points "
        "has to be moved to become the other. It shrinks with every step in the right direction. It can be had from a "
        "<em>critic</em>, a function whose slope is nowhere above 1: the largest difference that it can make between "
        "the means over data and over samples is the distance. The slope is held by clipping the weights, as "
        "published, or by a penalty on the gradient (Gulrajani et al. 2017), and the critic gets several steps for "
        "one of the generator. Least squares (Mao et al. 2017) and the hinge (Lim and Ye 2017, which SPADE uses) are "
        "the other two well-known losses. All train the same networks here but for the clipped critic and its "
        "generator, which are wider: weights of at most 0.01 let next to no gradient through a narrow network.</p>"
    ),
    loss=(
        ("Wasserstein critic", "maximise&ensp;<b>E</b>[<i>D</i>(<i>x</i>)] − <b>E</b>[<i>D</i>(<i>G</i>(<i>z</i>))]"),
        ("its generator", "maximise&ensp;<b>E</b>[<i>D</i>(<i>G</i>(<i>z</i>))]"),
        (
            "gradient penalty",
            (
                "− <i>λ</i> · <b>E</b>[(‖∇<i>D</i>(<i>x̂</i>)‖ − 1)²],&ensp;<i>x̂</i> on the line between a sample "
                "and a datum"
            ),
        ),
        (
            "least squares",
            "minimise&ensp;<b>E</b>[(<i>D</i>(<i>x</i>) − 1)²] + <b>E</b>[<i>D</i>(<i>G</i>(<i>z</i>))²]",
        ),
        (
            "hinge",
            (
                "minimise&ensp;<b>E</b>[max(0, 1 − <i>D</i>(<i>x</i>))] + <b>E</b>[max(0, 1 + "
                "<i>D</i>(<i>G</i>(<i>z</i>)))]"
            ),
        ),
    ),
    look=(
        "<p>A mode counts as covered where it has at least a tenth of its even part of the samples, within three "
        "standard deviations of its centre. <em>Samples at a mode</em> is the share that lies at any of them, and not "
        "on the way between two. The <em>share of the data missed</em> does not know the modes: it is the part of the "
        "data that no sample comes near. The clipped critic and its generator, at their published rates, are slow: "
        "they find the ring soon and its modes late.</p>"
    ),
    trainings=(
        Training("gan_ring_hasty", _RINGS["gan_ring_hasty"], "foundations/gan_ring.yaml", _HASTY),
        *(Training(name, label, f"foundations/{name}.yaml") for name, label in list(_RINGS.items())[1:]),
    ),
    figures=(
        _ENERGY,
        Figure("modes covered, of 8", "validation/modes", ".0f"),
        Figure("samples at a mode", "validation/quality", ".0%"),
        _MISSED,
        Figure("Wasserstein estimate", "discriminator/wasserstein", ".4f", late=True),
    ),
    exhibits=(
        Exhibit(
            "Six trainings",
            "Grey is the data: eight small spots. Red is what each generator makes at the end of its training.",
            finals(_RINGS),
        ),
        Exhibit(
            "On the way: the first GAN in haste",
            "With the optimizer's usual momentum of 0.9, no averaged generator and no falling rate: at first the "
            "whole cloud runs from place to place and leaves most modes out; the ring is found late, and less sharply "
            "than by all others but the clipped one. The others have less momentum and an averaged generator, and "
            "all but the clipped one a falling rate.",
            development("gan_ring_hasty", count=5),
        ),
        Exhibit(
            "On the way: WGAN with a gradient penalty",
            "The cloud is spread over the ring, then drawn together.",
            development("wgan_gp_ring"),
        ),
    ),
    plots=(
        Plot(
            "Energy distance to the data",
            [(name, "validation/energy", label) for name, label in list(_RINGS.items())[1:]],
            "How near each comes, over its own steps (a step of the critic is a step); without the one in haste, "
            "which would hide the others.",
        ),
        Plot(
            "Modes covered",
            [(name, "validation/modes", label) for name, label in _RINGS.items()],
            "Eight and staying there is what is wanted; falling back is a mode that was lost.",
        ),
        Plot(
            "The critic's estimate of the distance",
            [(name, "discriminator/wasserstein", _RINGS[name]) for name in ("wgan_ring", "wgan_gp_ring")],
            "The one loss that falls as the samples get better. Clipping bounds the slope by some number that nobody "
            "knows, so its estimate is off by that factor; the penalty holds the slope near 1.",
        ),
    ),
    left=(
        "<p>Points of the plane need no structure. An image of 28 × 28 pixels is a point of a space with 784 "
        "dimensions, of which the digits fill next to nothing.</p>"
    ),
)
