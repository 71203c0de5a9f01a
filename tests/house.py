"""The house: which packages there are, on which level. A new subject is a name in `SUBJECTS`."""

FOUNDATION = (
    {"core"},
    {"stats"},
    {"data", "models", "view"},
    {"walk"},
    {"fit"},
    {"config"},
    {"runs"},
    {"network"},
    {"cli"},
)
"""A package imports from those before its own set."""

SUBJECTS = (
    "training",
    "speed",
    "evaluation",
    "receptive_field",
    "landscape",
    "layers_lab",
    "attribution",
    "check_model",
    "trust",
    "inside",
    "probe",
    "recipe",
    "rejection",
    "deploy",
    "project",
)
"""They import from the foundation, and from each other along the edges in test_layering.py."""
