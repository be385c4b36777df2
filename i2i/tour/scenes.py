"""The stations on landscapes and their label maps: pix2pix and SPADE."""

from __future__ import annotations

from i2i.tour.pictures import between_styles, development, light_arithmetic, lightings
from i2i.tour.station import Exhibit, Figure, Plot, Station, Training

_L1 = Figure("validation L1", "validation/l1")
_ACCURACY = (
    Figure("discriminator right on real", "discriminator/accuracy_real", ".0%", late=True),
    Figure("discriminator right on made", "discriminator/accuracy_fake", ".0%", late=True),
)

PAIRS = Station(
    name="pix2pix",
    title="Maps: pix2pix",
    short="The condition is an image; every patch is judged",
    idea=(
        "<p>Isola et al. (2017) put an image in the place of the class. The data are pairs: a label map, which says "
        "for every pixel what is there (sky, water, tree, house), and the photograph. The generator is a U-Net: it "
        "looks at the map at all sizes, and its skip connections carry the outlines straight to the output. The "
        "discriminator judges patches: whether each small piece of the picture is real <em>given the map</em>. It "
        "needs fewer weights, and it looks where the first losses are blind, at texture.</p>"
        "<p>The absolute error to the photograph is a second, steady teacher. By itself it would blur as the "
        "autoencoder did; it gets the rough right, and the patches do the rest. The data are procedural landscapes, "
        "painted when they are read, here by daylight alone.</p>"
    ),
    loss=(
        (
            "discriminator",
            "maximise&ensp;<b>E</b>[log <i>D</i>(<i>x</i>, <i>m</i>)] + <b>E</b>[log(1 − <i>D</i>(<i>G</i>(<i>m</i>), "
            "<i>m</i>))],&ensp;mean over patches",
        ),
        (
            "generator",
            (
                "minimise&ensp;− <b>E</b>[log <i>D</i>(<i>G</i>(<i>m</i>), <i>m</i>)] + 100 · <b>E</b>[|<i>x</i> − "
                "<i>G</i>(<i>m</i>)|]"
            ),
        ),
    ),
    look=(
        "<p>The label map <i>m</i> is on the left, the true photograph on the right; these landscapes were held out. "
        "See how the colours come first, then edges, then texture.</p>"
    ),
    trainings=(
        Training(
            "pix2pix",
            "pix2pix",
            "scenes/pix2pix.yaml",
            (
                "--data.source.init_args.size=[64, 64]",
                "--data.resize.init_args.size=[64, 64]",
                "--model.generator.init_args.depth=6",
                "--model.discriminator.init_args.layers=3",
            ),
        ),
    ),
    figures=(_L1, *_ACCURACY),
    exhibits=(Exhibit("Landscapes that were held out", "The same maps at three moments.", development("pix2pix", 3)),),
    plots=(
        Plot("Validation error", [("pix2pix", "validation/l1", "")], "Mean absolute error to the photographs."),
        Plot(
            "Accuracy of the discriminator",
            [("pix2pix", "discriminator/accuracy_real", "real"), ("pix2pix", "discriminator/accuracy_fake", "made")],
            "The share of patches it judges rightly.",
            (0.5, 0.95),
        ),
    ),
    left=(
        "<p>One map gives one picture: the noise is gone, since with an absolute error in the loss it does not pay to "
        "listen to it. Of a map that may lie in morning or in evening light the generator would learn the mean of "
        "both. And there is a flaw in the network: normalisation takes the mean of each channel away. A map of sky "
        "alone and one of grass alone are the same to it afterwards; the map is washed out on its way.</p>"
    ),
)

STYLES = Station(
    name="spade",
    title="SPADE, with style",
    short="The map steers the normalisation of every layer; an encoder gives the style",
    idea=(
        "<p>Park et al. (2019) turn the flaw into the method. After each normalisation the activations are scaled and "
        "shifted, at every pixel, by numbers computed from the map there. What normalisation has taken away, the map "
        "puts back, at every layer and every size. So the map need not be the network's input any more; the input is "
        "free again for a latent vector, and that is the <b>style</b>.</p>"
        "<p>Everything on the road comes together here. The style's encoder and its divergence are the VAE's; the "
        "hinge is one of the losses on the ring; the condition goes into both networks; patches are judged, at two "
        "sizes; and the generator also has to match the discriminator's features of the photograph. The landscapes "
        "now lie in every light, which no map tells: what the map leaves open, the style decides.</p>"
    ),
    loss=(
        (
            "SPADE",
            (
                "<i>γ</i>(<i>m</i>) · (<i>h</i> − mean <i>h</i>) / deviation <i>h</i> + <i>β</i>(<i>m</i>),&ensp;at "
                "every pixel of every layer"
            ),
        ),
        (
            "discriminator",
            "minimise&ensp;<b>E</b>[max(0, 1 − <i>D</i>(<i>x</i>, <i>m</i>))] + <b>E</b>[max(0, 1 + "
            "<i>D</i>(<i>G</i>(<i>z</i>, <i>m</i>), <i>m</i>))]",
        ),
        (
            "generator",
            "minimise&ensp;− <b>E</b>[<i>D</i>(<i>G</i>(<i>z</i>, <i>m</i>), <i>m</i>)] + 10 · feature matching + 10 "
            "· <b>E</b>[|<i>x</i> − <i>G</i>|] + 0.002 · KL",
        ),
    ),
    look=(
        "<p>First the development, in the style of each photograph itself. Then one map in many styles: the shapes "
        "are the map's and must stay, the light is the photo's and must change. Last the way between two styles "
        "and their arithmetic: the same as for the digits, now over a landscape.</p>"
    ),
    trainings=(
        Training(
            "spade",
            "SPADE",
            "scenes/spade.yaml",
            (
                "--data.source.init_args.size=[64, 64]",
                "--data.resize.init_args.size=[64, 64]",
                "--model.generator.init_args.base_size=[2, 2]",
            ),
        ),
    ),
    figures=(_L1, *_ACCURACY),
    exhibits=(
        Exhibit("Landscapes that were held out", "In the style of their own photographs.", development("spade", 3)),
        Exhibit("One map in many lights", "The style comes from photos of other landscapes.", lightings("spade")),
        Exhibit(
            "Between two styles", "The map stays, the light goes over from one to the other.", between_styles("spade")
        ),
        Exhibit(
            "Arithmetic of styles",
            "Four photos by night less four by day, the mean of each in the first columns, are a direction: added to "
            "the style of a photo in the snow, half of it, the whole, and one and a half. No photo of the training "
            "shows snow by night.",
            light_arithmetic("spade", towards="night", away="day", base="snow"),
        ),
    ),
    plots=(
        Plot("Validation error", [("spade", "validation/l1", "")], "Mean absolute error to the photographs."),
        Plot(
            "Accuracy of the discriminator",
            [("spade", "discriminator/accuracy_real", "real"), ("spade", "discriminator/accuracy_fake", "made")],
            "The share of patches it judges rightly.",
            (0.5, 0.95),
        ),
        Plot(
            "Divergence of the styles",
            [("spade", "generator/divergence", "")],
            "How far the encoder's styles are from the standard normal distribution, as in the VAE.",
        ),
    ),
    left=(
        "<p>A few minutes at 64 × 64 pixels show the principle; photographs take larger networks and days on a GPU. "
        "The code is the same.</p>"
    ),
)
