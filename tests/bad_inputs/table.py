"""The table of bad inputs, section by section."""

from bad_inputs.chapter import CHAPTER
from bad_inputs.commands import COMMANDS
from bad_inputs.configs import CONFIGS
from bad_inputs.deployment import DEPLOYMENT
from bad_inputs.evidence import EVIDENCE
from bad_inputs.explanations import EXPLANATIONS
from bad_inputs.kernels import KERNELS
from bad_inputs.label_errors import LABEL_ERRORS
from bad_inputs.layers import LAYERS
from bad_inputs.networks import NETWORKS
from bad_inputs.own_images import OWN_IMAGES
from bad_inputs.own_networks import OWN_NETWORKS
from bad_inputs.probes import PROBES
from bad_inputs.public_data import PUBLIC_DATA
from bad_inputs.receptive_fields import RECEPTIVE_FIELDS
from bad_inputs.recipes import RECIPES
from bad_inputs.rejections import REJECTIONS
from bad_inputs.runs import RUNS
from bad_inputs.serving import SERVING
from bad_inputs.starting import STARTING
from bad_inputs.visualize import VISUALIZE
from bad_inputs.weights import WEIGHTS

SECTIONS = {
    "Configs": CONFIGS,
    "Networks and recipes": NETWORKS,
    "Networks in Python": OWN_NETWORKS,
    "Public data sets": PUBLIC_DATA,
    "Images of one's own": OWN_IMAGES,
    "A config for images of one's own": STARTING,
    "Runs": RUNS,
    "Layers on the command line": LAYERS,
    "Kernels": KERNELS,
    "The chapter": CHAPTER,
    "Receptive fields and summaries": RECEPTIVE_FIELDS,
    "Explanations": EXPLANATIONS,
    "Files of weights": WEIGHTS,
    "Audits and sanity checks": EVIDENCE,
    "Drawings of what is inside": VISUALIZE,
    "None of these": REJECTIONS,
    "Experiments": PROBES,
    "Ablations and sweeps": RECIPES,
    "Label errors": LABEL_ERRORS,
    "Exports and ONNX files": DEPLOYMENT,
    "A page on this machine": SERVING,
    "Commands": COMMANDS,
}
CASES = tuple(case for cases in SECTIONS.values() for case in cases)
