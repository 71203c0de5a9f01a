"""`cnnlab visualize filters|features|patches|dream|embedding|training`."""

import typer

from cnnlab.cli.visualize.dream import dream
from cnnlab.cli.visualize.embedding import embedding
from cnnlab.cli.visualize.features import features
from cnnlab.cli.visualize.filters import filters
from cnnlab.cli.visualize.patches import patches
from cnnlab.cli.visualize.training import training

app = typer.Typer(
    help="Draw what is inside: filters, feature maps, what channels answer to, a training.", no_args_is_help=True
)
app.command("filters")(filters)
app.command("features")(features)
app.command("patches")(patches)
app.command("dream")(dream)
app.command("embedding")(embedding)
app.command("training")(training)
