"""`cnnlab probe …`: experiments on one network, or on the same task with several."""

from cnnlab.cli.failures import Application
from cnnlab.probe.equivariance.command import equivariance
from cnnlab.probe.norm.command import norm
from cnnlab.probe.position.command import position
from cnnlab.probe.prior.command import prior
from cnnlab.probe.shift.command import shift
from cnnlab.probe.transfer.command import transfer

app = Application(
    help="Experiments: what moving, mixing and changing images and layers does to a network.", no_args_is_help=True
)

app.command()(equivariance)
app.command()(shift)
app.command()(position)
app.command()(norm)
app.command()(prior)
app.command()(transfer)
