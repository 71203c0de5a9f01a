"""The panels of `cnnlab --help`, in their order."""

TRAIN = "Train and use a network"
INSIDE = "Look inside a network"
EXPERIMENTS = "Experiments"
PROJECT = "Data and project"
