"""`cnnlab probe …`: experiments on one network, or on the same task with several."""

from cnnlab.cli.failures import Application

app = Application(
    help="Experiments: what moving, mixing and changing images and layers does to a network.", no_args_is_help=True
)
