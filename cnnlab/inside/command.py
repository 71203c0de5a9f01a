"""`cnnlab visualize filters|features|patches|dream|embedding|training`."""

from cnnlab.cli.failures import Application
from cnnlab.inside.dream.command import dream
from cnnlab.inside.embedding.command import embedding
from cnnlab.inside.features.command import features
from cnnlab.inside.film.command import training
from cnnlab.inside.filters.command import filters
from cnnlab.inside.patches.command import patches

app = Application(
    help="Draw what is inside: filters, feature maps, maximally activating patches, a training.", no_args_is_help=True
)
app.command("filters")(filters)
app.command("features")(features)
app.command("patches")(patches)
app.command("dream")(dream)
app.command("embedding")(embedding)
app.command("training")(training)
